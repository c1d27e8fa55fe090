// Copies of host memory by the processor: which instructions, and who.
//
// Go's copy writes around the caches from 1 MiB on (runtime/memmove_amd64.s, gobble_big_data). That is right for what
// the cache cannot hold, and twice as slow for what it can: 42 µs against 24 for 1 MiB, 658 against 1600 for 16 MiB. So
// buffers up to cachedBytes are copied in smaller pieces.
//
// One core cannot fill the memory's channels. So the sender, who waits anyway, copies too: the receiver takes pieces from
// the front and the sender from the back until none is left (64 MiB in 3.1 ms instead of 3.1 to 5.4, 16 MiB in 0.5
// instead of 0.9). A sender that does something else leaves all to the receiver.

package inproc

import (
	"sync/atomic"

	"gpubench/gpu"
)

const (
	cachedBytes = 2 << 20
	cachedPiece = 256 << 10 // at most this much at once keeps the caches in use
	sharedBytes = 1 << 20   // from here on the sender helps
	sharedPiece = 128 << 10 // of a buffer up to cachedBytes
	sharedLarge = 1 << 20   // of a longer one: each piece goes around the caches
)

// hostCopy fills dst's beginning with src.
func hostCopy(dst, src gpu.Memory) { copyBytes(dst.Bytes(), src.Bytes(), src.Len) }

// copyBytes copies all of src, a part of a message of so many bytes.
func copyBytes(dst, src []byte, message int) {
	if message <= cachedBytes {
		for len(src) > cachedPiece {
			copy(dst[:cachedPiece], src[:cachedPiece])
			dst, src = dst[cachedPiece:], src[cachedPiece:]
		}
	}
	copy(dst, src)
}

// shared is a copy that both sides take part in. Each takes tickets while there are any: the receiver's k-th is the k-th
// piece from the front, the sender's the k-th from the back.
type shared struct {
	dst     gpu.Memory
	pieces  int64
	tickets atomic.Int64 // left; below 0: none
	helped  atomic.Int64 // pieces that the sender has copied
	mine    int64        // pieces that the receiver has copied
}

func pieceOf(n int) int {
	if n <= cachedBytes {
		return sharedPiece
	}
	return sharedLarge
}

// share gets a copy of src to dst ready; dst is as long as src.
func (h *shared) share(dst gpu.Memory) {
	piece := pieceOf(dst.Len)
	h.dst, h.mine = dst, 0
	h.pieces = int64((dst.Len + piece - 1) / piece)
	h.helped.Store(0)
	h.tickets.Store(h.pieces)
}

// piece copies the i-th.
func (h *shared) piece(src gpu.Memory, i int64) {
	size := pieceOf(src.Len)
	off := int(i) * size
	n := min(size, src.Len-off)
	copyBytes(h.dst.Slice(off, n).Bytes(), src.Slice(off, n).Bytes(), src.Len)
}

// front is the receiver's part.
func (h *shared) front(src gpu.Memory) {
	for h.tickets.Add(-1) >= 0 {
		h.piece(src, h.mine)
		h.mine++
	}
}

// help is the sender's part.
func (h *shared) help(src gpu.Memory) {
	for k := int64(1); h.tickets.Add(-1) >= 0; k++ {
		h.piece(src, h.pieces-k)
		h.helped.Store(k)
	}
}

// over reports, to the receiver, whether all has been copied.
func (h *shared) over() bool { return h.mine+h.helped.Load() == h.pieces }
