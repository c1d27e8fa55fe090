// What a path can be instead of a shim.

package transporttest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// NoShim has load refuse what is no shim, each with one clear line in an error that names the path, as refused reads it.
// entry and abi are a shim's; missing is a function of its library, which is not there.
func NoShim(t *testing.T, entry string, abi uint32, missing string, load func(path string) error, refused func(err error) (path string)) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte(strings.Repeat("no library at all\n", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "nothing.so"), "no such file"},
		{"no library", text, "invalid ELF header"},
		{"a folder", dir, dir},
		{"another library", compiled(t, dir, "plain", "int nothing;"), "no gpubench shim"},
		{"older ABI", compiled(t, dir, "old", "void *"+entry+"(unsigned abi) { return 0; }"), "another gpubench"},
		{"another size", compiled(t, dir, "liar", fmt.Sprintf("static unsigned t[512] = {%d, 8}; void *%s(unsigned abi) { return t; }", abi, entry)), "another gpubench"},
		{"missing library", compiled(t, dir, "orphan", fmt.Sprintf("extern int %s(void); int f(void) { return %[1]s(); }", missing)), missing},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := load(c.path)
			if err == nil || refused(err) != c.path {
				t.Fatalf("not an error that names %s: %v", c.path, err)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: want one line that says %q", err, c.want)
			}
		})
	}
}

// compiled makes a library of a few words of C.
func compiled(t *testing.T, dir, name, text string) string {
	t.Helper()
	src, out := filepath.Join(dir, name+".c"), filepath.Join(dir, name+".so")
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("cc", "-shared", "-fPIC", "-o", out, src).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, msg)
	}
	return out
}
