// Driver: the small interface that a transport's implementation fills. Checks, staging, deadlines and counters stand
// above it, once, in Endpoint.

package transport

import "gpubench/gpu"

const (
	AnySource = -1        // receive from whichever PE sends first
	AnyTag    = -1        // receive whatever the tag
	MaxTag    = 1<<15 - 1 // the largest tag every MPI library guarantees (MPI 4.1, 9.1.2: MPI_TAG_UB ≥ 32767)
)

// What each context carries. Messages of one context never match receives of another. Those from CtxFree up to
// Caps.Contexts-1 are for duplicated communicators.
const (
	CtxControl    uint8 = 0 // the measuring loop's own: always plain host memory, never staged
	CtxModel      uint8 = 1 // a model's point-to-point messages
	CtxCollective uint8 = 2 // a model's collectives
	CtxCharm      uint8 = 3 // payloads that active messages name
	CtxStaging    uint8 = 4 // what follows the first chunk of a pipelined message; Endpoint's own
	CtxFree       uint8 = 5
)

// OpKind says whether an Op sends or receives.
type OpKind uint8

const (
	OpSend OpKind = iota
	OpRecv
)

// String is "send" or "recv".
func (k OpKind) String() string {
	if k == OpRecv {
		return "recv"
	}
	return "send"
}

// Op is one send or receive. Peer may be AnySource and Tag AnyTag in a receive. ID comes back in the Completion; no two
// operations under way have the same one. Buf must stay untouched (a send: unwritten) until the completion.
type Op struct {
	Kind OpKind
	Ctx  uint8
	Peer int32
	Tag  int32
	ID   uint32
	Buf  gpu.Memory
}

// Completion is the end of one Op. For a receive, Peer and Tag are the message's own and Len its length in bytes; with
// an error they are as far as known, else those of the Op. Err matches (errors.Is) one of the kinds of this package:
// ErrTruncated, ErrPeerDied, ErrCancelled, ErrUnsupported.
type Completion struct {
	ID   uint32
	Peer int32
	Tag  int32
	Len  int
	Err  error
}

// Driver is what an implementation fills. It belongs to one locked OS thread, which makes every call. Matching is MPI's:
// a message goes to the earliest posted receive that accepts it, a receive takes the earliest message it accepts, and
// messages of a pair in one context do not overtake each other.
//
// A driver may rely on what Endpoint checks: peers, tags and contexts are in range, spaces are those of Caps, ids are
// unique, and buffers live long enough.
type Driver interface {
	// Do posts ops (all of them, in order), then makes progress until as many completions have been reaped as ops were
	// posted, at least one, or polls passes were made, and returns how many entries of done it filled, all that there is
	// room for at most. polls 0 posts only. One crossing into C.
	// An error means that the driver can do no more; what befalls one operation is in its Completion.
	Do(ops []Op, done []Completion, polls int) (int, error)

	// SendHeader sends a small active message from host memory, ordered per pair with other headers, and is done with h
	// when it returns. sent is false when the queue is full: make progress and try again.
	SendHeader(peer int, h []byte) (sent bool, err error)

	// RecvHeader takes the next header, if one is there, and makes one pass of progress. buf must hold Caps.MaxHeader.
	// ErrPeerDied comes once for each PE that died, when its headers have been taken.
	RecvHeader(buf []byte) (peer, n int, ok bool, err error)

	// Cancel asks for an operation's end: it then completes with ErrCancelled, or normally where it was too late.
	// An id that has completed already is ignored.
	Cancel(id uint32) error

	// Probe looks among the messages that have come for the one that a receive of that context, peer and tag would take
	// if it were posted now. It takes nothing, and progress is Do's affair. Where there is none, and a receive would end
	// with ErrPeerDied, so does Probe: Status.Source is then the PE that is gone, AnySource where no single one is meant.
	Probe(ctx uint8, peer, tag int32) (st Status, ok bool, err error)

	Caps() Caps

	// Lane says what carries such an operation, as far as is known. It may ask the library: not for timed code.
	Lane(op Op) Lane

	// Close withdraws what is under way and frees what the driver holds. Peers that still wait for this PE get
	// ErrPeerDied. After it, no buffer is touched any more.
	Close() error
}

// Place says where a PE runs.
type Place struct {
	Host      string // host name
	PID       int    // process, 0 where not known
	Node      int    // nodes are numbered by their least PE; those of one node share memory
	LocalRank int    // number of the PE within its node
	LocalSize int    // PEs of that node
}

// Caps says what a driver is and can do. It does not change while the driver is open.
type Caps struct {
	Name       string // "inproc", "mpi", …
	Version    string // of the library underneath, empty where there is none
	Rank, Size int
	Contexts   int       // at least 8
	MaxHeader  int       // longest header in bytes, at least 1024
	MaxLen     int       // longest message in bytes; 0: no limit
	Spaces     [4]bool   // by gpu.Space: taken as it is, without staging
	Why        [4]string // by gpu.Space: if not, what is missing
	Places     []Place   // by rank
}

// Lane says what really carried an operation.
type Lane struct {
	Name     LaneName
	HowKnown string // "by construction", "asked the request", …
	Detail   string
}

// LaneName is the `path_taken` of a record.
type LaneName string

const (
	LaneHost          LaneName = "host"           // it was in host memory all along
	LaneStaged        LaneName = "staged"         // Endpoint copied through the host
	LaneCopy          LaneName = "copy"           // our own device copy
	LaneIPC           LaneName = "ipc"            // the library's copy between processes of one host
	LaneLibraryStaged LaneName = "library-staged" // the library was given a device pointer and went through the host
	LaneUnknown       LaneName = "unknown"
)
