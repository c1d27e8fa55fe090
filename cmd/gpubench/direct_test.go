package main

import (
	"errors"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		stdout, stderr string
		ended          error
		ok             bool
		reason         string // a part of it
	}{
		"two ranks":    {`{"tells":"pml is ucx","ranks":2}` + "\n" + `{"ok":true}`, "", nil, true, "between two ranks and was right (pml is ucx)"},
		"alone":        {`{"tells":"pml is ucx","ranks":1}` + "\n" + `{"ok":true}`, "", nil, true, "from a rank to itself"},
		"it says no":   {`{"tells":"none","ranks":2}` + "\n" + `{"why":"it takes no device memory (none)"}`, "", nil, false, "it takes no device memory (none)"},
		"each says no": {`{"why":"no driver"}` + "\n" + `{"why":"no driver"}`, "", errors.New("exit status 1"), false, "no driver"},
		"crash": {`{"tells":"pml is ob1","ranks":2}` + "\nnoise", "", errors.New("exit status 139"), false,
			"a rank of a try ended with signal: segmentation fault (pml is ob1)"},
		"crash at the end": {`{"tells":"x","ranks":2}` + "\n" + `{"ok":true}`, "", errors.New("exit status 134"), false, "aborted"},
		"hang":             {`{"tells":"x","ranks":2}`, "", errors.New("no answer within 30s"), false, "no answer within 30s"},
		"silence":          {"", "", nil, false, "it said nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			a := verdict(strings.NewReader(c.stdout), c.stderr, c.ended)
			if a.OK != c.ok || strings.Count(a.Reason, c.reason) != 1 {
				t.Errorf("%v %q", a.OK, a.Reason)
			}
		})
	}
}
