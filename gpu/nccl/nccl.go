// Package nccl is NVIDIA's collective library, loaded at run time where it is there. Nothing of it is needed to build.
//
// It has been tried on a test double alone, over the emulated driver (testdata/double.c), which shows the calls and their
// arguments; never on a real NCCL.
package nccl

/*
#cgo CFLAGS: -std=c11 -Wall -Wextra
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include "nccl.h"

static const char *gb_file(const gb_nccl *f) {
	Dl_info i;
	return dladdr((void *)f->get_version, &i) && i.dli_fname ? i.dli_fname : "";
}

static int gb_version(const gb_nccl *f, int *v) { return f->get_version(v); }
static int gb_id(const gb_nccl *f, gb_nccl_id *id) { return f->get_unique_id(id); }
static int gb_join(const gb_nccl *f, void **comm, int size, gb_nccl_id id, int rank) { return f->comm_init_rank(comm, size, id, rank); }
static int gb_leave(const gb_nccl *f, void *comm, int abort) { return abort ? f->comm_abort(comm) : f->comm_destroy(comm); }
static int gb_async(const gb_nccl *f, void *comm, int *error) { return f->comm_get_async_error(comm, error); }
static const char *gb_text(const gb_nccl *f, int result) { return f->get_error_string(result); }
static const char *gb_last(const gb_nccl *f, void *comm) { return f->get_last_error ? f->get_last_error(comm) : ""; }

typedef unsigned long long gb_addr; // an address: a Go pointer it is not
#define P(a) ((void *)(size_t)(a))
static int gb_broadcast(const gb_nccl *f, gb_addr buf, size_t n, int root, void *comm, gb_addr s) {
	return f->broadcast(P(buf), P(buf), n, GB_NCCL_UINT8, root, comm, P(s));
}
static int gb_reduce(const gb_nccl *f, gb_addr a, gb_addr b, size_t n, int root, void *comm, gb_addr s) {
	return f->reduce(P(a), P(b), n, GB_NCCL_FLOAT64, GB_NCCL_SUM, root, comm, P(s));
}
static int gb_all_reduce(const gb_nccl *f, gb_addr a, gb_addr b, size_t n, void *comm, gb_addr s) {
	return f->all_reduce(P(a), P(b), n, GB_NCCL_FLOAT64, GB_NCCL_SUM, comm, P(s));
}
static int gb_all_gather(const gb_nccl *f, gb_addr a, gb_addr b, size_t n, void *comm, gb_addr s) {
	return f->all_gather(P(a), P(b), n, GB_NCCL_UINT8, comm, P(s));
}
static int gb_reduce_scatter(const gb_nccl *f, gb_addr a, gb_addr b, size_t n, void *comm, gb_addr s) {
	return f->reduce_scatter(P(a), P(b), n, GB_NCCL_FLOAT64, GB_NCCL_SUM, comm, P(s));
}
static int gb_all_to_all(const gb_nccl *f, gb_addr a, gb_addr b, size_t n, int size, void *comm, gb_addr s) {
	return gb_nccl_all_to_all(f, P(a), P(b), n, size, comm, P(s));
}
*/
import "C"

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"gpubench/gpu"
)

// EnvLibrary is the variable that names the library outright, instead of the system's libnccl.so.2.
const EnvLibrary = "GPUBENCH_NCCL"

// Library is NCCL in this process.
type Library struct {
	path string
	f    *C.gb_nccl
}

var once = sync.OnceValues(load)

// Open loads NCCL for a driver, once a process. Where it is not there the error is errors.ErrUnsupported. On the emulated
// driver it takes what EnvLibrary names alone: a double, which must see the driver as the shared object (gpu.UseEmulated).
func Open(driver gpu.Driver) (*Library, error) {
	switch {
	case driver == gpu.CPU:
		return nil, unsupported("it is for device memory")
	case driver == gpu.Emulated && (os.Getenv(EnvLibrary) == "" || gpu.EmulatedPath() == ""):
		return nil, unsupported("it needs real GPUs")
	}
	return once()
}

func unsupported(format string, args ...any) error {
	return &gpu.UnsupportedError{Feature: "NCCL", Reason: fmt.Sprintf(format, args...)}
}

func load() (*Library, error) {
	l := &Library{path: os.Getenv(EnvLibrary), f: (*C.gb_nccl)(C.calloc(1, C.sizeof_gb_nccl))}
	mend := "; give " + EnvLibrary
	if l.path == "" {
		l.path, mend = "libnccl.so.2", mend+" its path"
	} else {
		mend += " the path of a libnccl.so.2"
	}
	name := C.CString(l.path)
	defer C.free(unsafe.Pointer(name))
	var text [512]C.char
	if C.gb_nccl_open(name, l.f, &text[0], C.int(len(text))) != 0 {
		return nil, unsupported("%s: %s%s", l.path, C.GoString(&text[0]), mend)
	}
	return l, nil
}

// File is where the library was found.
func (l *Library) File() string {
	if file := C.GoString(C.gb_file(l.f)); file != "" {
		return file
	}
	return l.path
}

// Version is NCCL's, as 2.21.5.
func (l *Library) Version() (string, error) {
	var v C.int
	if r := C.gb_version(l.f, &v); r != C.GB_NCCL_SUCCESS {
		return "", l.failure("ncclGetVersion", r, nil)
	}
	if v < 10000 { // until 2.8: a digit each for minor and patch
		return fmt.Sprintf("%d.%d.%d", v/1000, v/100%10, v%100), nil
	}
	return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100), nil
}

