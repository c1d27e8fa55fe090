//go:build !(linux && amd64)

package leap

import "unsafe"

// Available reports whether calls work on this machine.
const Available = false

// Call2 panics: see Available.
func (s *Stack) Call2(fn uintptr, p, q unsafe.Pointer, c, d, e, f int) int { panic(missing) }

// Call3 panics: see Available.
func (s *Stack) Call3(fn uintptr, p, q, r unsafe.Pointer, d, e, f int) int { panic(missing) }

const missing = "leap: not available on this machine"
