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
	file     string // from the root; several, with spaces between: a build of the kernels' C++ takes longest
	old, new string // old stands in each file exactly once
	args     string // of gpubench run; every case must fail
	want     string // a regular expression for the reasons
}

const (
	jacobi = "jacobi3d --device emulated --path host,staged --grid 20,18,16 -i 8 -x 2 --model mpi,charm "
	// Both stencils, whose blocks and bodies are the same code.
	stencils = "jacobi3d stencil2d --quick --transport inproc --device emulated --path host,staged -i 8 -x 2 --model mpi,charm "
)

// What a wrong cell is reported as.
const wrongCell = `PE \d+: cell \(\d+(,\d+)+\), offset \d+ of block .*: expected \S+, found \S+`

// Stencils and particles, whose answers tell of every iteration.
const (
	halved     = "pic jacobi3d stencil2d --quick --transport inproc --device cpu --path host -i 8 -x 2 --model "
	wrongPlace = `PE \d+: (cell|particle \d+ in block) \(\d+(,\d+)+\), offset \d+.*: expected .+, found \S+ after 10 `
)

const pic = "pic --device cpu --cells 40 --particles 500 -n 4 -i 8 -x 2 --model mpi,charm "

var mutants = []mutant{
	{"a particle lost", "internal/suite/pic/block.go", "b.n -= n\n", "b.n -= n + min(n, 1)\n", pic,
		`PE 0: particle \d+: expected once, at \(\d+\.5, \d+\.5\) in block \(\d,\d\), found on no PE after 10 steps`},
	{"a particle duplicated", "internal/suite/pic/block.go", "b.n -= n\n", "b.n -= n - min(n, 1)\n", pic,
		`PE 0: particle \d+: expected once, at \(\d+\.5, \d+\.5\) in block \(\d,\d\), found on PE \d and PE \d`},
	{"particles handed to the block beside the one they go to", "internal/suite/pic/block.go", "b.n -= n\n",
		"b.n -= n\n\tif t := b.totals(); t[7]+t[8] == 0 {\n\t\tt[5], t[8] = 0, t[5]\n\t}\n", strings.Replace(pic, "-i 8", "-i 7 --speed-y 0", 1),
		`PE \d: particle \d+ in block \(\d,\d\), offset \d+: expected in block \(\d,\d\), where its cell \(\d+,\d+\) is, found here after 9 steps`},
	{"a chare that moves forgets a particle", "internal/suite/pic/migrate.go", "\tp.Int(&b.n)\n", "\tif p.Leaving() {\n\t\tb.n--\n\t}\n\tp.Int(&b.n)\n",
		strings.Replace(pic, "mpi,charm", "charm", 1) + "--odf 2 --balance rotate --balance-every 5", `PE 0: particle \d+: expected once, .* found on no PE`},
	{"halo taken from the block's own plane", "internal/suite/stencil/launch.go",
		"set.UnpackFaces(b.edge, field, b.geom, m, &b.in)",
		"set.UnpackFaces(b.edge, field, b.geom, m, &b.out)", stencils, wrongCell},
	{"wrong plane packed", "kernels/faces.h",
		"low = ghosts ? 0 : 1;", "low = ghosts ? 0 : 2;", stencils, wrongCell},
	{"a face dropped under over-decomposition, and where faces alone are exchanged", "internal/suite/stencil/launch.go",
		"set.UnpackFaces(b.edge, field, b.geom, m, &b.in)",
		"set.UnpackFaces(b.edge, field, b.geom, m&^20, &b.in)", stencils + "--odf 4 --part all,comm", wrongCell},
	{"stale buffer", "internal/suite/stencil/launch.go",
		"set.PackFaces(b.edge, field, b.geom, m, &b.out)",
		"set.PackFaces(b.edge, b.next(), b.geom, m, &b.out)",
		strings.Replace(stencils, "jacobi3d stencil2d", "stencil2d --field modes,study", 1), wrongCell},
	{"coefficient added instead of multiplied, as the study does", "kernels/jacobi3d.h kernels/stencil2d.h",
		") * (1.0 / ", ") + (1.0 / ", stencils, wrongCell},
	{"last row of an uneven block skipped", "internal/suite/stencil/iteration.go",
		"if r := b.geom.Inner(b.faces); !r.Empty() {",
		"if r := b.geom.Inner(b.faces); !r.Empty() {\n\t\t\tr.Hi[1] -= b.geom.NY & 1",
		strings.Replace(jacobi, "20,18,16", "37,53,29", 1) + "--blocks 3,2,1", wrongCell},
	{"the shell left out where updates alone are measured", "internal/suite/stencil/iteration.go",
		"if b.faces == 0 {", "if b.faces == 0 || b.w.part == partCompute {", stencils + "--part compute", wrongCell},
	{"a graph of the other field", "internal/suite/stencil/launch.go",
		"b.exchange(b.fields[k].Memory(), b.fields[1-k].Memory())",
		"b.exchange(b.fields[1-k].Memory(), b.fields[k].Memory())", stencils + "--launch graph", wrongCell},
	{"half of a batch's iterations left out, by ranks", "internal/suite/stencil/mpi.go internal/suite/pic/mpi.go",
		"for range n {", "for range n - n/2 {", halved + "mpi", wrongPlace},
	{"half of a batch's iterations left out, by chares", "internal/suite/stencil/charm.go internal/suite/pic/charm.go",
		"steps{n})", "steps{n - n/2})", halved + "charm", wrongPlace},
	{"no exchange in batches, where faces alone are exchanged", "internal/suite/stencil/share.go",
		"	if err := run(); err != nil {", "	b := w.blocks[0]\n\ttravel, graphs := b.travel, b.graphs\n\tif n > 1 {\n\t\tb.travel, b.graphs = 0, [2]*gpu.Graph{}\n\t}\n" +
			"\terr := run()\n\tb.travel, b.graphs = travel, graphs\n\tif err != nil {", stencils + "--part comm --launch fused,graph", wrongCell},
	{"a message sent from the wrong slot", "internal/suite/pingpong.go",
		"b.comm.Send(b.send[slot], b.peer, tagData); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t}\n\t\tst, err",
		"b.comm.Send(b.recv[slot], b.peer, tagData); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t}\n\t\tst, err",
		"pingpong multi_latency --path host --model mpi -m 64 -i 20 -n 4", `PE \d+: message \d+ from PE \d+, offset \d+: expected 0x\w+, found 0x\w+`},
	{"a window in which the second pair's last message is the first again", "internal/suite/bandwidth.go",
		"b.comm.Isend(b.send[(first+i)%b.use], b.peer, tagData)",
		"b.comm.Isend(b.send[(first+i-b.pair*(i+1)/b.window)%b.use], b.peer, tagData)",
		"multi_bandwidth --path host --model mpi -m 64 -i 20 -n 4", `PE 3: message \d+ from PE 1, offset \d+: expected 0x\w+, found 0x\w+`},
	{"a sum that forgets what there was", "internal/suite/collective/buffers.go",
		"x[i] += y[i]", "x[i] = y[i]", "reduce allreduce reduce_scatter -n 3 --path host -m 64 -i 20",
		`PE \d+: sum of step \d+, offset \d+: expected \d+, found \S+`},
	{"a sum in single precision", "internal/suite/collective/buffers.go",
		"x[i] += y[i]", "x[i] = float64(float32(x[i]) + float32(y[i]))", "reduce allreduce reduce_scatter -n 3 --path host -m 64 -i 20",
		`PE \d+: sum of step \d+, offset \d+: expected \d+, found \S+`},
	{"every second window left out", "internal/suite/bandwidth.go",
		"\t\tif err := side(k * b.window)", "\t\tif k%2 == 1 {\n\t\t\tcontinue\n\t\t}\n\t\tif err := side(k * b.window)",
		"bandwidth multi_bandwidth -n 2 --path host --model mpi -m 64 -i 20", leftOut + "messages"},
	{"half of a batch's collectives left out", "internal/suite/collective/mpi.go internal/suite/collective/charm.go",
		"for i := range n {", "for i := range (n + 1) / 2 {",
		"barrier bcast allreduce -n 3 --path host --model mpi,charm -m 64 -i 40", leftOut + "messages"},
	{"every second copy or pass left out", "internal/suite/device/devcopy.go internal/suite/device/stream.go",
		"for i := lo; i < hi; i++ {", "for i := lo; i < hi; i += 2 {",
		"devcopy stream --device emulated --direction h2d -m 4096 -i 40", leftOut + "(copies|passes)"},
	{"a graph of fewer kernels", "internal/suite/device/devlatency.go",
		"for range b.nodes {", "for range b.nodes / 4 {", "devlatency --device emulated --path direct --latency-of graph -i 40", leftOut + "kernels"},
	{"a task left out that nobody depends on", "internal/suite/taskbench/points.go",
		"func (w *points) execute(q *point, t int) error {\n",
		"func (w *points) execute(q *point, t int) error {\n\tif t == 3 && q.id == 1 {\n\t\treturn nil\n\t}\n",
		tasks + "--pattern trivial --path host", `PE 0: task \(3, 1\): expected before task \(4, 1\), found after it or not at all`},
	{"timed tasks that do half of their work", "internal/suite/taskbench/points.go",
		"step, q.word(q.id), w.iterations(q, t), w.blocks)",
		"step, q.word(q.id), w.iterations(q, t)/map[bool]int64{true: 2, false: 1}[w.check == nil], w.blocks)",
		tasks + "--path host,staged", `PE \d+: .*task \(8, \d\): value \d+ after 3 iterations: expected \S+, found \S+`},
	{"outputs that leave before their tasks are over", "internal/suite/taskbench/mpi.go",
		"err := r.stream.Sync(); err != nil { // outputs", "err := error(nil); err != nil { // outputs",
		tasks + "--model mpi --path staged,direct", wrongInput},
	{"outputs of chares that leave before their tasks are over", "internal/suite/taskbench/charm.go",
		"\t\tafter = ev\n", "\t\tafter = nil\n", tasks + "--model charm --path staged,direct", wrongInput},
	{"a dependence left out", "internal/suite/taskbench/charm.go",
		"ch != nil && inside(s.point, first, n) {", "ch != nil && inside(s.point, first, n) && s.point != b.id+1 {", tasks + "--model charm --path host", wrongInput},
	{"a stale output", "internal/suite/taskbench/mpi.go",
		"ms = append(ms, w.m[parity])", "ms = append(ms, w.m[1-parity])", tasks + "--model mpi --path host,staged", wrongInput},
}

// What a batch that does less than it says is reported as.
const leftOut = `work left out: a batch of \d+ iterations is \d+ `

const tasks = "taskbench --device emulated --width 4 --steps 9 --task-size 3 -i 2 -x 1 "

// What a wrong input of a task is reported as.
const wrongInput = `PE \d+: task \(\d+, \d+\): input from point \d+, offset \d+: expected 0x\w+, found 0x\w+`

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
			dir := t.TempDir()
			replace := map[string]string{}
			for _, name := range strings.Fields(m.file) {
				path := filepath.Join(root, name)
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if n := strings.Count(string(text), m.old); n != 1 {
					t.Fatalf("%q stands %d times in %s: the table is out of date", m.old, n, name)
				}
				replace[path] = filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
				if err := os.WriteFile(replace[path], []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			overlay, err := json.Marshal(map[string]any{"Replace": replace})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(file, overlay, 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "test", "-overlay", file, "-vet=off", "-count=1", "-run", "^TestMutant$", "-v", "./cmd/gpubench")
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
