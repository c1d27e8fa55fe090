package libucx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpubench/runtimes/transport/transporttest"
)

// TestNoShim has one clear line for each thing that a path can be instead of a shim.
func TestNoShim(t *testing.T) {
	transporttest.NoShim(t, "gb_ucx_table", abi, "ucp_cleanup", func(path string) error {
		_, err := Inspect(path)
		return err
	}, func(err error) string {
		var le *LoadError
		if !errors.As(err, &le) {
			return ""
		}
		return le.Path
	})
}

func TestIdentify(t *testing.T) {
	with, without := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(with, "libuct_cuda.so.0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		version, modules, want, why string
		cuda                        bool
	}{
		{"1.22.0 1.22", with, "UCX 1.22.0", "libuct_cuda.so.0", true},
		{"1.22.0 1.13", without, "UCX 1.22.0", "without CUDA (no libuct_cuda in " + without, false},
		{"2.0.1 1.22", "", "UCX 2.0.1", "without CUDA (no libuct_cuda in /nowhere/lib/ucx", false},
		{"1.13.1 1.22", with, "", "finds UCX 1.13.1 (/nowhere/lib/libucp.so.0)", false},
		{"0.9.0 1.0", with, "", "finds UCX 0.9.0", false},
	} {
		l, err := identify("shim", c.version, "/nowhere/lib/libucp.so.0", c.modules)
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%q: %v", c.version, err)
			}
			continue
		}
		if err != nil || l.Version != c.want || l.CUDA != c.cuda || !strings.Contains(l.CUDAWhy, c.why) || !strings.Contains(l.Full, c.want) {
			t.Errorf("%q: %+v, %v", c.version, l, err)
		}
	}
}

func init() {
	parts["inspect"] = func(string) error {
		l, err := Inspect(os.Getenv(shimEnv))
		fmt.Printf("cuda %v, %s\n", l.CUDA, l.Full)
		return err
	}
	parts["open"] = func(arg string) error {
		d, err := openTest(Options{}, arg)
		if err != nil {
			return err
		}
		fmt.Println("transports", len(d.Transports()), d.Transports())
		return d.Close()
	}
}

// TestInspect: the shim finds the library that it was built for, or the one that LD_LIBRARY_PATH names.
func TestInspect(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		out := u.ok(t, 1, "inspect", "", "cuda ")
		if !strings.Contains(out, "UCX 1.") || !strings.Contains(out, u.folder+"/") && u.folder != "/usr" {
			t.Error(out)
		}
	})
	if len(found.all) == 2 {
		j := found.all[1].start(t, 1, "inspect", "", "LD_LIBRARY_PATH="+filepath.Join(found.all[0].folder, "lib"))
		if status := j.wait(t, time.Minute); status[0] != 0 || !strings.Contains(j.text(), found.all[0].folder) {
			t.Errorf("LD_LIBRARY_PATH does not count: status %d\n%s", status[0], j.text())
		}
	}
}

// TestNoTransport: where UCX does not start on one PE, all say so, and none waits for it.
func TestNoTransport(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		j := u.start(t, 2, "open", "", "UCX_TLS=nonsense", "UCX_LOG_LEVEL=fatal")
		began := time.Now()
		for rank, status := range j.wait(t, time.Minute) {
			if out := j.out[rank].String(); status != 1 || !strings.HasPrefix(out, "ucx: PE ") || strings.Count(out, "\n") != 1 {
				t.Errorf("PE %d: status %d: %s", rank, status, out)
			}
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestTransports: shared memory within a node, another way between nodes, as far as UCX tells.
func TestTransports(t *testing.T) {
	u := theUCX(t)
	if strings.Contains(u.ok(t, 1, "inspect", ""), "UCX 1.13") {
		t.Skip("UCX 1.13 does not tell")
	}
	for arg, want := range map[string]bool{"": true, "apart": false} {
		out := u.ok(t, 2, "open", arg, "transports ")
		if shared := strings.Contains(out, "sysv/memory") || strings.Contains(out, "posix/memory"); shared != want || strings.Contains(out, "transports 0") {
			t.Errorf("%q: %s", arg, out)
		}
	}
}
