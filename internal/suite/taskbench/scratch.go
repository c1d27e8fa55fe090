// The scratch of memory-bound tasks: what lies there before, and must after.

package taskbench

import (
	"fmt"

	"gpubench/gpu"
)

// eachScratch does something for each point that has scratch.
func (w *points) eachScratch(do func(*point) error) error {
	if w.kernel != kernelMemory {
		return nil
	}
	for _, own := range w.mine {
		for _, q := range own {
			if err := do(q); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare writes a point's scratch: words that differ, and poison in the second half of each piece.
func (w *points) prepare(q *point) error {
	image := q.scratch
	if image.Space > gpu.Pinned {
		image = w.look.Slice(0, q.scratch.Len)
	}
	words := gpu.Of[uint64](image)
	half := len(words) / int(w.pieces) / 2
	for i := range words {
		words[i] = scratchWord(q.id, i)
		if i/half%2 == 1 {
			words[i] = ^uint64(0)
		}
	}
	if image.Space == q.scratch.Space {
		return nil
	}
	if err := w.stream.Copy(q.scratch, image); err != nil {
		return err
	}
	return w.stream.Sync()
}

func scratchWord(point, i int) uint64 { return uint64(point)<<40 + uint64(i)*0x9e3779b9 }

// checkScratch looks at a point's scratch: the pieces that its tasks took have been copied, and no others.
func (w *points) checkScratch(q *point) error {
	taken := make([]bool, w.pieces)
	for t := range q.g.Steps {
		if q.g.Has(t, q.id) {
			for i := range min(w.size, w.pieces) {
				taken[(int64(t)*w.size+i)%w.pieces] = true
			}
		}
	}
	found, err := w.read(q.scratch)
	if err != nil {
		return err
	}
	w.check.v.Sent++
	w.check.count(w.scratchDiffers(q, gpu.Of[uint64](found), 0, func(piece int) bool { return taken[piece] }))
	return nil
}

// scratchDiffers says what is wrong with words of a point's scratch from number first on.
func (w *points) scratchDiffers(q *point, words []uint64, first int, taken func(piece int) bool) string {
	half := q.scratch.Len / 16 / int(w.pieces)
	for k, found := range words {
		i := first + k
		want := scratchWord(q.id, i)
		if i/half%2 == 1 {
			want = ^uint64(0)
			if taken(i / half / 2) {
				want = scratchWord(q.id, i-half)
			}
		}
		if found != want {
			return fmt.Sprintf("PE %d: scratch of point %d, offset %d: expected %#x, found %#x", w.pe.Rank, q.id, 8*i, want, found)
		}
	}
	return ""
}

// lastPiece is the piece that a point's last task takes last, and where it begins in the scratch; false: none.
func (w *points) lastPiece(q *point) (offset int, piece gpu.Memory, ok bool) {
	t := q.last()
	if t < 0 || w.size == 0 {
		return 0, piece, false
	}
	each := q.scratch.Len / int(w.pieces)
	offset = int((int64(t)*w.size+w.size-1)%w.pieces) * each
	return offset, q.scratch.Slice(offset, each), true
}

// checkPiece looks at that piece of a memory-bound task.
func (w *points) checkPiece(q *point) error {
	if w.kernel != kernelMemory {
		return nil
	}
	offset, piece, ok := w.lastPiece(q)
	if !ok {
		return nil
	}
	w.check.v.Sent++
	found, err := w.read(piece)
	if err != nil {
		return err
	}
	w.check.count(w.scratchDiffers(q, gpu.Of[uint64](found), offset/8, func(int) bool { return true }))
	return nil
}
