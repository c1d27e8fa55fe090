// Running the steps: in threads, or as one process of many.

package transporttest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"gpubench/runtimes/transport"
)

// Step is one thing that a transport must do. Every PE runs it; it must leave no message behind.
type Step struct {
	Name string
	PEs  int  // how many it needs; 0 and 1: any number
	Last bool // it ends PEs: nothing can follow in the same world
	Run  func(pe *PE) error
}

// errSkip is returned by steps that cannot be run here.
type skipError struct{ why string }

func (s skipError) Error() string { return "skipped: " + s.why }

// World opens PEs that are threads of this process.
type World struct {
	PEs  int
	Open func(rank int) (ep *transport.Endpoint, done func(), err error) // on the PE's locked thread; done comes after Close
	Kill func(rank int)                                                  // nil where that cannot be
}

// Run runs every step in a world of its own.
func Run(t *testing.T, newWorld func(t *testing.T, n int) World) {
	for _, s := range Suite {
		t.Run(s.Name, func(t *testing.T) {
			for _, n := range []int{2, 3} {
				if n < s.PEs || n == 3 && s.PEs < 3 && s.PEs > 0 {
					continue
				}
				runThreads(t, s, newWorld(t, n))
			}
		})
	}
}

// runThreads runs one step and reports what each PE says.
func runThreads(t *testing.T, s Step, w World) {
	t.Helper()
	errs := make([]error, w.PEs)
	done := make(chan int)
	old := runtime.GOMAXPROCS(0)
	if old < w.PEs+1 {
		runtime.GOMAXPROCS(w.PEs + 1)
		defer runtime.GOMAXPROCS(old)
	}
	for rank := range w.PEs {
		go func() {
			defer func() { done <- rank }()
			runtime.LockOSThread() // never unlocked: the thread ends with the PE
			errs[rank] = runThread(s, w, rank)
		}()
	}
	for range w.PEs {
		<-done
	}
	for rank, err := range errs {
		var skip skipError
		if errors.As(err, &skip) {
			t.Skipf("PE %d of %d: %s", rank, w.PEs, skip.why)
		}
		if err != nil {
			t.Errorf("PE %d of %d: %v", rank, w.PEs, err)
		}
	}
}

func runThread(s Step, w World, rank int) (err error) {
	ep, done, err := w.Open(rank)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer done()
	pe := NewPE(ep)
	pe.Kill = w.Kill
	defer func() {
		if err == nil && !s.Last {
			err = pe.sync() // nobody may close while others still wait for its messages
		}
		err = errors.Join(err, ep.Close(), pe.release())
	}()
	return s.Run(pe)
}

// RunRank runs the steps, one after the other, as one PE of a running job. report is called once a step on every PE; err
// is nil for success. After a failure on any PE the rest is not run, since what was left under way may reach the next step.
func RunRank(ep *transport.Endpoint, steps []Step, report func(step string, took time.Duration, err error)) error {
	pe := NewPE(ep)
	for _, s := range steps {
		if s.PEs > ep.Size() || s.Last {
			continue
		}
		began := time.Now()
		err := s.Run(pe)
		var skip skipError
		skipped := errors.As(err, &skip)
		report(s.Name, time.Since(began), err)
		failed, berr := pe.barrier(err != nil && !skipped)
		if err := errors.Join(berr, ep.SetPath(transport.PathConfig{}), pe.release()); err != nil {
			return fmt.Errorf("after step %s: %w", s.Name, err)
		}
		if failed {
			return fmt.Errorf("step %s failed on some PE", s.Name)
		}
	}
	return nil
}

// IsSkip reports whether a step's error says that it cannot be run here.
func IsSkip(err error) bool {
	var skip skipError
	return errors.As(err, &skip)
}

// Select are the steps whose name contains one of the words of the environment variable, all if it is empty.
func Select(variable string) []Step {
	words := strings.Fields(os.Getenv(variable))
	if len(words) == 0 {
		return Suite
	}
	var out []Step
	for _, s := range Suite {
		for _, w := range words {
			if strings.Contains(s.Name, w) {
				out = append(out, s)
				break
			}
		}
	}
	return out
}
