package suite

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// addingMain is what runs docs/ADDING.md's benchmark: as a test of this
// package, over inproc.
const addingMain = `package suite

import (
	"runtime"
	"sync"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

func TestTheDocumentedBenchmark(t *testing.T) {
	bench.NewRegistry(token)
	const n = 3
	runtime.GOMAXPROCS(n + 1)
	w := inproc.NewWorld(n)
	var wg sync.WaitGroup
	for rank := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			dev, err := gpu.Open(gpu.CPU, 0, gpu.Options{Threads: 1})
			if err == nil {
				err = dev.Bind()
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer dev.Close()
			d, err := w.Driver(rank, dev)
			if err != nil {
				t.Error(err)
				return
			}
			ep, err := transport.New(d, transport.Config{Device: dev, Yield: true})
			if err != nil {
				t.Error(err)
				return
			}
			defer ep.Close()
			pe := &bench.PE{Rank: rank, Size: n, Device: dev, Endpoint: ep, Control: bench.NewControl(ep), Oversubscribed: true}
			p := result.Params{"model": "mpi", "path": "host", "device": "cpu", "transport": "inproc", "pes": int64(n),
				"iterations": int64(50), "warmup": int64(2), "validate": true, "space": "pageable"}
			rec, err := bench.Run(pe, token, bench.Case{Params: p})
			if err != nil {
				t.Error(err)
			}
			if rank == 0 && (rec.Status != result.OK || rec.Metrics["latency"].Median <= 0 || rec.Validation.Checked == 0) {
				t.Errorf("%s %s %+v", rec.Status, rec.Reason, rec.Validation)
			}
		}()
	}
	wg.Wait()
}

`

// The worked example of docs/ADDING.md compiles and runs.
func TestAddingABenchmark(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a test program")
	}
	text, err := os.ReadFile("../../docs/ADDING.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("docs/ADDING.md has no example")
	}
	source := addingMain
	for _, b := range blocks {
		source += b[1] + "\n"
	}
	// The virtual file stands in this package; the tree is left alone.
	dir := t.TempDir()
	file := filepath.Join(dir, "adding_example_test.go")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "adding_example_test.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "test", "-overlay", list, "-count=1", "-run", "^TestTheDocumentedBenchmark$", "-v", ".").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestTheDocumentedBenchmark") {
		t.Fatalf("docs/ADDING.md's example: %v\n%s", err, out)
	}
}
