// Loading: from fatbins for real GPUs, from the registered bodies for the drivers that run on the CPU.
package kernels

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"gpubench/gpu"
	"gpubench/internal/library"
)

// ArchitectureError says that a fatbin has no code for this GPU, or PTX that the driver is too old for.
type ArchitectureError struct {
	File string   // the fatbin
	GPU  string   // "NVIDIA H100 (sm_90)"
	Have []string // what the fatbin has: sm_80, compute_80 (PTX)
	Err  error    // what the driver said
}

func (e *ArchitectureError) Error() string {
	return fmt.Sprintf("%s has nothing for %s: it has %s; build it with a CUDA toolkit that fits the driver: "+
		"GPUBENCH_NVCC=/usr/local/cuda/bin/nvcc GPUBENCH_CUDA_ARCHITECTURES=NN scripts/build.sh (%v)",
		e.File, e.GPU, strings.Join(e.Have, " "), e.Err)
}

// Unwrap gives the driver's error.
func (e *ArchitectureError) Unwrap() error { return e.Err }

// Codes of cuda.h by which a module that does not fit is told from one that is broken.
const (
	codeNoBinaryForGPU        = 209
	codeUnsupportedPTXVersion = 222
)

// emulatedImage stands for a module where kernels are registered bodies.
var emulatedImage = []byte("GPUBENCH-EMULATED\x00")

var (
	loadedMu sync.Mutex
	loaded   = map[*gpu.Device]*Set{}
)

// Load gives the kernels of a device that is bound to the calling thread; a second call gives the same set.
// Errors: *library.MissingError where a fatbin is not there (errors.Is os.ErrNotExist), *ArchitectureError where it
// has nothing for this GPU, else what the driver said.
func Load(dev *gpu.Device) (*Set, error) {
	loadedMu.Lock()
	k := loaded[dev]
	loadedMu.Unlock()
	if k != nil {
		return k, nil
	}
	info := dev.Info()
	k = &Set{dev: dev, processors: info.Multiprocessors, functions: make([]*gpu.Function, len(table))}
	if dev.Driver() == gpu.CPU {
		if err := k.prepareNow(); err != nil {
			return nil, fmt.Errorf("kernels: %w", err)
		}
	}
	if err := k.load(info); err != nil {
		return nil, errors.Join(err, k.release())
	}
	loadedMu.Lock()
	loaded[dev] = k
	loadedMu.Unlock()
	return k, nil
}

func (k *Set) load(info gpu.Info) error {
	files := map[string]*gpu.Module{}
	for i, e := range table {
		file := e.file
		if k.dev.Driver() != gpu.CUDA {
			file = "" // one module has them all
		}
		m := files[file]
		if m == nil {
			var err error
			if m, err = k.module(file, info); err != nil {
				return err
			}
			k.modules = append(k.modules, m)
			files[file] = m
		}
		var err error
		if k.functions[i], err = m.Function(e.name); err != nil {
			return fmt.Errorf("kernel %s: %w (were the fatbins built from this version? scripts/build.sh)", e.name, err)
		}
	}
	var err error
	if k.results, err = k.dev.Alloc(gpu.OnDevice, checkSlots*checkBytes, gpu.DefaultPages); err != nil {
		return fmt.Errorf("results of checks: %w", err)
	}
	if k.readback, err = k.dev.Alloc(gpu.Pinned, checkBytes, gpu.DefaultPages); err != nil {
		return fmt.Errorf("results of checks: %w", err)
	}
	return nil
}

// module loads one fatbin; file is empty for the drivers on the CPU.
func (k *Set) module(file string, info gpu.Info) (*gpu.Module, error) {
	if file == "" {
		return k.dev.LoadModule(emulatedImage)
	}
	path, err := library.Find(file + ".fatbin")
	if err != nil {
		return nil, err
	}
	image, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("kernels: %w", err)
	}
	m, err := k.dev.LoadModule(image)
	if e := (*gpu.Error)(nil); errors.As(err, &e) && (e.Code == codeNoBinaryForGPU || e.Code == codeUnsupportedPTXVersion) {
		have, _ := Architectures(image) // what cannot be read is left out
		return nil, &ArchitectureError{File: path, Have: have, Err: err,
			GPU: fmt.Sprintf("%s (sm_%d%d)", info.Name, info.ComputeMajor, info.ComputeMinor)}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Close unloads the set; its methods must not be called any more. Call it, or Unload, on the device's thread before
// the device is closed.
func (k *Set) Close() error {
	loadedMu.Lock()
	delete(loaded, k.dev)
	loadedMu.Unlock()
	return k.release()
}

// Unload closes the set of a device, if Load made one.
func Unload(dev *gpu.Device) error {
	loadedMu.Lock()
	k := loaded[dev]
	loadedMu.Unlock()
	if k == nil {
		return nil
	}
	return k.Close()
}

func (k *Set) release() error {
	var errs []error
	for _, b := range []*gpu.Buffer{k.results, k.readback} {
		if b != nil {
			errs = append(errs, b.Free())
		}
	}
	for _, m := range k.modules {
		errs = append(errs, m.Close())
	}
	k.results, k.readback, k.modules = nil, nil, nil
	return errors.Join(errs...)
}

// Code is one piece of what a fatbin holds: machine code, or PTX from which a driver makes it.
type Code struct {
	PTX  bool
	Arch int    // the least compute capability, 80 for 8.0
	ISA  [2]int // of PTX, major and minor: the driver must know this version
}

// String is sm_80 for machine code, compute_80 for PTX.
func (c Code) String() string {
	if c.PTX {
		return fmt.Sprint("compute_", c.Arch)
	}
	return fmt.Sprint("sm_", c.Arch)
}

// Contents lists what a fatbin has, in its order; of what can be read up to an error too. The layout is that of
// fatbinary_section.h and of what nvcc 11 to 13 write: a header of 16 bytes (magic, version, header size, payload size),
// then entries of kind, header size, payload size, at byte 24 the version (minor, major) and at byte 28 the architecture.
func Contents(fatbin []byte) ([]Code, error) {
	const magic, kindPTX, kindMachine = 0xba55ed50, 1, 2
	le := binary.LittleEndian
	if len(fatbin) < 16 || le.Uint32(fatbin) != magic {
		return nil, errors.New("kernels: no fatbin")
	}
	var have []Code
	for rest := fatbin[min(len(fatbin), int(le.Uint16(fatbin[6:]))):]; len(rest) >= 32; {
		kind, header, size := le.Uint16(rest), uint64(le.Uint32(rest[4:])), le.Uint64(rest[8:])
		if kind != kindPTX && kind != kindMachine || header < 32 || header+size < size || header+size > uint64(len(rest)) {
			return have, errors.New("kernels: this fatbin cannot be read to its end")
		}
		c := Code{PTX: kind == kindPTX, Arch: int(le.Uint32(rest[28:]))}
		if c.PTX {
			c.ISA = [2]int{int(le.Uint16(rest[26:])), int(le.Uint16(rest[24:]))}
		}
		have = append(have, c)
		rest = rest[header+size:]
	}
	return have, nil
}

// Architectures names what a fatbin has code for, each once: sm_80 for machine code, compute_80 for PTX.
func Architectures(fatbin []byte) ([]string, error) {
	list, err := Contents(fatbin)
	var have []string
	for _, c := range list {
		if name := c.String(); !slices.Contains(have, name) {
			have = append(have, name)
		}
	}
	return have, err
}

// Files lists the names of the fatbins that a GPU needs, for library.Find.
func Files() []string {
	var list []string
	for _, e := range table {
		if name := e.file + ".fatbin"; !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}
