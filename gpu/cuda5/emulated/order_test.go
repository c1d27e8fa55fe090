//go:build cgo

// Order: what runs after what, what runs beside the caller, and what handles mean once they are gone.

package emulated_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
)

// pinned is n words of page-locked memory.
func pinned(n int) []int64 { return unsafe.Slice((*int64)(cu.MemHostAlloc(int64(8*n), 0)), n) }

func free(x []int64) { cu.MemFreeHost(ptr(x)) }

// gate holds a stream until open is called.
func gate(s cu.Stream) (open func()) {
	c := make(chan bool)
	cu.LaunchHostFunc(s, func() { <-c })
	return sync.OnceFunc(func() { close(c) })
}

func still(t *testing.T, what string, r cu.Result) {
	t.Helper()
	time.Sleep(5 * time.Millisecond)
	if r != cu.ERROR_NOT_READY {
		t.Errorf("%s: %v, want CUDA_ERROR_NOT_READY", what, r)
	}
}

// A stream runs beside the caller, in order, and tells when it is done.
func TestAsynchronous(t *testing.T) {
	with(t, double, func() {
		s := cu.StreamCreate()
		defer cu.StreamDestroy(&s)
		p := cu.MemAlloc(64)
		defer p.Free()
		e := cu.EventCreate(0)
		defer cu.EventDestroy(&e)
		h := pinned(8)
		defer free(h)
		open := gate(s)
		cu.MemsetD8Async(p, 7, 64, s)
		cu.MemcpyDtoHAsync(ptr(h), p, 64, s)
		cu.EventRecord(e, s)
		still(t, "stream", s.Query())
		still(t, "event", e.Query())
		if h[7] != 0 {
			t.Error("a copy overtook the gate before it")
		}
		open()
		e.Synchronize()
		if h[7] != 0x0707070707070707 {
			t.Errorf("%#x behind the event", h[7])
		}
		s.Synchronize()
		if r := s.Query(); r != cu.SUCCESS {
			t.Error(r)
		}
	})
}

// An event holds back another stream, and only what that stream is given afterwards.
func TestWaitEvent(t *testing.T) {
	with(t, double, func() {
		a, b := cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING), cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
		defer cu.StreamDestroy(&a)
		defer cu.StreamDestroy(&b)
		e, never := cu.EventCreate(cu.EVENT_DISABLE_TIMING), cu.EventCreate(0)
		defer cu.EventDestroy(&e)
		defer cu.EventDestroy(&never)
		var order []string
		var mu sync.Mutex
		note := func(s cu.Stream, what string) {
			cu.LaunchHostFunc(s, func() { mu.Lock(); order = append(order, what); mu.Unlock() })
		}
		open := gate(a)
		note(a, "a1")
		cu.EventRecord(e, a)
		note(a, "a2")
		note(b, "b1")
		cu.StreamWaitEvent(b, never) // never recorded: nothing to wait for
		b.Synchronize()
		cu.StreamWaitEvent(b, e)
		note(b, "b2")
		still(t, "b", b.Query())
		cu.EventRecord(e, b) // recorded anew: b's wait keeps meaning the first record
		open()
		b.Synchronize()
		a.Synchronize()
		at := map[string]int{}
		for i, s := range order {
			at[s] = i
		}
		if len(order) != 4 || at["b1"] != 0 || at["a1"] > at["b2"] || at["a1"] > at["a2"] {
			t.Errorf("order %v", order)
		}
	})
}

// The default stream waits for blocking streams and they for it; others take no notice of it.
func TestDefaultStream(t *testing.T) {
	with(t, double, func() {
		blocking, free := cu.StreamCreate(), cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
		defer cu.StreamDestroy(&blocking)
		defer cu.StreamDestroy(&free)
		p := cu.MemAlloc(64)
		defer p.Free()
		open := gate(blocking)
		cu.MemsetD8Async(p, 1, 64, 0) // behind blocking
		still(t, "default stream", cu.StreamQuery(0))
		cu.MemsetD8Async(p, 1, 64, free)
		free.Synchronize()
		open()
		cu.StreamSynchronize(0)
		open = gate(0)
		cu.MemsetD8Async(p, 1, 64, blocking) // behind the default stream
		still(t, "blocking stream", blocking.Query())
		cu.MemsetD8Async(p, 1, 64, free)
		free.Synchronize()
		open()
		cu.CtxSynchronize()
	})
}

