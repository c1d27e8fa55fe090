//go:build !cgo

// Package emulated is a CUDA driver carried out on the CPU, in C. Built without cgo it has no drivers.
package emulated

import (
	"errors"
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

const noCgo = "emulated: built without cgo: there is no emulated and no cpu driver (CGO_ENABLED=1 and a C compiler)"

// Driver panics: see the package comment.
func Driver() *cu.Driver { panic(noCgo) }

// CPU panics: see the package comment.
func CPU() *cu.Driver { panic(noCgo) }

// RegisterKernel does nothing.
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) {}

// SetTeam returns 1.
func SetTeam(n int) int { return 1 }

// CheckEnv says that the drivers are not there.
func CheckEnv() error { return errors.New(noCgo) }
