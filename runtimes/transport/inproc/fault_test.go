// Devices that fail, stall and are late: in child processes, since the emulated driver reads its faults once.

package inproc_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

const childEnv = "GPUBENCH_TEST_INPROC_CHILD" // the path that the child's messages take

// TestChild is the child: two PEs send each other device memory and say what came of it.
func TestChild(t *testing.T) {
	path, ok := os.LookupEnv(childEnv)
	if !ok {
		t.Skip("only as a child of TestDeviceFaults")
	}
	runtime.GOMAXPROCS(3)
	w := inproc.NewWorld(2)
	var said [2]string
	done := make(chan int)
	for rank := range 2 {
		go func() {
			defer func() { done <- rank }()
			runtime.LockOSThread()
			err := faultyPE(w, rank, path)
			said[rank] = fmt.Sprintf("PE %d: %v", rank, err)
			if err != nil {
				w.Kill(rank) // as a runner does
			}
		}()
	}
	<-done
	<-done
	fmt.Println(said[0])
	fmt.Println(said[1])
}

// faultyPE sends and receives 8 messages; their content is checked on the host.
func faultyPE(w *inproc.World, rank int, path string) (err error) {
	dev, closeDevice, err := openDevice(gpu.Emulated, 0)
	if err != nil {
		return err
	}
	defer closeDevice() // a device that was lost says so again
	d, err := w.Driver(rank, dev)
	if err != nil {
		return err
	}
	e, err := transport.New(d, transport.Config{Device: dev, Deadline: 5 * time.Second, Yield: true})
	if err != nil {
		return err
	}
	defer e.Close()
	p := transport.PathConfig{Path: transport.Direct}
	if path == "staged" {
		p = transport.PathConfig{Path: transport.Staged, StagingSpace: gpu.Pinned, Chunk: 40000}
	}
	if err := e.SetPath(p); err != nil {
		return err
	}
	const n = 100000
	var m [2]gpu.Memory
	for i, s := range []gpu.Space{gpu.OnDevice, gpu.Pinned} {
		b, err := dev.Alloc(s, n, gpu.DefaultPages)
		if err != nil {
			return err
		}
		defer b.Free()
		m[i] = b.Memory()
	}
	for i := range 8 {
		if (i+rank)%2 == 0 {
			// The device's memory is filled through a message to itself, so that only transport copies are counted.
			for k := range m[1].Bytes() {
				m[1].Bytes()[k] = byte(k + i)
			}
			if err := relay(e, m[0], m[1], rank); err != nil {
				return fmt.Errorf("message %d, filling: %w", i, err)
			}
			if err := e.Send(1, m[0], 1-rank, i); err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
			continue
		}
		if _, err := e.Recv(1, m[0], 1-rank, i); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if err := relay(e, m[1], m[0], rank); err != nil {
			return fmt.Errorf("message %d, reading: %w", i, err)
		}
		for k, b := range m[1].Bytes() {
			if b != byte(k+i) {
				return fmt.Errorf("message %d: byte %d is wrong", i, k)
			}
		}
	}
	return nil
}

func relay(e *transport.Endpoint, to, from gpu.Memory, me int) error {
	r, err := e.Irecv(1, to, me, 100)
	if err != nil {
		return err
	}
	s, err := e.Isend(1, from, me, 100)
	if err != nil {
		return err
	}
	return e.WaitAll([]transport.Request{r, s})
}

func TestDeviceFaults(t *testing.T) {
	const fine = "PE 0: <nil>\nPE 1: <nil>\n"
	for _, path := range []string{"direct", "staged"} {
		for env, want := range map[string][]string{
			"GPUBENCH_EMU_DELAY_US=2000":     {fine},
			"GPUBENCH_EMU_STALL=op:5:200":    {fine},
			"GPUBENCH_EMU_FAIL=copy:3:1":     {"cuMemcpyAsync: CUDA_ERROR_INVALID_VALUE (1)", "copy of ", " B"},
			"GPUBENCH_EMU_FAIL=copy:3:719":   {"CUDA_ERROR_LAUNCH_FAILED (719)", "copy of ", " B"},
			"GPUBENCH_EMU_LOSE=9":            {"CUDA_ERROR_UNKNOWN (999)"},
			"GPUBENCH_EMU_FLIP=copy:4-:50:0": {"is wrong"},
			"GPUBENCH_EMU_FAIL=alloc:2:2":    {"CUDA_ERROR_OUT_OF_MEMORY (2)"},
		} {
			t.Run(path+" "+env, func(t *testing.T) {
				cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=60s")
				cmd.Env = append(os.Environ(), childEnv+"="+path, env)
				began := time.Now()
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				for _, w := range want {
					if !strings.Contains(string(out), w) {
						t.Errorf("%q is missing in:\n%s", w, out)
					}
				}
				if err != nil {
					t.Errorf("the child ended with %v:\n%s", err, out)
				}
				if took := time.Since(began); took > 40*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
	}
}