// Each thread has a default stream of its own where it asks for it, which ends with the thread.
func TestPerThreadStream(t *testing.T) {
	const perThread = cu.Stream(2)
	with(t, double, func() {
		ctx := cu.CtxGetCurrent()
		thread := func(f func()) (done chan bool) {
			done = make(chan bool)
			go func() {
				defer close(done)
				runtime.LockOSThread() // for ever: the thread ends with the goroutine
				double.MakeCurrent()
				cu.CtxSetCurrent(ctx)
				f()
			}()
			return done
		}
		p := cu.MemAlloc(64)
		defer p.Free()
		held, open := make(chan bool), make(chan bool)
		first := thread(func() {
			cu.LaunchHostFunc(perThread, func() { <-open })
			still(t, "the first thread's", perThread.Query())
			close(held)
			perThread.Synchronize()
		})
		<-held
		<-thread(func() {
			cu.MemsetD8Async(p, 1, 64, perThread)
			perThread.Synchronize()
			if r := perThread.Query(); r != cu.SUCCESS {
				t.Errorf("the second thread's: %v", r)
			}
		})
		close(open)
		<-first
	})
}

// A function that the driver calls must not call the driver, and runs on another thread in order.
func TestHostFunc(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		s := cu.StreamCreate()
		defer cu.StreamDestroy(&s)
		var n atomic.Int64
		for i := range 100 {
			cu.LaunchHostFunc(s, func() {
				if n.Add(1) != int64(i+1) {
					t.Errorf("function %d was not in its place", i)
				}
			})
		}
		var r cu.Result
		ctx := cu.CtxGetCurrent()
		cu.LaunchHostFunc(s, func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			d.MakeCurrent()
			r = fails(func() { cu.CtxSetCurrent(ctx); cu.MemAlloc(8) })
			if d != emulated.CPU() { // there it is the caller's own thread
				cu.ClearCurrent()
			}
		})
		s.Synchronize()
		if n.Load() != 100 || r != cu.ERROR_NOT_PERMITTED {
			t.Errorf("%d functions ran; a call from inside: %v", n.Load(), r)
		}
	})
}

// Random work on many streams, tied together by events, against a model that keeps the same order.
func TestRandomOrder(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		for seed := range uint64(10) {
			randomOrder(t, rand.New(rand.NewPCG(seed, 1)))
		}
	})
}

// Every operation adds its number to one cell per stream, and after a wait takes over the other stream's cell: the value
// seen depends on the order alone.
func randomOrder(t *testing.T, r *rand.Rand) {
	const streams, steps = 4, 200
	m := module()
	defer cu.ModuleUnload(&m)
	f := m.GetFunction("test_add")
	cells := cu.MemAlloc(8 * streams)
	defer cells.Free()
	cu.MemsetD8(cells, 0, 8*streams)
	cu.CtxSynchronize()
	cell := func(i int) cu.DevicePtr { return cells + cu.DevicePtr(8*i) }
	var s [streams]cu.Stream
	for i := range s {
		s[i] = cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
		defer cu.StreamDestroy(&s[i])
	}
	var model [streams]int64
	for step := range steps {
		i, j := r.IntN(streams), r.IntN(streams)
		if i == j || r.IntN(3) > 0 {
			cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, s[i], []uint64{dptr(cell(i)), 1, uint64(step)})
			model[i] += int64(step)
			continue
		}
		e, back := cu.EventCreate(cu.EVENT_DISABLE_TIMING), cu.EventCreate(cu.EVENT_DISABLE_TIMING)
		cu.EventRecord(e, s[j])
		cu.StreamWaitEvent(s[i], e)
		cu.MemcpyDtoDAsync(cell(i), cell(j), 8, s[i])
		cu.EventRecord(back, s[i])
		cu.StreamWaitEvent(s[j], back) // j must not go on before the copy has read its cell
		cu.EventDestroy(&e)            // an event may go while streams still wait for it
		cu.EventDestroy(&back)
		model[i] = model[j]
	}
	cu.CtxSynchronize()
	got := make([]int64, streams)
	cu.MemcpyDtoH(ptr(got), cells, 8*streams)
	check(t, equal(got, func(i int) int64 { return model[i] }))
}

// Destroyed and made-up handles are errors, never crashes; destroying a busy stream lets its work finish.
func TestHandles(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		s, e, m := cu.StreamCreate(), cu.EventCreate(0), module()
		f := m.GetFunction("test_add")
		s0, e0, m0 := s, e, m
		h := pinned(1)
		defer free(h)
		p := cu.MemAlloc(8)
		defer p.Free()
		cu.MemsetD8Async(p, 1, 8, s)
		cu.MemcpyDtoHAsync(ptr(h), p, 8, s)
		s.Destroy()
		e.Destroy()
		m.Unload()
		cu.CtxSynchronize()
		if h[0] != 0x0101010101010101 {
			t.Errorf("work of a destroyed stream: %#x", h[0])
		}
		for i, x := range []uintptr{uintptr(s0), 12345, uintptr(e0) + 8, uintptr(p), 1 << 60} {
			want(t, fmt.Sprint("stream ", i), func() { cu.StreamSynchronize(cu.Stream(x)) }, cu.ERROR_INVALID_HANDLE)
			want(t, fmt.Sprint("stream, work ", i), func() { cu.MemsetD8Async(p, 1, 8, cu.Stream(x)) }, cu.ERROR_INVALID_HANDLE)
		}
		for i, x := range []cu.Event{e0, 0, cu.Event(s0), 8} {
			want(t, fmt.Sprint("event ", i), func() { cu.EventSynchronize(x) }, cu.ERROR_INVALID_HANDLE)
		}
		want(t, "module", func() { m0.GetFunction("test_add") }, cu.ERROR_INVALID_HANDLE)
		if r := cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(p), 1, 1}); r != cu.ERROR_INVALID_HANDLE {
			t.Errorf("function of an unloaded module: %v", r)
		}
	})
}

