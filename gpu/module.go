// Module: a fatbin's kernels.

package gpu

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
)

// Module is a loaded image.
type Module struct {
	dev    *Device
	h      cu.Module
	closed bool
}

// Function is a kernel of a module; it lives as long as that.
type Function struct {
	module *Module
	h      cu.Function
	name   string
}

// FunctionAttribute is something that a function says of itself.
type FunctionAttribute int

// The attributes, numbered as the driver's.
const (
	MaxThreadsPerBlock FunctionAttribute = 0
	SharedSize         FunctionAttribute = 1 // B
	ConstSize          FunctionAttribute = 2 // B
	LocalSize          FunctionAttribute = 3 // B a thread: spills
	NumRegs            FunctionAttribute = 4
)

// LoadModule loads a fatbin, cubin or PTX. On `cpu` and `emulated` the image only names what was registered.
func (d *Device) LoadModule(image []byte) (*Module, error) {
	d.here()
	m := &Module{dev: d}
	var log string
	var r cu.Result
	m.h, log, r = cu.ModuleLoadDataLog(image)
	if err := failure("cuModuleLoadData", r); err != nil {
		if log = strings.TrimSpace(log); log != "" {
			return nil, fmt.Errorf("%w: %s", err, log)
		}
		return nil, err
	}
	d.track(m, "module", 0)
	return m, nil
}

// Function finds a kernel by name.
func (m *Module) Function(name string) (*Function, error) {
	m.dev.here()
	if m.closed {
		panic("gpu: use of a module after Close")
	}
	f := &Function{module: m, name: name}
	if err := call("cuModuleGetFunction", func() { f.h = cu.ModuleGetFunction(m.h, name) }); err != nil {
		return nil, fmt.Errorf("kernel %s: %w", name, err)
	}
	return f, nil
}

// Attribute asks the driver.
func (f *Function) Attribute(a FunctionAttribute) (v int, err error) {
	f.module.dev.here()
	err = call("cuFuncGetAttribute", func() { v = cu.FuncGetAttribute(cu.FunctionAttribute(a), f.h) })
	return v, err
}

// Close unloads the module.
func (m *Module) Close() error {
	m.dev.here()
	if m.closed {
		panic("gpu: Close of a module after Close")
	}
	m.closed = true
	m.dev.untrack(m)
	return call("cuModuleUnload", func() { cu.ModuleUnload(&m.h) })
}

func registerKernel(name, kinds string, phases int, body unsafe.Pointer) {
	emulated.RegisterKernel(name, kinds, phases, body)
}
