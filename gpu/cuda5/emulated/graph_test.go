//go:build cgo

// Capture and graphs: what becomes a node, what spoils a capture and with which answer, and launches of the result.

package emulated_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/barnex/cuda5/cu"
)

// capturing runs f while s is captured and returns the graph, or what EndCapture panicked with.
func capturing(s cu.Stream, mode cu.CaptureMode, f func()) (g cu.Graph, r cu.Result) {
	cu.StreamBeginCapture(s, mode)
	f()
	r = fails(func() { g = cu.StreamEndCapture(s) })
	return g, r
}

// A graph over two streams with copies, fills, kernels and a function gives the same each time that it is launched.
func TestGraph(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		a, b := cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING), cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
		defer cu.StreamDestroy(&a)
		defer cu.StreamDestroy(&b)
		fork, join := cu.EventCreate(cu.EVENT_DISABLE_TIMING), cu.EventCreate(cu.EVENT_DISABLE_TIMING)
		defer cu.EventDestroy(&fork)
		defer cu.EventDestroy(&join)
		m := module()
		defer cu.ModuleUnload(&m)
		f := m.GetFunction("test_add")
		p := cu.MemAlloc(1600)
		defer p.Free()
		h := pinned(100)
		defer free(h)
		var calls atomic.Int64
		args := []uint64{dptr(p), 100, 3}
		g, r := capturing(a, cu.STREAM_CAPTURE_MODE_GLOBAL, func() {
			if s := cu.StreamIsCapturing(a); s != cu.STREAM_CAPTURE_STATUS_ACTIVE {
				t.Errorf("the capturing stream says %v", s)
			}
			cu.MemsetD8Async(p, 0, 1600, a)
			cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, a, args)
			args[2] = 1000 // the parameters are those of the call
			cu.EventRecord(fork, a)
			cu.StreamWaitEvent(b, fork)
			if s := cu.StreamIsCapturing(b); s != cu.STREAM_CAPTURE_STATUS_ACTIVE {
				t.Errorf("the stream that joined says %v", s)
			}
			cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, b, []uint64{dptr(p), 50, 4})
			cu.MemcpyDtoDAsync(p+800, p, 400, b)
			cu.LaunchHostFunc(a, func() { calls.Add(1) })
			cu.EventRecord(join, b)
			cu.StreamWaitEvent(a, join)
			cu.MemcpyDtoHAsync(ptr(h), p, 800, a)
			if h[0] != 0 || calls.Load() != 0 {
				t.Error("something ran during the capture")
			}
		})
		if r != cu.SUCCESS {
			t.Fatal(r)
		}
		if n := cu.GraphGetNodeCount(g); n != 6 {
			t.Errorf("%d nodes, want 6", n)
		}
		x := cu.GraphInstantiate(g)
		cu.GraphDestroy(&g)
		for i := range int64(3) {
			clear(h)
			cu.GraphLaunch(x, a)
			a.Synchronize()
			check(t, equal(h, func(i int) int64 {
				if i < 50 {
					return 7
				}
				return 3
			}))
			if calls.Load() != i+1 {
				t.Errorf("the function ran %d times in %d launches", calls.Load(), i+1)
			}
		}
		if d == double { // a launch is asynchronous, and the graph may go meanwhile
			open := gate(a)
			cu.GraphLaunch(x, a)
			still(t, "launch", a.Query())
			cu.GraphExecDestroy(&x)
			open()
			a.Synchronize()
			if calls.Load() != 4 {
				t.Error("a launch was lost with its graph")
			}
		} else {
			cu.GraphExecDestroy(&x)
		}
	})
}

// What a capture forbids spoils it: the call has its answer, the end says "invalidated", and the stream works again.
func TestSpoiltCaptures(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		s, other := cu.StreamCreate(), cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
		defer cu.StreamDestroy(&s)
		defer cu.StreamDestroy(&other)
		p, h := cu.MemAlloc(64), pinned(8)
		defer p.Free()
		defer free(h)
		e, outside := cu.EventCreate(0), cu.EventCreate(0)
		defer cu.EventDestroy(&e)
		defer cu.EventDestroy(&outside)
		cu.EventRecord(outside, other)
		for _, c := range []struct {
			what string
			call func()
			r    cu.Result
		}{
			{"synchronize", func() { s.Synchronize() }, cu.ERROR_STREAM_CAPTURE_UNSUPPORTED},
			{"query", func() {
				if r := s.Query(); r != cu.SUCCESS {
					panic(r)
				}
			}, cu.ERROR_STREAM_CAPTURE_UNSUPPORTED},
			{"allocate", func() { cu.MemAlloc(8) }, cu.ERROR_STREAM_CAPTURE_UNSUPPORTED},
			{"whole context", cu.CtxSynchronize, cu.ERROR_STREAM_CAPTURE_UNSUPPORTED},
			{"default stream", func() { cu.MemsetD8(p, 0, 64) }, cu.ERROR_STREAM_CAPTURE_IMPLICIT},
			{"event from outside", func() { cu.StreamWaitEvent(s, outside) }, cu.ERROR_STREAM_CAPTURE_ISOLATION},
			{"query of a captured event", func() {
				cu.EventRecord(e, s)
				if r := e.Query(); r != cu.SUCCESS {
					panic(r)
				}
			}, cu.ERROR_CAPTURED_EVENT},
		} {
			_, r := capturing(s, cu.STREAM_CAPTURE_MODE_GLOBAL, func() {
				want(t, c.what, c.call, c.r)
				if got := cu.StreamIsCapturing(s); got != cu.STREAM_CAPTURE_STATUS_INVALIDATED {
					t.Errorf("%s: the stream says %v afterwards", c.what, got)
				}
				want(t, c.what+", work after it", func() { cu.MemsetD8Async(p, 0, 8, s) }, cu.ERROR_STREAM_CAPTURE_INVALIDATED)
			})
			if r != cu.ERROR_STREAM_CAPTURE_INVALIDATED {
				t.Errorf("%s: the end says %v", c.what, r)
			}
			cu.MemsetD8Async(p, 1, 64, s)
			s.Synchronize()
		}
	})
}