// ID names a communicator: one rank makes it, all join with it.
type ID [128]byte

// NewID makes the name of a communicator.
func (l *Library) NewID() (id ID, err error) {
	var c C.gb_nccl_id
	if r := C.gb_id(l.f, &c); r != C.GB_NCCL_SUCCESS {
		return id, l.failure("ncclGetUniqueId", r, nil)
	}
	return *(*ID)(unsafe.Pointer(&c)), nil
}

// Error is a failed call of NCCL's.
type Error struct {
	Call, Text string
	Code       int // ncclResult_t
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%d)", e.Call, e.Text, e.Code) }

func (l *Library) failure(call string, r C.int, comm unsafe.Pointer) error {
	e := &Error{Call: call, Text: C.GoString(C.gb_text(l.f, r)), Code: int(r)}
	if last := C.GoString(C.gb_last(l.f, comm)); last != "" {
		e.Text += ": " + last
	}
	if r == C.GB_NCCL_INVALID_USAGE && call == "ncclCommInitRank" {
		return unsupported("%v: it wants a GPU of its own for each PE", e)
	}
	return e
}

// Comm is this rank's side of a communicator. Its calls queue work on a stream, in order; the device of the calling thread is
// the rank's. Reductions add up float64s.
type Comm struct {
	lib        *Library
	h          unsafe.Pointer
	size, rank int
}

// Join makes this rank's side; it waits for all ranks. The calling thread has the rank's device bound. Where two ranks have
// one GPU the error is errors.ErrUnsupported.
func (l *Library) Join(id ID, size, rank int) (*Comm, error) {
	c := &Comm{lib: l, size: size, rank: rank}
	if r := C.gb_join(l.f, &c.h, C.int(size), *(*C.gb_nccl_id)(unsafe.Pointer(&id)), C.int(rank)); r != C.GB_NCCL_SUCCESS {
		return nil, l.failure("ncclCommInitRank", r, nil)
	}
	return c, nil
}

func (c *Comm) did(call string, r C.int) error {
	if r != C.GB_NCCL_SUCCESS {
		return c.lib.failure(call, r, c.h)
	}
	return nil
}

func addr(m gpu.Memory) C.gb_addr { return C.gb_addr(m.Addr) }

func handle(s *gpu.Stream) C.gb_addr { return C.gb_addr(s.Handle()) }

func floats(m gpu.Memory) C.size_t { return C.size_t(m.Len / 8) }

// Bcast copies root's buf to all ranks' buf.
func (c *Comm) Bcast(s *gpu.Stream, buf gpu.Memory, root int) error {
	return c.did("ncclBroadcast", C.gb_broadcast(c.lib.f, addr(buf), C.size_t(buf.Len), C.int(root), c.h, handle(s)))
}

// Reduce adds up all ranks' send in root's recv, which the others may leave empty.
func (c *Comm) Reduce(s *gpu.Stream, send, recv gpu.Memory, root int) error {
	return c.did("ncclReduce", C.gb_reduce(c.lib.f, addr(send), addr(recv), floats(send), C.int(root), c.h, handle(s)))
}

// Allreduce adds up all ranks' send in every rank's recv.
func (c *Comm) Allreduce(s *gpu.Stream, send, recv gpu.Memory) error {
	return c.did("ncclAllReduce", C.gb_all_reduce(c.lib.f, addr(send), addr(recv), floats(send), c.h, handle(s)))
}

// Allgather puts all ranks' send one after the other into every rank's recv.
func (c *Comm) Allgather(s *gpu.Stream, send, recv gpu.Memory) error {
	return c.did("ncclAllGather", C.gb_all_gather(c.lib.f, addr(send), addr(recv), C.size_t(send.Len), c.h, handle(s)))
}

// Alltoall sends block r of send to rank r and puts what rank r sends into block r of recv.
func (c *Comm) Alltoall(s *gpu.Stream, send, recv gpu.Memory) error {
	return c.did("ncclSend and ncclRecv", C.gb_all_to_all(c.lib.f, addr(send), addr(recv), C.size_t(send.Len/c.size), C.int(c.size), c.h, handle(s)))
}

// ReduceScatter adds up all ranks' send, of as many blocks as ranks and each as long as recv, and leaves block r in rank r's
// recv.
func (c *Comm) ReduceScatter(s *gpu.Stream, send, recv gpu.Memory) error {
	if send.Len != recv.Len*c.size {
		panic(fmt.Sprintf("nccl: reduce-scatter of %d B into %d B over %d ranks", send.Len, recv.Len, c.size))
	}
	return c.did("ncclReduceScatter", C.gb_reduce_scatter(c.lib.f, addr(send), addr(recv), floats(recv), c.h, handle(s)))
}

// Failed is what has gone wrong in queued work, nil where nothing has.
func (c *Comm) Failed() error {
	var e C.int
	if r := C.gb_async(c.lib.f, c.h, &e); r != C.GB_NCCL_SUCCESS {
		return c.did("ncclCommGetAsyncError", r)
	}
	if e == C.GB_NCCL_IN_PROGRESS {
		return nil
	}
	return c.did("queued work", e)
}

// Close leaves the communicator; queued work has ended. With abort it is given up, which does not wait for other ranks.
func (c *Comm) Close(abort bool) error {
	call, flag := "ncclCommDestroy", C.int(0)
	if abort {
		call, flag = "ncclCommAbort", 1
	}
	r := C.gb_leave(c.lib.f, c.h, flag)
	c.h = nil
	if r != C.GB_NCCL_SUCCESS {
		return c.lib.failure(call, r, nil)
	}
	return nil
}
