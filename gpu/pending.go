// The rest of the interface, until the binding below it is in the tree.
package gpu

import "unsafe"

type WaitMode uint8

const (
	Spin WaitMode = iota
	Yield
	Block
)

type Options struct {
	Threads int
	Wait    WaitMode
}

type Info struct {
	Name            string
	UUID            string // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
	PCIBusID        string
	ComputeMajor    int
	ComputeMinor    int
	TotalMemory     int64 // B
	Multiprocessors int
	MemoryClockHz   int64
	MemoryBusBits   int
	MemoryBandwidth float64 // B/s counting reads and writes, 0 where unknown
	DriverVersion   int     // 12040 is 12.4
	ClockHz         int64
	L2Bytes         int64
	AsyncEngines    int
}

type Dim3 struct{ X, Y, Z int }

type Device struct{}
type Buffer struct{}
type Stream struct{}
type Event struct{}
type Graph struct{}
type Module struct{}
type Function struct{}
type FunctionAttribute int

const (
	MaxThreadsPerBlock FunctionAttribute = 0
	SharedSize         FunctionAttribute = 1
	ConstSize          FunctionAttribute = 2
	LocalSize          FunctionAttribute = 3
	NumRegs            FunctionAttribute = 4
)

type IPCHandle struct {
	Mem  [64]byte
	Len  int64
	UUID [16]byte
}
type IPCEventHandle struct{ Event [64]byte }
type PointerInfo struct {
	Space  Space
	Device int // ordinal, -1 for pageable memory
	Base   uintptr
	Len    int
	Buffer uint64 // the driver's id of the allocation, 0 where it has none
}
type Leak struct {
	Kind, Site, Device string
	Size               int
}
type Layout struct {
	Memory      Memory
	Pitch, Rows int
}

const pending = "gpu: pending"

func Auto() (d Driver, reason string)                                    { panic(pending) }
func Count(d Driver) (int, error)                                        { panic(pending) }
func Open(d Driver, ordinal int, o Options) (*Device, error)             { panic(pending) }
func Leaks() []Leak                                                      { panic(pending) }
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) {} // kernels calls it when the program starts

func (d *Device) Bind() error                                    { panic(pending) }
func (d *Device) Unbind()                                        { panic(pending) }
func (d *Device) Close() error                                   { panic(pending) }
func (d *Device) Driver() Driver                                 { panic(pending) }
func (d *Device) Ordinal() int                                   { panic(pending) }
func (d *Device) Info() Info                                     { panic(pending) }
func (d *Device) Synchronize() error                             { panic(pending) }
func (d *Device) Alloc(s Space, n int, p Pages) (*Buffer, error) { panic(pending) }
func (d *Device) NewStream() (*Stream, error)                    { panic(pending) }
func (d *Device) NewEvent(timed bool) (*Event, error)            { panic(pending) }
func (d *Device) LoadModule(image []byte) (*Module, error)       { panic(pending) }
func (d *Device) MemInfo() (free, total int64, err error)        { panic(pending) }
func (d *Device) CanAccessPeer(o *Device) (bool, error)          { panic(pending) }
func (d *Device) EnablePeer(o *Device) error                     { panic(pending) }
func (d *Device) Export(b *Buffer) (IPCHandle, error)            { panic(pending) }
func (d *Device) Import(h IPCHandle) (*Buffer, error)            { panic(pending) }
func (d *Device) NewIPCEvent() (*Event, error)                   { panic(pending) }
func (d *Device) ExportEvent(e *Event) (IPCEventHandle, error)   { panic(pending) }
func (d *Device) ImportEvent(h IPCEventHandle) (*Event, error)   { panic(pending) }
func (d *Device) Pointer(addr uintptr) (PointerInfo, error)      { panic(pending) }
func (b *Buffer) Memory() Memory                                 { panic(pending) }
func (b *Buffer) Len() int                                       { panic(pending) }
func (b *Buffer) Slice(off, n int) Memory                        { panic(pending) }
func (b *Buffer) HugeBytes() (int64, error)                      { panic(pending) }
func (b *Buffer) Free() error                                    { panic(pending) }

func (s *Stream) Copy(dst, src Memory) error                                      { panic(pending) }
func (s *Stream) CopyPeer(dst Memory, to *Device, src Memory, from *Device) error { panic(pending) }
func (s *Stream) Copy2D(dst, src Layout, width, height int) error                 { panic(pending) }
func (s *Stream) Copy3D(dst, src Layout, width, height, depth int) error          { panic(pending) }
func (s *Stream) Fill(dst Memory, value byte) error                               { panic(pending) }
func (s *Stream) Fill32(dst Memory, value uint32) error                           { panic(pending) }
func (s *Stream) Launch(f *Function, grid, block Dim3, shared int, args ...uint64) error {
	panic(pending)
}
func (s *Stream) Record(e *Event) error                          { panic(pending) }
func (s *Stream) WaitEvent(e *Event) error                       { panic(pending) }
func (s *Stream) Sync() error                                    { panic(pending) }
func (s *Stream) Query() (bool, error)                           { panic(pending) }
func (s *Stream) HostFunc(f func()) error                        { panic(pending) }
func (s *Stream) Capture(f func() error) (*Graph, error)         { panic(pending) }
func (s *Stream) Device() *Device                                { panic(pending) }
func (s *Stream) Close() error                                   { panic(pending) }
func (e *Event) Query() (bool, error)                            { panic(pending) }
func (e *Event) Sync() error                                     { panic(pending) }
func (e *Event) Since(start *Event) (seconds float64, err error) { panic(pending) }
func (e *Event) Close() error                                    { panic(pending) }
func (g *Graph) Launch(s *Stream) error                          { panic(pending) }
func (g *Graph) Close() error                                    { panic(pending) }
func (m *Module) Function(name string) (*Function, error)        { panic(pending) }
func (m *Module) Close() error                                   { panic(pending) }
func (f *Function) Attribute(a FunctionAttribute) (int, error)   { panic(pending) }
