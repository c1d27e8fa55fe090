package gpu

import (
	"iter"
	"runtime"
	"sync"
	"testing"
)

// The thread pointer must tell living threads apart, and be the same for a coroutine on the same thread.
func TestThreadPointer(t *testing.T) {
	const threads = 4
	var mu sync.Mutex
	seen := map[uintptr]bool{}
	var all, done sync.WaitGroup
	all.Add(threads)
	for range threads {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tp := threadPointer()
			mu.Lock()
			seen[tp] = true
			mu.Unlock()
			all.Done()
			all.Wait() // all of them live at the same time
			if again := threadPointer(); again != tp {
				t.Errorf("thread pointer moved from %#x to %#x on a locked thread", tp, again)
			}
			next, stop := iter.Pull(func(yield func(uintptr) bool) { yield(threadPointer()) })
			defer stop()
			if inside, _ := next(); inside != tp {
				t.Errorf("coroutine on thread %#x sees %#x", tp, inside)
			}
		})
	}
	done.Wait()
	if len(seen) != threads || seen[0] {
		t.Errorf("%d threads, %d thread pointers: %v", threads, len(seen), seen)
	}
}

func BenchmarkThreadPointer(b *testing.B) {
	for b.Loop() {
		threadPointer()
	}
}
