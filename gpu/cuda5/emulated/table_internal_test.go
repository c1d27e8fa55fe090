//go:build cgo

// The driver's functions against the binding's table, and the list of names that counts and cuGetProcAddress go by.

package emulated

import (
	"os"
	"regexp"
	"testing"
)

func symbols(t *testing.T, file, pattern string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := make(map[string]bool)
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		if set[string(m[1])] {
			t.Errorf("%s: %s twice", file, m[1])
		}
		set[string(m[1])] = true
	}
	return set
}

func TestEveryFunctionOfTheTable(t *testing.T) {
	if m := missing(); len(m) != 0 {
		t.Errorf("in cu/table.def and not emulated: %v", m)
	}
	names := symbols(t, "names.def", `(?m)^EMU_NAME\(\w+, (\w+), \d+\)`)
	for file, pattern := range map[string]string{"../cu/table.def": `(?m)^CU_FN\(\w+, (\w+),`, "extra.def": `(?m)^EMU_FN\((\w+),`} {
		set := symbols(t, file, pattern)
		if len(set) < 30 {
			t.Errorf("%s: only %d functions found", file, len(set))
		}
		for s := range set {
			if !names[s] {
				t.Errorf("%s of %s is not in names.def", s, file)
			}
			delete(names, s)
		}
	}
	for s := range names {
		t.Errorf("names.def has %s, which is nowhere declared", s)
	}
}
