// Conformance over real MPI: transporttest's steps, each rank a process.
package libmpi

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gpubench/internal/launch"
	"gpubench/internal/library/librarytest"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["suite"] = suitePart
	parts["last"] = lastPart
}

// suitePart runs the steps. With the argument "device" there is an emulated one, and so the staged paths; with
// "direct=PATH" it is the shared object at PATH, and device memory goes to MPI; "cgo" does without short crossings.
func suitePart(arg string) error {
	job, _ := launch.Joined(os.Getenv)
	dev, err := transporttest.OpenDevice(arg, job.Rank)
	if err != nil {
		return err
	}
	d, err := openCalls(Options{Device: transporttest.Given(arg)}, arg)
	if err != nil {
		return err
	}
	return transporttest.RunProcess(d, dev, d.Oversubscribed(), transporttest.Given(arg))
}

// lastPart runs one step that ends a PE; its rank closes as soon as it is through.
func lastPart(arg string) error {
	d, err := openTest(Options{})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: transporttest.Deadline, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	for _, s := range transporttest.Suite {
		if s.Name != arg {
			continue
		}
		if err := s.Run(transporttest.NewPE(ep)); err != nil {
			return fmt.Errorf("rank %d: %w", ep.Rank(), err)
		}
		if ep.Rank() == 0 {
			fmt.Println("passed", arg)
		}
		return ep.Close()
	}
	return fmt.Errorf("no step is called %q", arg)
}

// stagedWays are what must be tried with a device.
var stagedWays = []string{
	"pipelined (pinned, chunk 4096) device to device", "pipelined (pageable, chunk 100000) device to device", "simple (pinned, chunk 0) device to device",
	"pipelined (pinned, chunk 4096) managed to managed", "simple (pinned, chunk 0) managed to managed", "simple (pinned, chunk 0) managed to device",
	"pipelined (pageable, chunk 100000) device to pageable", "simple (pinned, chunk 0) pinned to device",
}

func TestSuite(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		for _, c := range []struct {
			ranks int
			arg   string
			steps string // words of their names, all if empty
		}{{1, "", ""}, {2, "device", ""}, {3, "device", "any all itself"}, {4, "", ""}} {
			t.Run(fmt.Sprint(c.ranks, c.arg), func(t *testing.T) {
				if c.steps != "" && os.Getenv("GPUBENCH_TEST_STEPS") == "" {
					t.Setenv("GPUBENCH_TEST_STEPS", c.steps)
				}
				out := m.ok(t, c.ranks, "suite", c.arg)
				for _, s := range transporttest.Suite {
					if s.PEs <= c.ranks && !s.Last && os.Getenv("GPUBENCH_TEST_STEPS") == "" && !strings.Contains(out, s.Name) {
						t.Errorf("step %q was not run:\n%s", s.Name, out)
					}
				}
				for _, way := range stagedWays {
					if n := strings.Count(out, "way: staged "+way); (n == 1) != (c.arg == "device") {
						t.Errorf("%q was tried %d times:\n%s", way, n, out)
					}
				}
				t.Log("\n" + out)
			})
		}
	})
}

// TestDirect: all steps with device, managed, pinned and pageable memory given to Open MPI over a UCX with CUDA, on the
// emulated driver.
func TestDirect(t *testing.T) {
	m, path := theMPI(t, launch.OpenMPI), transporttest.DirectDriver(func() string { return librarytest.Emulated(t) })
	ucx := launch.CUDAUCX(librarytest.Setup)
	if ucx == "" {
		if os.Getenv("GPUBENCH_REQUIRE_UCX") == "1" {
			t.Fatal("GPUBENCH_REQUIRE_UCX=1, but there is no UCX with CUDA")
		}
		t.Skip("no UCX with CUDA")
	}
	for _, kv := range [][2]string{{"LD_LIBRARY_PATH", ucx}, {"OMPI_MCA_pml", "ucx"}, {"OMPI_MCA_pml_ucx_tls", "any"}, {"OMPI_MCA_pml_ucx_devices", "any"}} {
		t.Setenv(kv[0], kv[1])
	}
	numbers := []int{2, 4}
	if testing.Short() { // under the race detector
		numbers = []int{2}
	}
	for _, ranks := range numbers {
		t.Run(fmt.Sprint(ranks), func(t *testing.T) {
			out := m.ok(t, ranks, "suite", "direct="+path, "passed ")
			for _, way := range transporttest.DirectWays {
				if !strings.Contains(out, "way: "+way+"\n") {
					t.Errorf("%q was not tried", way)
				}
			}
			t.Log("\n" + out)
		})
	}
}

// TestSuiteWithoutShortCrossings is what runs on other processors.
func TestSuiteWithoutShortCrossings(t *testing.T) {
	theMPI(t, launch.OpenMPI).ok(t, 2, "suite", "cgo", "passed headers", "passed order", "passed sizes")
}

func TestClosedPeer(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		for _, ranks := range []int{2, 3} {
			for _, step := range []string{"a closed peer", "a closed peer, probed"} {
				m.ok(t, ranks, "last", step, "passed")
			}
		}
	})
}
