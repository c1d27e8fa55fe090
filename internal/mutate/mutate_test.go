// Package mutate shows that validation bites: each row of the table breaks one
// line of the program, runs a case of it, and wants that case failed with a
// reason that names PE, place, expected and found.
//
// The mutated program is built by `go test -overlay`; nothing in the tree is
// changed.
package mutate

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

type mutant struct {
	name     string
	file     string // from the root
	old, new string // old stands in the file exactly once
	args     string // of gpubench run; every case must fail
	want     string // a regular expression for the reasons
}

const jacobi = "jacobi3d --device emulated --path host,staged --grid 20,18,16 -i 8 -x 2 --model mpi,charm "

// What a wrong cell is reported as.
const wrongCell = `PE \d+: cell \(\d+,\d+,\d+\), offset \d+ of block .*: expected \S+, found \S+`

var mutants = []mutant{
	{"halo taken from the block's own plane", "internal/suite/jacobi3d/block.go",
		"set.UnpackFaces(b.edge, b.field(), b.geom, b.faces, &b.in)",
		"set.UnpackFaces(b.edge, b.field(), b.geom, b.faces, &b.out)", jacobi, wrongCell},
	{"wrong plane packed", "kernels/faces.h",
		"low = ghosts ? 0 : 1;", "low = ghosts ? 0 : 2;", jacobi, wrongCell},
	{"a face dropped under over-decomposition", "internal/suite/jacobi3d/block.go",
		"set.UnpackFaces(b.edge, b.field(), b.geom, b.faces, &b.in)",
		"set.UnpackFaces(b.edge, b.field(), b.geom, b.faces&^kernels.Mask(16*min(b.w.perPE()-1, 1)), &b.in)", jacobi + "--odf 4", wrongCell},
	{"stale buffer", "internal/suite/jacobi3d/block.go",
		"set.PackFaces(b.edge, b.field(), b.geom, b.faces, &b.out)",
		"set.PackFaces(b.edge, b.next(), b.geom, b.faces, &b.out)", jacobi, wrongCell},
	{"coefficient added instead of multiplied", "kernels/jacobi3d.h",
		"+ above) * (1.0 / 7.0)", "+ above) + (1.0 / 7.0)", jacobi, wrongCell},
	{"last row of an uneven block skipped", "internal/suite/jacobi3d/block.go",
		"b.field(), b.next(), b.geom, r)",
		"b.field(), b.next(), b.geom, kernels.Box{Lo: r.Lo, Hi: [3]int{r.Hi[0], r.Hi[1] - b.geom.NY&1, r.Hi[2]}})",
		strings.Replace(jacobi, "20,18,16", "37,53,29", 1) + "--blocks 3,2,1", wrongCell},
	{"an iteration that is not counted", "internal/suite/jacobi3d/charm.go",
		"for range s.N {", "for range s.N - 1 {", strings.Replace(jacobi, "mpi,charm", "charm", 1), wrongCell},
	{"a message sent from the wrong slot", "internal/suite/pingpong.go",
		"b.comm.Send(b.send[slot], b.peer, tagData); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t}\n\t\tst, err",
		"b.comm.Send(b.recv[slot], b.peer, tagData); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t}\n\t\tst, err",
		"pingpong multi_latency --path host --model mpi -m 64 -i 20 -n 4", `PE \d+: message \d+ from PE \d+, offset \d+: expected 0x\w+, found 0x\w+`},
	{"a window in which the second pair's last message is the first again", "internal/suite/bandwidth.go",
		"b.comm.Isend(b.send[(first+i)%b.use], b.peer, tagData)",
		"b.comm.Isend(b.send[(first+i-b.pair*(i+1)/b.window)%b.use], b.peer, tagData)",
		"multi_bandwidth --path host --model mpi -m 64 -i 20 -n 4", `PE 3: message \d+ from PE 1, offset \d+: expected 0x\w+, found 0x\w+`},
}

func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program once for each mutant")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			path := filepath.Join(root, m.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), m.old); n != 1 {
				t.Fatalf("%q stands %d times in %s: the table is out of date", m.old, n, m.file)
			}
			dir := t.TempDir()
			mutated := filepath.Join(dir, filepath.Base(m.file))
			if err := os.WriteFile(mutated, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutated}})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(file, overlay, 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "test", "-overlay", file, "-count=1", "-run", "^TestMutant$", "-v", "./cmd/gpubench")
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "GPUBENCH_MUTANT="+m.args, "GPUBENCH_MUTANT_WANT="+m.want)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("the mutant was not caught: %v\n%s", err, out)
			}
			if !strings.Contains(string(out), "--- PASS: TestMutant") {
				t.Fatalf("the mutant was not run:\n%s", out)
			}
		})
	}
}
