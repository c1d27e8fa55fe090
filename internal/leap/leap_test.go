//go:build linux && amd64

package leap

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// code maps machine code, since a package without cgo has no C function of its own.
func code(t testing.TB, b ...byte) uintptr {
	t.Helper()
	m, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Skipf("no memory for machine code: %v", err)
	}
	copy(m, b)
	return uintptr(unsafe.Pointer(unsafe.SliceData(m)))
}

func stack(t testing.TB) *Stack {
	t.Helper()
	s, err := NewStack()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// args computes rdi[0] + 2·rsi[0] + 4·rdx + 8·rcx + 16·r8 + 32·r9.
var args = []byte{
	0x8b, 0x07, // mov eax, [rdi]
	0x8b, 0x3e, // mov edi, [rsi]
	0x8d, 0x04, 0x78, // lea eax, [rax+2*rdi]
	0x8d, 0x04, 0x90, // lea eax, [rax+4*rdx]
	0x8d, 0x04, 0xc8, // lea eax, [rax+8*rcx]
	0x41, 0xc1, 0xe0, 0x04, // shl r8d, 4
	0x44, 0x01, 0xc0, // add eax, r8d
	0x41, 0xc1, 0xe1, 0x05, // shl r9d, 5
	0x44, 0x01, 0xc8, // add eax, r9d
	0xc3, // ret
}

func TestArguments(t *testing.T) {
	s, fn := stack(t), code(t, args...)
	p, q := int32(3), int32(5)
	if got, want := s.Call2(fn, unsafe.Pointer(&p), unsafe.Pointer(&q), 7, 11, 13, 17), 3+2*5+4*7+8*11+16*13+32*17; got != want {
		t.Errorf("Call2 passed its arguments as %d, not %d", got, want)
	}
	third := code(t, 0x8b, 0x02, 0x01, 0xc8, 0x44, 0x01, 0xc0, 0x44, 0x29, 0xc8, 0xc3) // [rdx] + rcx + r8 - r9
	if got, want := s.Call3(third, nil, nil, unsafe.Pointer(&p), 7, 11, 13), 3+7+11-13; got != want {
		t.Errorf("Call3 passed its arguments as %d, not %d", got, want)
	}
	minus := code(t, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xc3) // mov eax, -1
	if got := s.Call2(minus, nil, nil, 0, 0, 0, 0); got != -1 {
		t.Errorf("-1 comes back as %d", got)
	}
}

func TestStackIsItsOwnAndAligned(t *testing.T) {
	s := stack(t)
	fn := code(t, 0x48, 0x89, 0x27, 0x31, 0xc0, 0xc3) // mov [rdi], rsp; xor eax, eax; ret
	var sp uintptr
	s.Call2(fn, unsafe.Pointer(&sp), nil, 0, 0, 0, 0)
	if sp != s.top-8 {
		t.Errorf("the stack pointer on entry is %#x, not %#x: one return address below the top", sp, s.top-8)
	}
	if (sp+8)%16 != 0 {
		t.Errorf("the stack is not aligned as the ABI wants: %#x", sp)
	}
}

// TestUnderFire runs collections, stops of the world, preemption signals and profiling signals against calls.
func TestUnderFire(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, fn := stack(t), code(t, append([]byte{
		0xb8, 0xd0, 0x07, 0, 0, // mov eax, 2000
		0xff, 0xc8, // again: dec eax
		0x75, 0xfc, // jnz again
	}, args...)...)
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m) // stops the world
		}
		done <- n
	}()
	// Profiling signals, whose handler unwinds what runs.
	runtime.SetCPUProfileRate(2000)
	defer runtime.SetCPUProfileRate(0)
	began := time.Now()
	calls := 0
	for ; time.Since(began) < 500*time.Millisecond; calls++ {
		p, q := new(int32), new(int32)
		*p, *q = int32(calls), 1
		if got := grow(s, fn, p, q, 20); got != calls+2 {
			t.Fatalf("call %d: got %d", calls, got)
		}
	}
	stop.Store(true)
	if n := <-done; n == 0 || calls == 0 {
		t.Errorf("%d collections beside %d calls: one keeps the other from running", n, calls)
	}
}

// grow calls from a depth that makes the goroutine's stack move now and then.
//
//go:noinline
func grow(s *Stack, fn uintptr, p, q *int32, depth int) int {
	var pad [512]byte
	if depth > 0 {
		return grow(s, fn, p, q, depth-1) + int(pad[depth])
	}
	return s.Call2(fn, unsafe.Pointer(p), unsafe.Pointer(q), 0, 0, 0, 0)
}

// A call that lasts holds up a stop of the world for as long, and no longer.
func TestALongCall(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, fn := stack(t), code(t,
		0x89, 0xd0, // mov eax, edx
		0xff, 0xc8, // again: dec eax
		0x75, 0xfc, // jnz again
		0xc3)
	collected := make(chan struct{})
	go func() {
		for range 20 {
			runtime.GC()
		}
		close(collected)
	}()
	for n, over := 0, false; !over; n++ {
		if got := s.Call2(fn, nil, nil, 20_000_000, 0, 0, 0); got != 0 { // several ms
			t.Fatalf("call %d: %d", n, got)
		}
		select {
		case <-collected:
			over = true
		default:
		}
		if n > 10000 {
			t.Fatal("no collection ends beside calls")
		}
	}
}

// TestFaultEndsTheProcess shows that a memory fault inside is no recoverable panic and no hang.
func TestFaultEndsTheProcess(t *testing.T) {
	if os.Getenv("LEAP_TEST_FAULT") != "" {
		defer func() { recover(); os.Exit(0) }()
		stack(t).Call2(code(t, 0x31, 0xc0, 0x8b, 0x00, 0xc3), nil, nil, 0, 0, 0, 0) // mov eax, [0]
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFaultEndsTheProcess$")
	cmd.Env = append(os.Environ(), "LEAP_TEST_FAULT=1")
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	out, err := cmd.CombinedOutput()
	if !timer.Stop() {
		t.Fatal("a fault hangs")
	}
	if err == nil {
		t.Fatal("a fault is survived")
	}
	if !strings.Contains(string(out), "SIGSEGV") && !strings.Contains(err.Error(), "segmentation") && !strings.Contains(string(out), "fatal error") {
		t.Errorf("a fault says %v:\n%s", err, out)
	}
}

func BenchmarkCall(b *testing.B) {
	s, fn := stack(b), code(b, 0xc3)
	for b.Loop() {
		s.Call2(fn, nil, nil, 0, 0, 0, 0)
	}
}
