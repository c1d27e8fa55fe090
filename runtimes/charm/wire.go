// The layout of messages between schedulers, little-endian. All begin alike:
//
//	0  kind (5 bits), mode (3 bits)   1  session (1 B)   2  number of method, reducer or class; or port (2 B)   4  collection (4 B)
//
// and what follows depends on the kind:
//
//	entry      8 element   16 message
//	broadcast  8 section (8 B)   16 root of the spanning tree   20 epoch   24 message
//	reduce     8 section (8 B)   16 sequence   20 epoch   24 target (24 B)   48 value
//	channel    8 element   12 sender's element   16 sender's collection   20 sequence   24 payload, or 24 length 32 tag
//	future     4 slot   8 generation   16 value
//	long       4 tag   8 length: the message itself comes under that tag
//	tags       16 numbers (2 B each) that may be used again
//	section    8 section (8 B)   16 root   24 elements (4 B each)
//	create     8 map   16 root   20 dimensions   24 extents (3 × 4 B)   36 length of name   40 name, message
//	sync       8 sync points so far   16 contributions   20 elements: (4 B, load ns 8 B) each, then peers (4 B, 4 B each)
//	places     8 sync point   16 root   24 ns to decide   32 imbalance before   40 after   48 moves: element, PE (4 B each)
//	chare      8 element   12 sync point   16 channels   24 channels (20 B each), state; its number is the resume method
//	cargo      8 element   12 buffer   16 length   24 tag
//	join       4 run   8 hash of names   16 hash of arrays        go  4 run        exit  4 run   16 root
//	fail       16 text        quiet  16 target        wave  4 number        sum  4 number   8 made   16 done
//	probe      4 number       report 4 number   8 idle ns   16 text
//
// On the wire a checksum of 4 bytes follows.
package charm

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"unsafe"
)

type kind uint8

const (
	kindNone kind = iota
	kindEntry
	kindBroadcast
	kindReduce
	kindChannel
	kindFuture
	kindSection
	kindCreate
	kindSync
	kindPlaces
	kindChare
	kindCargo
	kindLong
	kindTags
	kindWantTags
	kindJoin
	kindGo
	kindExit
	kindFail
	kindQuiet
	kindWave
	kindSum
	kindProbe
	kindReport
)

var kindNames = [...]string{"none", "entry", "broadcast", "reduce", "channel", "future", "section", "create", "sync", "places", "chare", "cargo", "long", "tags",
	"want tags", "join", "go", "exit", "fail", "quiet", "wave", "sum", "probe", "report"}

// counted reports whether detection of quiescence counts such messages: those that can make a chare act.
func (k kind) counted() bool { return k >= kindEntry && k <= kindCargo }

func (k kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

const (
	headerLen  = 16
	bcastLen   = 24
	reduceLen  = 48
	channelLen = 24
	createLen  = 40
	noRoot     = 1<<32 - 1
)

var le = binary.LittleEndian

func putHeader(b []byte, k kind, number uint16, coll, elem uint32) {
	_ = b[15]
	le.PutUint64(b, uint64(k)|uint64(number)<<16|uint64(coll)<<32)
	le.PutUint64(b[8:], uint64(elem))
}

func putSection(b []byte, k kind, number uint16, coll uint32, sec uint64) {
	_ = b[15]
	le.PutUint64(b, uint64(k)|uint64(number)<<16|uint64(coll)<<32)
	le.PutUint64(b[8:], sec)
}

// kindBits is how many bits of the first byte are the kind; the rest is a mode, or a phase.
const kindBits = 5

func kindOf(b []byte) kind          { return kind(b[0] & (1<<kindBits - 1)) }
func mode(b []byte) uint8           { return b[0] >> kindBits }
func setMode(b []byte, m uint8)     { b[0] |= m << kindBits }
func number(b []byte) uint16        { return le.Uint16(b[2:]) }
func word(b []byte, at int) uint32  { return le.Uint32(b[at:]) }
func root(b []byte) uint32          { return le.Uint32(b[16:]) }
func setRoot(b []byte, root uint32) { le.PutUint64(b[16:], uint64(root)) }

// sealLen is the length of the checksum behind a message.
const sealLen = 4

// checksum covers a message but for a channel's payload inside, which is the program's to check. A single flipped bit
// always changes it: rotations and exclusive or lose none.
func checksum(b []byte) uint32 {
	n := len(b)
	if n >= channelLen && kindOf(b) == kindChannel && mode(b) == modeInline {
		b = b[:channelLen]
	}
	h := uint64(n) << 20
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h, 9) ^ le.Uint64(b)
	}
	for _, x := range b {
		h = bits.RotateLeft64(h, 9) ^ uint64(x)
	}
	return uint32(h) ^ uint32(h>>32)
}

// unseal takes the checksum off a message.
func unseal(src int, b []byte) ([]byte, error) {
	n := len(b) - sealLen
	if n < headerLen {
		return nil, fmt.Errorf("charm: a message from PE %d, offset %d: expected at least %d bytes, found %d",
			src, len(b), headerLen+sealLen, len(b))
	}
	if want, got := checksum(b[:n]), le.Uint32(b[n:]); want != got {
		return nil, fmt.Errorf("charm: a message of %d B from PE %d, offset %d: expected checksum %#08x, found %#08x: it was damaged on its way",
			n, src, n, want, got)
	}
	return b[:n], nil
}

// target is where a value goes in the end. It travels as it lies in memory.
type target struct {
	kind   uint16
	method uint16
	coll   uint32 // of a future: its PE
	elem   uint32 // of a future: its slot
	gen    uint32
	sec    uint64
}

const (
	toNobody uint16 = iota
	toElem
	toSection
	toFuture
)

// Target is where a value of type T goes: an entry method (Entry.To, Entry.ToAll) or a future (Future.Target). A plain
// value that messages may carry. The zero Target drops what it is given.
type Target[T any] struct{ t target }

func (t target) put(b []byte) { *(*target)(unsafe.Pointer(unsafe.SliceData(b[:unsafe.Sizeof(t)]))) = t }
func targetAt(b []byte) target {
	return *(*target)(unsafe.Pointer(unsafe.SliceData(b[:unsafe.Sizeof(target{})])))
}

// bytesAs views aligned bytes as a T.
func bytesAs[T any](b []byte) *T { return (*T)(unsafe.Pointer(unsafe.SliceData(b))) }
