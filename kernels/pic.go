// Particles in cells: a step of all particles of a block, those that leave it packed by where they go, those that came
// appended, and the check of every position.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_pic_move_all(const uint64_t *args, const struct gb_launch *l);
void gb_pic_scan(const uint64_t *args, const struct gb_launch *l);
void gb_pic_pack(const uint64_t *args, const struct gb_launch *l);
void gb_pic_fill(const uint64_t *args, const struct gb_launch *l);
void gb_pic_append(const uint64_t *args, const struct gb_launch *l);
void gb_pic_check_all(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	"gpubench/gpu"
)

var (
	picMove   = define("pic", "pic_move", "ppppiiiiiiiiiiii", unsafe.Pointer(C.gb_pic_move_all))
	picScan   = define("pic", "pic_scan", "ppi", unsafe.Pointer(C.gb_pic_scan))
	picPack   = define("pic", "pic_pack", "ppppppiiii", unsafe.Pointer(C.gb_pic_pack))
	picFill   = define("pic", "pic_fill", "pppiii", unsafe.Pointer(C.gb_pic_fill))
	picAppend = define("pic", "pic_append", "ppiiiiiiiiii", unsafe.Pointer(C.gb_pic_append))
	picCheck  = define("pic", "pic_check", "ppiiidddd", unsafe.Pointer(C.gb_pic_check_all))
)

// As in pic.h.
const (
	picThreads  = 128
	picMaxSlots = 1024
	picPerSlot  = 512 // particles, where there are that many

	PICFields  = 8 // float64s of a particle: x, y, their velocities, charge, x and y at the start, number
	PICClasses = 9 // where a particle is after a step
	PICHere    = 4 // the class of those that stay; class 3·(1+dy) + 1+dx is the block dx, dy blocks away

	PICBytes       = 8 * PICFields // a particle's, in memory and in messages
	PICCountsBytes = 8 * PICClasses * picMaxSlots
	PICTotalsBytes = 8 * PICClasses
)

// Fields of a particle, in the order of their arrays.
const (
	PICX = iota
	PICY
	PICVX
	PICVY
	PICQ
	PICX0
	PICY0
	PICID
)

// PICBlock is a block of cells Left ≤ x < Right, Bottom ≤ y < Top of a periodic grid of Cells × Cells, cut into Across
// × Up blocks of which it is (X, Y). Block i of an axis begins with cell i·Cells/blocks, rounded down.
type PICBlock struct{ Left, Right, Bottom, Top, Cells, X, Y, Across, Up int }

// Charges is the number of charges of a block: the corners of its cells, column by column.
func (b PICBlock) Charges() int { return (b.Right - b.Left + 1) * (b.Top - b.Bottom + 1) }

// PICArrays is where a block keeps what PICMove and PICPack work on. Nothing of it overlaps.
type PICArrays struct {
	Particles gpu.Memory // PICFields arrays of Capacity float64s
	Charges   gpu.Memory // PICBlock.Charges float64s
	Classes   gpu.Memory // Capacity bytes
	Counts    gpu.Memory // PICCountsBytes
	Totals    gpu.Memory // PICTotalsBytes: int64s, how many went to each class; at PICHere, how many left
	Out       gpu.Memory // Room particles: messages in order of their classes, each field by field
	Moves     gpu.Memory // 2 × Room int64s
	Capacity  int        // particles
	Room      int        // particles that can leave in one step
}

func (a *PICArrays) mustFit(n int) {
	if n > a.Capacity {
		panic(fmt.Sprintf("kernels: %d particles in arrays for %d", n, a.Capacity))
	}
	mustHold("particles", a.Particles, PICBytes*a.Capacity)
	mustHold("classes", a.Classes, a.Capacity)
	mustHold("counts", a.Counts, PICCountsBytes)
	mustHold("totals", a.Totals, PICTotalsBytes)
	mustHold("messages", a.Out, PICBytes*a.Room)
	mustHold("moves", a.Moves, 16*a.Room)
}

func picSlots(n int) int { return max(1, min(picMaxSlots, n/picPerSlot)) }

// PICMove moves the first n particles by one step (leap-frog, step 1, mass 1, the force of the four corners of the cell:
// computeTotalForce of the Parallel Research Kernels' PIC), classes them by where they are then, and counts: Totals
// holds the counts when the stream has got there.
func (k *Set) PICMove(s *gpu.Stream, b PICBlock, a *PICArrays, n int) error {
	a.mustFit(n)
	mustHold("charges", a.Charges, 8*b.Charges())
	slots := picSlots(n)
	grid, block := gpu.Dim3{X: slots, Y: 1, Z: 1}, gpu.Dim3{X: picThreads, Y: 1, Z: 1}
	err := k.launch(s, picMove, grid, block, uint64(a.Particles.Addr), uint64(a.Charges.Addr), uint64(a.Classes.Addr),
		uint64(a.Counts.Addr), uint64(n), uint64(a.Capacity), uint64(b.Left), uint64(b.Right), uint64(b.Bottom),
		uint64(b.Top), uint64(b.Cells), uint64(b.X), uint64(b.Y), uint64(b.Across), uint64(b.Up), uint64(slots))
	if err != nil {
		return err
	}
	return k.launch(s, picScan, gpu.Dim3{X: 1, Y: 1, Z: 1}, block, uint64(a.Counts.Addr), uint64(a.Totals.Addr), uint64(slots))
}

