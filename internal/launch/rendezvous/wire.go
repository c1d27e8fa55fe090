// What a PE and the server say to each other.
//
// A PE opens with a hello of fixed size. All else is frames: a kind, the body's length, the body. For each round the PE
// sends one frame of data, and gets one for each PE in the order of ranks, or a lost one.

package rendezvous

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

const (
	magic       = "gpubrv01"
	secretBytes = 32
	helloBytes  = len(magic) + secretBytes + 4 + 4
	headBytes   = 1 + 4
	askBytes    = 4 + 4 // before the data of a PE: the round and its timeout
)

// Kinds of frames.
const (
	kindWelcome = 'w' // the hello was right
	kindRefused = 'r' // it was not: why
	kindData    = 'd' // to the server: an ask; to a PE: one PE's data
	kindLost    = 'l' // the round cannot be finished: rank and why
	kindBye     = 'b' // the PE is leaving
)

// maxText is the longest text in a frame.
const maxText = 1 << 10

type hello struct {
	secret     [secretBytes]byte
	rank, size uint32
}

func (h hello) bytes() []byte {
	b := append([]byte(magic), h.secret[:]...)
	b = binary.BigEndian.AppendUint32(b, h.rank)
	return binary.BigEndian.AppendUint32(b, h.size)
}

// parseHello reads what bytes made; ok is false for anything else.
func parseHello(b []byte) (h hello, ok bool) {
	if len(b) != helloBytes || string(b[:len(magic)]) != magic {
		return h, false
	}
	b = b[len(magic):]
	copy(h.secret[:], b)
	h.rank = binary.BigEndian.Uint32(b[secretBytes:])
	h.size = binary.BigEndian.Uint32(b[secretBytes+4:])
	return h, true
}

// ask is a PE's part of a round.
type ask struct {
	round   uint32
	timeout time.Duration // in whole milliseconds
	data    []byte
}

func (a ask) bytes() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, askBytes+len(a.data)), a.round)
	ms := min(max(a.timeout.Milliseconds(), 0), 1<<31)
	return append(binary.BigEndian.AppendUint32(b, uint32(ms)), a.data...)
}

func parseAsk(b []byte) (a ask, ok bool) {
	if len(b) < askBytes || len(b) > askBytes+MaxData {
		return a, false
	}
	a.round = binary.BigEndian.Uint32(b)
	a.timeout = time.Duration(binary.BigEndian.Uint32(b[4:])) * time.Millisecond
	a.data = b[askBytes:]
	return a, true
}

func (e *LostError) bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(e.Rank))
	return append(b, e.Reason[:min(len(e.Reason), maxText-4)]...)
}

func parseLost(b []byte) (*LostError, bool) {
	if len(b) < 4 || len(b) > maxText {
		return nil, false
	}
	return &LostError{int(binary.BigEndian.Uint32(b)), string(b[4:])}, true
}

// frame makes the bytes of a frame.
func frame(kind byte, body []byte) []byte {
	b := append(make([]byte, 0, headBytes+len(body)), kind)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

// readFrame reads one frame, with a body of at most limit bytes.
func readFrame(r io.Reader, limit int) (kind byte, body []byte, err error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if uint64(n) > uint64(limit) {
		return 0, nil, fmt.Errorf("a message of %d bytes is longer than %d", n, limit)
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return head[0], body, nil
}
