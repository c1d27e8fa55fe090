// Module: kernels loaded from an image.

package gpu

import (
	"fmt"
	"strings"

	"github.com/barnex/cuda5/cu"
)

// Module is a loaded image.
type Module struct {
	resource
	h         cu.Module
	functions map[string]*Function
}

// Function is a kernel of a module. It lives as long as the module.
type Function struct {
	module *Module
	name   string
	h      cu.Function
}

// LoadModule loads a fatbin, cubin or PTX. On Emulated and CPU any such image will do, and one that begins with
// "GPUBENCH-EMULATED": their kernels are those registered with RegisterKernel. image is copied.
func (d *Device) LoadModule(image []byte) (*Module, error) {
	d.check()
	h, log, r := cu.ModuleLoadDataLog(image)
	if r != cu.SUCCESS {
		err := fmt.Errorf("load a module of %d B on %v: %w", len(image), d, failed("cuModuleLoadDataEx", r))
		if log = strings.TrimSpace(log); log != "" {
			err = fmt.Errorf("%w: the driver's compiler says: %s", err, log)
		}
		return nil, err
	}
	m := &Module{h: h, functions: map[string]*Function{}}
	d.own(&m.resource, "module", m.release)
	return m, nil
}

func (m *Module) release() (err error) {
	call := "cuModuleUnload"
	defer catch(&call, &err)
	cu.ModuleUnload(&m.h)
	return nil
}

// Close unloads the module and its functions. Closing twice panics.
func (m *Module) Close() error { return m.close() }

// Function finds a kernel by its name, as `extern "C"` gives it.
func (m *Module) Function(name string) (f *Function, err error) {
	m.check()
	if f := m.functions[name]; f != nil {
		return f, nil
	}
	call := "cuModuleGetFunction"
	defer func() {
		if err != nil {
			f, err = nil, fmt.Errorf("kernel %s on %v: %w", name, m.dev, err)
		}
	}()
	defer catch(&call, &err)
	f = &Function{module: m, name: name, h: cu.ModuleGetFunction(m.h, name)}
	m.functions[name] = f
	return f, nil
}

// Name is the kernel's name.
func (f *Function) Name() string { return f.name }

// FunctionAttribute is something that a compiled kernel tells of itself (CUfunction_attribute).
type FunctionAttribute int

// Sizes are in bytes: shared and constant memory of the kernel's own, local memory of a thread.
const (
	MaxThreadsPerBlock FunctionAttribute = 0
	SharedSize         FunctionAttribute = 1
	ConstSize          FunctionAttribute = 2
	LocalSize          FunctionAttribute = 3
	NumRegs            FunctionAttribute = 4
)

// Attribute asks for an attribute.
func (f *Function) Attribute(a FunctionAttribute) (value int, err error) {
	f.module.check()
	call := "cuFuncGetAttribute"
	defer catch(&call, &err)
	return cu.FuncGetAttribute(cu.FunctionAttribute(a), f.h), nil
}
