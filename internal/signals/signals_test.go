package signals

import (
	"runtime"
	"syscall"
	"testing"
)

func TestKeep(t *testing.T) {
	if n := Keep(func() { take(syscall.SIGSEGV); take(syscall.SIGUSR2) }); n != 2 {
		t.Errorf("%d handlers put back, want 2", n)
	}
	if n := Keep(func() {}); n != 0 {
		t.Errorf("%d handlers put back where nothing took any", n)
	}
	// Go's handler is back: a nil dereference is a panic again.
	defer func() {
		if _, ok := recover().(runtime.Error); !ok {
			t.Error("no runtime error")
		}
	}()
	var p *int
	*p = 1
}
