// What Endpoint costs over inproc, beside the raw mailbox of raw_test.go.

package inproc_test

import (
	"fmt"
	"runtime"
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"

	"golang.org/x/sys/unix"
)

// hostMemory is touched memory outside the Go heap.
func hostMemory(tb testing.TB, n int) gpu.Memory {
	b, err := unix.Mmap(-1, 0, max(n, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { unix.Munmap(b) })
	for i := range b {
		b[i] = byte(i)
	}
	return gpu.HostMemory(b[:n])
}

func open(tb testing.TB, w *inproc.World, rank int) *transport.Endpoint {
	d, err := w.Driver(rank, nil)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := transport.New(d, transport.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func BenchmarkPingPong(b *testing.B) {
	for _, size := range []int{8, 64, 256, 1 << 10, 2 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) { pingPong(b, size) })
	}
}

func pingPong(b *testing.B, size int) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	w := inproc.NewWorld(2)
	mine, theirs := hostMemory(b, size), hostMemory(b, size)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		e := open(b, w, 1)
		defer e.Close()
		for range b.N + 100 {
			if _, err := e.Recv(transport.CtxModel, theirs, 0, 1); err != nil {
				done <- err
				return
			}
			if err := e.Send(transport.CtxModel, theirs, 0, 1); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e := open(b, w, 0)
	defer e.Close()
	for i := range b.N + 100 {
		if i == 100 {
			b.ResetTimer()
		}
		if err := e.Send(transport.CtxModel, mine, 1, 1); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Recv(transport.CtxModel, mine, 1, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/oneway")
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHeader is half the round trip of an active message of 8 B.
func BenchmarkHeader(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	w := inproc.NewWorld(2)
	h := make([]byte, 8)
	bounce := func(e *transport.Endpoint, first bool, n int) error {
		buf := make([]byte, e.Caps().MaxHeader)
		for range n {
			if first {
				if err := e.SendHeader(1, h); err != nil {
					return err
				}
			}
			for ok := false; !ok; {
				var err error
				if _, _, ok, err = e.RecvHeader(buf); err != nil {
					return err
				}
			}
			if !first {
				if err := e.SendHeader(0, h); err != nil {
					return err
				}
			}
		}
		return nil
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		e := open(b, w, 1)
		defer e.Close()
		done <- bounce(e, false, b.N)
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e := open(b, w, 0)
	defer e.Close()
	b.ResetTimer()
	if err := bounce(e, true, b.N); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/oneway")
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
