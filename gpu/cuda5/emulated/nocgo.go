//go:build !cgo

// Package emulated is a CUDA driver carried out on the CPU, in C: without cgo it is not there.
package emulated

import (
	"errors"
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

const without = "emulated: built without cgo (CGO_ENABLED=0): there is no emulated driver and no cpu driver"

// Driver panics: the emulated driver needs cgo.
func Driver() *cu.Driver { panic(without) }

// CPU panics: the cpu driver needs cgo.
func CPU() *cu.Driver { panic(without) }

// Open says that the package needs cgo.
func Open(path string) (*cu.Driver, error) { return nil, errors.New(without) }

// RegisterKernel panics: there is no driver to make a kernel known to.
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) { panic(without) }

// SetTeam panics: there are no launches.
func SetTeam(n int) { panic(without) }

// CheckEnv says that the package needs cgo.
func CheckEnv() error { return errors.New(without) }

// Variable is one of the environment variables that shape the drivers.
type Variable struct{ Name, Form, Does string }

// Variables lists nothing.
func Variables() []Variable { return nil }

// Calls panics: there are no drivers.
func Calls(d *cu.Driver) map[string]uint64 { panic(without) }

// Objects counts what is alive on a driver.
type Objects struct {
	DeviceBytes, Allocations, Chunks, HostRanges                        uint64
	Streams, Events, Graphs, Execs, Modules, Contexts, Workers, Handles uint64
}

// Alive panics: there are no drivers.
func Alive(d *cu.Driver) Objects { panic(without) }
