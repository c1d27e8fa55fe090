package result

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/RECORDS.md names every field that a record has.
func TestRecordsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/RECORDS.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range []any{wireRecord{}, wireMetric{}, wireValidation{}, wireAnswer{}, wirePath{}, wireLimit{}, wireStaging{}, wireBalancing{}, wireClocks{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			n++
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("%s is not in docs/RECORDS.md", name)
			}
		}
	}
	if n < 40 {
		t.Errorf("%d fields: the test sees too few", n)
	}
}
