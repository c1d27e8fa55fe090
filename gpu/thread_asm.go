//go:build cgo && (amd64 || arm64)

package gpu

import _ "runtime/cgo" // threads are made by the C library: else the pointer is not set up

// threadPointer identifies the calling OS thread among the living ones, in about a nanosecond: the C library's thread
// pointer. A goroutine's identity would not do, since a chare's threaded methods are coroutines that run on the PE's
// thread. It is reused after a thread has ended; then the binding below finds no table on the new thread and panics.
func threadPointer() uintptr
