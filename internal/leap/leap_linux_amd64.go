package leap

import "unsafe"

// Available reports whether calls work on this machine.
const Available = true

// Call2 calls the C function at fn with two pointers and four integers (it may take fewer), which returns an int.
//
//go:nosplit
func (s *Stack) Call2(fn uintptr, p, q unsafe.Pointer, c, d, e, f int) int {
	return int(call2(s.top, fn, p, q, c, d, e, f))
}

// Call3 calls the C function at fn with three pointers and three integers (it may take fewer), which returns an int.
//
//go:nosplit
func (s *Stack) Call3(fn uintptr, p, q, r unsafe.Pointer, d, e, f int) int {
	return int(call3(s.top, fn, p, q, r, d, e, f))
}

// The pointers are declared as such: the stack may grow, and move, on the way to the assembly.

//go:noescape
func call2(stack, fn uintptr, p, q unsafe.Pointer, c, d, e, f int) int32

//go:noescape
func call3(stack, fn uintptr, p, q, r unsafe.Pointer, d, e, f int) int32
