package collective

import (
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"gpubench/gpu"
	"gpubench/gpu/gputest"
	"gpubench/gpu/nccl"
	"gpubench/internal/bench"
	"gpubench/internal/library/librarytest"
	"gpubench/internal/result"
	"gpubench/kernels"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

// TestNCCL runs the tests below over a double of NCCL (gpu/nccl/testdata), which needs the emulated driver as a library.
func TestNCCL(t *testing.T) {
	if gpu.EmulatedPath() != "" {
		t.Skip("this is that process")
	}
	double := filepath.Join(t.TempDir(), "libnccl.so.2")
	librarytest.Compile(t, double, "-std=gnu11", "-O1", "-fvisibility=hidden", "../../../gpu/nccl/testdata/double.c")
	t.Setenv(nccl.EnvLibrary, double)
	t.Setenv("GPUBENCH_EMU_DEVICES", "3")
	gputest.OnShared(t, librarytest.Emulated(t), "^TestDouble", 2)
}

// onPEs runs body on n PEs, each a thread with the emulated device that pick names.
func onPEs(t *testing.T, n int, pick func(rank int) int, body func(pe *bench.PE) error) error {
	t.Helper()
	if old := runtime.GOMAXPROCS(0); old < n+2 {
		runtime.GOMAXPROCS(n + 2)
		defer runtime.GOMAXPROCS(old)
	}
	w := inproc.NewWorld(n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for rank := range n {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if errs[rank] = onPE(w, n, rank, pick(rank), body); errs[rank] != nil {
				w.Kill(rank)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func onPE(w *inproc.World, n, rank, ordinal int, body func(pe *bench.PE) error) (err error) {
	keep := func(f func() error) { err = errors.Join(err, f()) }
	dev, err := gpu.Open(gpu.Emulated, ordinal, gpu.Options{Threads: 1, Wait: gpu.Yield})
	if err != nil {
		return err
	}
	defer keep(dev.Close)
	if err := dev.Bind(); err != nil {
		return err
	}
	defer dev.Unbind()
	defer keep(func() error { return kernels.Unload(dev) })
	d, err := w.Driver(rank, dev)
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Device: dev, Yield: true})
	if err != nil {
		return err
	}
	defer keep(ep.Close)
	if err := ep.SetPath(transport.PathConfig{Path: transport.Direct}); err != nil {
		return err
	}
	return body(&bench.PE{Rank: rank, Size: n, Device: dev, Endpoint: ep, Oversubscribed: true})
}

var ncclParams = result.Params{"size_bytes": int64(24000), "size_is": "per_pe", "pes": int64(3), "space": "device", "pages": "default",
	"buffers": "same", "collective": byNCCL, "model": "mpi", "transport": "inproc", "path": "direct"}

// Every collective's calls move what they should, from every root.
func TestDouble(t *testing.T) {
	if gpu.EmulatedPath() == "" {
		t.Skip("TestNCCL runs this")
	}
	err := onPEs(t, 3, func(rank int) int { return rank }, func(pe *bench.PE) error {
		for _, c := range table[1:] {
			b, err := newMPI(c, pe, ncclParams)
			if err != nil {
				return err
			}
			g, clk := b.(bench.Guard), &bench.Clock{}
			err = errors.Join(g.Poison(), b.Batch(3, clk))
			timed, inspected := g.Inspect()
			checked, failed := b.Check()
			if err = errors.Join(err, inspected, failed, b.Close()); err != nil {
				return err
			}
			if _, ok := clk.Elapsed(); timed.Errors+checked.Errors > 0 || checked.Checked == 0 || !ok {
				t.Errorf("%s: %+v, %+v, timed: %v", c.name, timed, checked, ok)
			}
			if _, peer := b.(bench.Prober).Probe(); peer != bench.Elsewhere {
				t.Errorf("%s: NCCL's data are said to be messages of the transport", c.name)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// PEs that share a GPU are refused, by all alike and with the reason.
func TestDoubleSharedGPU(t *testing.T) {
	if gpu.EmulatedPath() == "" {
		t.Skip("TestNCCL runs this")
	}
	i := slices.IndexFunc(table, func(c *collective) bool { return c.name == "allreduce" })
	refused := 0
	var mu sync.Mutex
	err := onPEs(t, 3, func(int) int { return 0 }, func(pe *bench.PE) error {
		_, err := newMPI(table[i], pe, ncclParams)
		mu.Lock()
		defer mu.Unlock()
		if errors.Is(err, errors.ErrUnsupported) && strings.Contains(err.Error(), "Duplicate GPU") && strings.Contains(err.Error(), "a GPU of its own for each PE") {
			refused++
			return nil
		}
		return err
	})
	if err != nil || refused != 3 {
		t.Errorf("%d PEs were refused, %v", refused, err)
	}
}

// Where NCCL cannot be, the case is skipped with the reason.
func TestNoNCCL(t *testing.T) {
	if gpu.EmulatedPath() != "" {
		t.Skip("here it is")
	}
	t.Setenv(nccl.EnvLibrary, "/nowhere/libnccl.so.2")
	for driver, want := range map[gpu.Driver]string{gpu.CPU: "device memory", gpu.Emulated: "real GPUs", gpu.CUDA: "/nowhere/libnccl.so.2: "} {
		if _, err := nccl.Open(driver); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", driver, err)
		}
	}
}
