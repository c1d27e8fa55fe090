package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Launches on different numbers of PEs, each with a folder of its own, make one sweep; text is what a run shows, jsonl
// gives the records back.
func TestReportOfSeveralLaunches(t *testing.T) {
	var dirs []string
	for _, pes := range []string{"1", "2"} {
		dir := t.TempDir()
		dirs = append(dirs, dir)
		got := call(t, "run", "jacobi3d", "--path", "host", "--model", "mpi", "--grid", "12,12,12", "-i", "10", "-x", "0", "-n", pes, "-o", dir)
		if got.code != exitOK {
			t.Fatalf("exit %d\n%s", got.code, got.stderr)
		}
	}
	got := call(t, "report", dirs[0], filepath.Join(dirs[1], resultsFile))
	want := []string{"# jacobi3d: grid 12x12x12 odf 1 field modes\n", "# 2 ok, 0 failed, 0 skipped\n"}
	if cpusAllowed() > 1 {
		want = append(want, "# jacobi3d, strong scaling:")
	}
	for _, w := range want {
		if got.code != exitOK || !strings.Contains(got.stdout, w) {
			t.Errorf("exit %d, no %q in\n%s%s", got.code, w, got.stdout, got.stderr)
		}
	}
	file, err := os.ReadFile(filepath.Join(dirs[0], resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	if got := call(t, "report", dirs[0], "--format", "jsonl"); got.stdout != string(file) {
		t.Errorf("the records came back changed:\n%s", got.stdout)
	}
}

func TestReportNamesWhatIsWrong(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no file"},
		{[]string{empty}, "results.jsonl: no such file"},
		{[]string{empty, "--format", "pdf"}, `--format: "pdf" is no format: give text, jsonl, csv, osu`},
	} {
		got := call(t, append([]string{"report"}, c.args...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%v: exit %d, %q", c.args, got.code, got.stderr)
		}
	}
}