// Many threads on one context and one stream lose and mix nothing.
func TestManyThreads(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		const threads, times = 8, 200
		ctx, m := cu.CtxGetCurrent(), module()
		defer cu.ModuleUnload(&m)
		f := m.GetFunction("test_add")
		p := cu.MemAlloc(8 * threads)
		defer p.Free()
		cu.MemsetD8(p, 0, 8*threads)
		shared := cu.StreamCreate()
		defer cu.StreamDestroy(&shared)
		var group sync.WaitGroup
		for i := range threads {
			group.Go(func() {
				runtime.LockOSThread()
				d.MakeCurrent()
				cu.CtxSetCurrent(ctx)
				own := cu.StreamCreate()
				cell := p + cu.DevicePtr(8*i)
				for k := range times {
					s := shared
					if d == emulated.CPU() || k%2 == 0 {
						s = own
					}
					q := cu.MemAlloc(int64(1 + k*97%5000))
					cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, s, []uint64{dptr(cell), 1, 1})
					e := cu.EventCreate(0)
					cu.EventRecord(e, s)
					e.Synchronize() // the next step may be on the other stream
					e.Destroy()
					q.Free()
				}
				own.Destroy()
			})
		}
		group.Wait()
		cu.CtxSynchronize()
		got := make([]int64, threads)
		cu.MemcpyDtoH(ptr(got), p, 8*threads)
		check(t, equal(got, func(int) int64 { return times }))
	})
}

// Event times are those of the work between, not of the calls.
func TestEventTimes(t *testing.T) {
	with(t, double, func() {
		s := cu.StreamCreate()
		defer cu.StreamDestroy(&s)
		a, b, plain := cu.EventCreate(0), cu.EventCreate(0), cu.EventCreate(cu.EVENT_DISABLE_TIMING)
		defer cu.EventDestroy(&a)
		defer cu.EventDestroy(&b)
		defer cu.EventDestroy(&plain)
		want(t, "never recorded", func() { cu.EventElapsedTime(a, b) }, cu.ERROR_INVALID_HANDLE)
		cu.EventRecord(a, s)
		cu.LaunchHostFunc(s, func() { time.Sleep(30 * time.Millisecond) })
		cu.EventRecord(b, s)
		cu.EventRecord(plain, s)
		want(t, "not yet reached", func() { cu.EventElapsedTime(a, b) }, cu.ERROR_NOT_READY)
		s.Synchronize()
		if ms := cu.EventElapsedTime(a, b); ms < 30 || ms > 5000 {
			t.Errorf("%v ms for a pause of 30", ms)
		}
		if ms := cu.EventElapsedTime(b, a); ms > -30 {
			t.Errorf("%v ms backwards", ms)
		}
		want(t, "event without time", func() { cu.EventElapsedTime(a, plain) }, cu.ERROR_INVALID_HANDLE)
	})
}

// A stream waits for a value that another one writes.
func TestStreamValues(t *testing.T) {
	with(t, double, func() {
		a, b := cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING), cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
		defer cu.StreamDestroy(&a)
		defer cu.StreamDestroy(&b)
		p := cu.MemAlloc(64)
		defer p.Free()
		cu.MemsetD8(p, 0, 64)
		cu.CtxSynchronize()
		const geq, eq, and = 0, 1, 2
		for i, flags := range []uint{geq, eq, and} {
			v := uint32(4 << i)
			cu.StreamWaitValue32(a, p, v, flags)
			still(t, fmt.Sprint("waiting, flags ", flags), a.Query())
			cu.StreamWriteValue32(b, p, v, 0)
			a.Synchronize()
			v64 := uint64(1)<<40 + uint64(i)
			cu.StreamWaitValue64(a, p+8, v64, flags)
			cu.StreamWriteValue64(b, p+8, v64, 0)
			a.Synchronize()
		}
		b.Synchronize()
		want(t, "misaligned", func() { cu.StreamWaitValue32(a, p+2, 0, 0) }, cu.ERROR_INVALID_VALUE)
	})
}
