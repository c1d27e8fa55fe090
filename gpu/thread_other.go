//go:build !cgo || !(amd64 || arm64)

package gpu

import "golang.org/x/sys/unix"

// threadPointer identifies the calling OS thread; where the assembly does not serve it costs a system call.
func threadPointer() uintptr { return uintptr(unix.Gettid()) }