func TestCaptureEnds(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		s, other := cu.StreamCreate(), cu.StreamCreate()
		defer cu.StreamDestroy(&s)
		defer cu.StreamDestroy(&other)
		p := cu.MemAlloc(64)
		defer p.Free()
		e := cu.EventCreate(cu.EVENT_DISABLE_TIMING)
		defer cu.EventDestroy(&e)
		want(t, "end without begin", func() { cu.StreamEndCapture(s) }, cu.ERROR_ILLEGAL_STATE)
		want(t, "default stream", func() { cu.StreamBeginCapture(0, cu.STREAM_CAPTURE_MODE_GLOBAL) }, cu.ERROR_STREAM_CAPTURE_UNSUPPORTED)
		_, r := capturing(s, cu.STREAM_CAPTURE_MODE_GLOBAL, func() {
			want(t, "begin twice", func() { cu.StreamBeginCapture(s, cu.STREAM_CAPTURE_MODE_GLOBAL) }, cu.ERROR_ILLEGAL_STATE)
			cu.MemsetD8Async(p, 0, 64, s)
			cu.EventRecord(e, s)
			cu.StreamWaitEvent(other, e)
			cu.MemsetD8Async(p, 0, 64, other) // nobody waits for it
		})
		if r != cu.ERROR_STREAM_CAPTURE_UNJOINED {
			t.Errorf("a branch that was not joined: %v", r)
		}
		cu.EventRecord(e, s) // used again, it is like new
		e.Synchronize()

		// Memory may be allocated beside a relaxed capture, and by a thread that asks for it.
		g, r := capturing(s, cu.STREAM_CAPTURE_MODE_RELAXED, func() {
			q := cu.MemAlloc(64)
			q.Free()
			done := make(chan cu.Result)
			ctx := cu.CtxGetCurrent()
			go func() {
				runtime.LockOSThread()
				d.MakeCurrent()
				cu.CtxSetCurrent(ctx)
				done <- fails(func() { q := cu.MemAlloc(64); q.Free() })
			}()
			if r := <-done; r != cu.SUCCESS {
				t.Errorf("another thread beside a relaxed capture: %v", r)
			}
		})
		if r != cu.SUCCESS || cu.GraphGetNodeCount(g) != 0 {
			t.Errorf("empty capture: %v", r)
		}
		cu.GraphDestroy(&g)
		cu.StreamBeginCapture(s, cu.STREAM_CAPTURE_MODE_GLOBAL)
		was := cu.ThreadExchangeStreamCaptureMode(cu.STREAM_CAPTURE_MODE_RELAXED)
		q := cu.MemAlloc(64)
		q.Free()
		if again := cu.ThreadExchangeStreamCaptureMode(was); again != cu.STREAM_CAPTURE_MODE_RELAXED || was != cu.STREAM_CAPTURE_MODE_GLOBAL {
			t.Errorf("modes %v, %v", was, again)
		}
		g = cu.StreamEndCapture(s)
		cu.GraphDestroy(&g)

		// A destroyed stream takes its capture along; others allocate again.
		lost := cu.StreamCreate()
		cu.StreamBeginCapture(lost, cu.STREAM_CAPTURE_MODE_GLOBAL)
		cu.MemsetD8Async(p, 0, 64, lost)
		lost.Destroy()
		q = cu.MemAlloc(64)
		q.Free()
	})
}

// Two launches of one graph do not run at the same time, even on two streams.
func TestGraphLaunchesExclude(t *testing.T) {
	with(t, double, func() {
		a, b := cu.StreamCreate(), cu.StreamCreate()
		defer cu.StreamDestroy(&a)
		defer cu.StreamDestroy(&b)
		var inside, most atomic.Int64
		g, r := capturing(a, cu.STREAM_CAPTURE_MODE_GLOBAL, func() {
			cu.LaunchHostFunc(a, func() {
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Millisecond)
				inside.Add(-1)
			})
		})
		if r != cu.SUCCESS {
			t.Fatal(r)
		}
		x := cu.GraphInstantiate(g)
		cu.GraphDestroy(&g)
		for range 5 {
			cu.GraphLaunch(x, a)
			cu.GraphLaunch(x, b)
		}
		cu.CtxSynchronize()
		cu.GraphExecDestroy(&x)
		if most.Load() != 1 {
			t.Errorf("%d launches at the same time", most.Load())
		}
	})
}
