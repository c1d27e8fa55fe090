// Op: what a reduction combines with, and the ones for host memory.
package mpi

import (
	"fmt"
	"unsafe"

	"gpubench/gpu"
)

// Op combines elements. It must be associative and commutative: which rank's
// data meet first differs between algorithms. Sums of floating-point numbers
// may thus differ from a serial sum in the last digits, but are the same on
// all ranks.
type Op struct {
	Size int // bytes of an element: buffers hold whole ones, and are cut between them
	// Combine does acc[i] = acc[i] op in[i] and returns when acc may be sent:
	// a kernel's stream has been waited for. Both have the same length and the
	// space of the buffers given.
	Combine func(acc, in gpu.Memory) error
	// Native is the same operation of a library's own collectives; they take no other.
	Native NativeOp
}

// NativeOp is an operation that libraries know.
type NativeOp uint8

const (
	NotNative NativeOp = iota
	NativeSumFloat64
)

// The operations on host memory.
var (
	SumFloat64 = native(HostOp(func(a, b float64) float64 { return a + b }), NativeSumFloat64)
	MaxFloat64 = HostOp(func(a, b float64) float64 { return max(a, b) })
	MinFloat64 = HostOp(func(a, b float64) float64 { return min(a, b) })
	SumInt64   = HostOp(func(a, b int64) int64 { return a + b })
	MaxInt64   = HostOp(func(a, b int64) int64 { return max(a, b) })
	MinInt64   = HostOp(func(a, b int64) int64 { return min(a, b) })
	OrUint64   = HostOp(func(a, b uint64) uint64 { return a | b })
	XorUint64  = HostOp(func(a, b uint64) uint64 { return a ^ b })
)

func native(op Op, n NativeOp) Op {
	op.Native = n
	return op
}

// HostOp makes the operation on host memory that combines elements with f. T
// holds no pointers.
func HostOp[T any](f func(a, b T) T) Op {
	var t T
	return Op{
		Size: int(unsafe.Sizeof(t)),
		Combine: func(acc, in gpu.Memory) error {
			if !acc.HostReadable() || !in.HostReadable() {
				return fmt.Errorf("mpi: a host operation cannot combine %v with %v memory: give an Op that launches a kernel", acc.Space, in.Space)
			}
			a, b := gpu.Of[T](acc), gpu.Of[T](in)
			for i := range a {
				a[i] = f(a[i], b[i])
			}
			return nil
		},
	}
}
