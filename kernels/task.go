// Tasks of Task Bench: outputs, the compute-bound and the memory-bound kernel, on a device or by the calling thread.
package kernels

/*
#cgo noescape gb_task_busy
#cgo nocallback gb_task_busy
#include <stdint.h>
struct gb_launch;
void gb_task_compute(const uint64_t *args, const struct gb_launch *l);
void gb_task_memory(const uint64_t *args, const struct gb_launch *l);
void gb_task_check(const uint64_t *args, const struct gb_launch *l);
int64_t gb_task_busy(int64_t iterations);
*/
import "C"

import (
	"encoding/binary"
	"unsafe"

	"gpubench/gpu"
)

var (
	taskCompute = define("task", "task_compute", "ppiiiii", unsafe.Pointer(C.gb_task_compute))
	taskMemory  = define("task", "task_memory", "ppiiiiiii", unsafe.Pointer(C.gb_task_memory))
	taskCheck   = define("task", "task_check", "ppiiii", unsafe.Pointer(C.gb_task_check))
)

// As in task.h.
const (
	taskLanes = 64
	// TaskLaneBytes is what a block of a compute-bound task leaves behind: 64 float64s.
	TaskLaneBytes = taskLanes * cellBytes
	// TaskFlops is the operations of a block in one iteration.
	TaskFlops = 2 * taskLanes
)

// TaskCompute writes the output of a task and has blocks of 64 values computed, TaskFlops operations each an iteration.
// lanes takes TaskLaneBytes a block. On `cpu` it is done when the call returns.
func (k *Set) TaskCompute(s *gpu.Stream, out, lanes gpu.Memory, step, point, iterations int64, blocks int) error {
	mustHold("lanes", lanes, blocks*TaskLaneBytes)
	mustHold("output", out, out.Len)
	if k.dev.Driver() == gpu.CPU {
		args := [...]uint64{uint64(out.Addr), uint64(lanes.Addr), uint64(out.Len), uint64(step), uint64(point), uint64(iterations),
			uint64(blocks)}
		k.now(unsafe.Pointer(C.gb_task_compute), unsafe.Pointer(&args), int64(out.Len)+work(iterations, int64(blocks)*TaskLaneBytes))
		return nil
	}
	return k.launch(s, taskCompute, gpu.Dim3{X: blocks, Y: 1, Z: 1}, gpu.Dim3{X: taskLanes, Y: 1, Z: 1}, uint64(out.Addr),
		uint64(lanes.Addr), uint64(out.Len), uint64(step), uint64(point), uint64(iterations), uint64(blocks))
}

// TaskMemory writes the output of a task and copies, in each iteration, the first half of one of the scratch's pieces onto
// its second half; pieces are taken in turn from number first on. scratch.Len must be a multiple of 16·pieces. On `cpu` it
// is done when the call returns.
func (k *Set) TaskMemory(s *gpu.Stream, out, scratch gpu.Memory, step, point, first, iterations, pieces int64, blocks int) error {
	words := int64(scratch.Len) / cellBytes / pieces
	if words%2 != 0 || words*pieces*cellBytes != int64(scratch.Len) {
		panic("kernels: a task's scratch does not divide into pieces of two halves")
	}
	mustHold("scratch", scratch, scratch.Len)
	mustHold("output", out, out.Len)
	if k.dev.Driver() == gpu.CPU {
		args := [...]uint64{uint64(out.Addr), uint64(scratch.Addr), uint64(out.Len), uint64(step), uint64(point), uint64(first),
			uint64(iterations), uint64(pieces), uint64(words)}
		k.now(unsafe.Pointer(C.gb_task_memory), unsafe.Pointer(&args), int64(out.Len)+work(iterations, words*cellBytes))
		return nil
	}
	return k.launch(s, taskMemory, gpu.Dim3{X: blocks, Y: 1, Z: 1}, gpu.Dim3{X: taskLanes, Y: 1, Z: 1}, uint64(out.Addr),
		uint64(scratch.Addr), uint64(out.Len), uint64(step), uint64(point), uint64(first), uint64(iterations), uint64(pieces),
		uint64(words))
}

// TaskCheck compares every byte of m with the output of a task, on the device. It waits for the stream.
func (k *Set) TaskCheck(s *gpu.Stream, m gpu.Memory, step, point int64) (PatternResult, error) {
	mustHold("input", m, m.Len)
	return k.checkBytes(s, taskCheck, m, int(step), int(point))
}

// TaskBusy keeps the calling thread busy, and returns the value that proves it: 113·139^iterations modulo 2^31-1.
func TaskBusy(iterations int64) int64 { return int64(C.gb_task_busy(C.int64_t(iterations))) }

// TaskBytes is a task's output alone, from the host: step and point, eight bytes each, over and over.
func TaskBytes(dst []byte, step, point int64) {
	for ; len(dst) >= 16; dst = dst[16:] {
		binary.LittleEndian.PutUint64(dst, uint64(step))
		binary.LittleEndian.PutUint64(dst[8:], uint64(point))
	}
	if len(dst) > 0 {
		var pair [16]byte
		TaskBytes(pair[:], step, point)
		copy(dst, pair[:])
	}
}

// CheckTaskBytes is TaskCheck for bytes that the host holds.
func CheckTaskBytes(b []byte, step, point int64) PatternResult {
	r := PatternResult{Checked: int64(len(b)), First: -1}
	var pair [16]byte
	TaskBytes(pair[:], step, point)
	for i, found := range b {
		if found == pair[i%16] {
			continue
		}
		if r.Errors++; r.Errors == 1 {
			r.First, r.Found, r.Expected = int64(i), found, pair[i%16]
		}
	}
	return r
}

// TaskLanes is what a block of a compute-bound task must leave behind, bit by bit: a serial reference.
func TaskLanes(iterations int64) [taskLanes]float64 {
	var x [taskLanes]float64
	for lane := range x {
		v := -float64(lane+1) / (taskLanes + 1)
		for range iterations {
			v = float64(v*v) + v // the conversion keeps a compiler from fusing the two
		}
		x[lane] = v
	}
	return x
}

// TaskChains is TaskLanes for several numbers of iterations, ascending, in one pass over the longest: by number, values 0,
// stride, 2·stride and so on below 64, whose count must be a multiple of eight.
func TaskChains(iterations []int64, stride int) [][]float64 {
	each := (taskLanes + stride - 1) / stride
	all := make([]float64, each*len(iterations))
	out := make([][]float64, len(iterations))
	for k := range out {
		out[k] = all[k*each : (k+1)*each]
	}
	for first := 0; first < each; first += 8 {
		var x [8]float64
		for i := range x {
			x[i] = -float64((first+i)*stride+1) / (taskLanes + 1)
		}
		done := int64(0)
		for k, n := range iterations {
			eightChains(&x, n-done)
			done = n
			copy(out[k][first:], x[:])
		}
	}
	return out
}

// eightChains goes on with eight values at once, so that none waits for its own last result: they fill a core's units.
func eightChains(x *[8]float64, iterations int64) {
	a, b, c, d, e, f, g, h := x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
	for range iterations { // the conversions keep a compiler from fusing
		a, b, c, d = float64(a*a)+a, float64(b*b)+b, float64(c*c)+c, float64(d*d)+d
		e, f, g, h = float64(e*e)+e, float64(f*f)+f, float64(g*g)+g, float64(h*h)+h
	}
	*x = [8]float64{a, b, c, d, e, f, g, h}
}
