package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"gpubench/internal/result"
)

// TestMutant runs a case of a program that internal/mutate has broken: every
// case must fail, with the reason that is wanted.
func TestMutant(t *testing.T) {
	args := os.Getenv("GPUBENCH_MUTANT")
	if args == "" {
		t.Skip("internal/mutate runs this")
	}
	want := regexp.MustCompile(os.Getenv("GPUBENCH_MUTANT_WANT"))
	recs := records(t, exitFailed, append(strings.Fields(args), "--timeout", "60s")...)
	for _, r := range recs {
		if r.Status != result.Failed {
			t.Errorf("%v: %s", r.Params, r.Status)
		} else if !want.MatchString(r.Reason) {
			t.Errorf("%v: the reason is %q, want %s", r.Params, r.Reason, want)
		}
	}
}