// PICPack takes those of the n particles that left out of the arrays, into Out, and closes the gaps with the last ones:
// n less Totals[PICHere] are left. Where more leave than there is Room it does nothing, and can be called again with
// more of it. PICMove of the same n comes before.
func (k *Set) PICPack(s *gpu.Stream, a *PICArrays, n int) error {
	a.mustFit(n)
	slots := picSlots(n)
	grid, block := gpu.Dim3{X: slots, Y: 1, Z: 1}, gpu.Dim3{X: picThreads, Y: 1, Z: 1}
	err := k.launch(s, picPack, grid, block, uint64(a.Particles.Addr), uint64(a.Classes.Addr), uint64(a.Counts.Addr),
		uint64(a.Totals.Addr), uint64(a.Out.Addr), uint64(a.Moves.Addr), uint64(n), uint64(a.Capacity), uint64(a.Room),
		uint64(slots))
	if err != nil {
		return err
	}
	grid, block = k.strided(a.Room, picThreads)
	return k.launch(s, picFill, grid, block, uint64(a.Particles.Addr), uint64(a.Totals.Addr), uint64(a.Moves.Addr),
		uint64(n), uint64(a.Capacity), uint64(a.Room))
}

// PICAppend puts the particles of up to eight messages, which follow each other in `in`, behind the first n. lengths are
// in particles.
func (k *Set) PICAppend(s *gpu.Stream, a *PICArrays, in gpu.Memory, n int, lengths [PICClasses - 1]int) error {
	total := 0
	for _, m := range lengths {
		total += m
	}
	if total == 0 {
		return nil
	}
	a.mustFit(n + total)
	mustHold("in", in, PICBytes*total)
	args := [12]uint64{uint64(a.Particles.Addr), uint64(in.Addr), uint64(n), uint64(a.Capacity)}
	for i, m := range lengths {
		args[4+i] = uint64(m)
	}
	grid, block := k.strided(total, picThreads)
	return k.launch(s, picAppend, grid, block, args[:]...)
}

// PICResult is what a check found over the particles of a block.
type PICResult struct {
	Checked, Errors int64   // particles
	First           int64   // the first that is wrong, counted from 0 in the block; -1 for none
	Axis            string  // x or y
	Found, Expected float64 // there
	MaxError        float64 // largest distance along an axis; NaN where a position is no number
	Sum             float64 // of the particles' numbers
}

// PICCheck compares the positions of n particles with x0 + travelX and y0 + travelY in a periodic grid of `cells` cells
// each way; travels are taken modulo the grid. It waits for the stream.
func (k *Set) PICCheck(s *gpu.Stream, a *PICArrays, n, cells int, travelX, travelY int64, tolerance float64) (PICResult, error) {
	a.mustFit(n)
	slots := min(checkSlots, picSlots(n))
	within := func(t int64) uint64 {
		return math.Float64bits(float64(((t % int64(cells)) + int64(cells)) % int64(cells)))
	}
	err := k.launch(s, picCheck, gpu.Dim3{X: slots, Y: 1, Z: 1}, gpu.Dim3{X: picThreads, Y: 1, Z: 1},
		uint64(a.Particles.Addr), uint64(k.results.Memory().Addr), uint64(n), uint64(a.Capacity), uint64(slots),
		math.Float64bits(float64(cells)), within(travelX), within(travelY), math.Float64bits(tolerance))
	if err != nil {
		return PICResult{}, err
	}
	f, err := k.fieldResult(s, slots)
	if err != nil {
		return PICResult{}, err
	}
	r := PICResult{Checked: f.Checked, Errors: f.Errors, First: -1, Found: f.Found, Expected: f.Expected, MaxError: f.MaxError, Sum: f.Sum}
	if f.First >= 0 {
		r.First, r.Axis = f.First/2, [2]string{"x", "y"}[f.First%2]
	}
	return r, nil
}

// PICCharge is the charge with which a particle in the middle of an even column moves (2k + 1) cells to the right in its
// first step (in an odd one it is the negative), by the arithmetic of pic.h. In each later step it does the same: the
// force changes its sign with every column (Georganas, Van der Wijngaart, Mattson, "Design and Implementation of a
// Parallel Research Kernel for Assessing Dynamic Load-Balancing Capabilities", IPDPS 2016).
func PICCharge(k int) float64 {
	r2 := 0.5*0.5 + 0.5*0.5
	return float64(2*k+1) / (1 / (r2 * math.Sqrt(r2)))
}
