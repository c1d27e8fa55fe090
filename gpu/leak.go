// Lifetimes: what is alive, where it came from, and what was forgotten.

package gpu

import (
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
)

// Leak is something that is open still: a buffer, stream, event, graph, module or device.
type Leak struct {
	Kind   string // "buffer", "stream", "event", "graph", "module", "device"
	Site   string // file:line of the call that made it
	Func   string // the function that called
	Device string // "emulated:0"
	Size   int    // bytes, of buffers
	Space  Space  // of buffers
}

func (l Leak) String() string {
	what := l.Kind
	if l.Kind == "buffer" {
		what = fmt.Sprintf("buffer of %d B (%v)", l.Size, l.Space)
	}
	return fmt.Sprintf("%s on %s from %s (%s)", what, l.Device, l.Site, l.Func)
}

// LeakError is what Device.Close returns when something was not freed before; Close has freed it then.
type LeakError struct {
	Device string
	Leaks  []Leak
}

func (e *LeakError) Error() string {
	lines := make([]string, len(e.Leaks))
	for i, l := range e.Leaks {
		lines[i] = l.String()
	}
	return fmt.Sprintf("%s closed with %d leaked: %s", e.Device, len(e.Leaks), strings.Join(lines, "; "))
}

// Leaks lists, oldest first, all that is open in this process, devices included. A test's end and a worker's end
// call it: an empty answer means that everything was given back.
func Leaks() []Leak {
	registry.Lock()
	var devices []*Device
	for d := range registry.open {
		devices = append(devices, d)
	}
	registry.Unlock()
	sort.Slice(devices, func(i, j int) bool { return devices[i].born.serial < devices[j].born.serial })
	var all []Leak
	for _, d := range devices {
		all = append(all, d.born.leak("device", d, 0, 0))
		all = append(all, d.leaks()...)
	}
	return all
}

// registry holds the devices that are open, and which of them each thread has bound, the current one last.
var registry = struct {
	sync.Mutex
	open    map[*Device]struct{}
	threads map[uintptr][]*Device
	serial  int
}{open: map[*Device]struct{}{}, threads: map[uintptr][]*Device{}}

// birth is where and in which order something was made.
type birth struct {
	serial int
	pcs    [8]uintptr
}

func newBirth() (b birth) {
	runtime.Callers(2, b.pcs[:])
	registry.Lock()
	registry.serial++
	b.serial = registry.serial
	registry.Unlock()
	return b
}

// site finds the first caller outside this package.
func (b *birth) site() (site, function string) {
	n := len(b.pcs)
	for n > 0 && b.pcs[n-1] == 0 {
		n--
	}
	frames := runtime.CallersFrames(b.pcs[:n])
	for {
		f, more := frames.Next()
		inside := strings.HasPrefix(f.Function, packagePath+".") && !strings.HasSuffix(f.File, "_test.go")
		if !inside || !more {
			return fmt.Sprintf("%s:%d", f.File, f.Line), f.Function
		}
	}
}

func (b *birth) leak(kind string, d *Device, size int, space Space) Leak {
	site, function := b.site()
	return Leak{Kind: kind, Site: site, Func: function, Device: d.String(), Size: size, Space: space}
}

// packagePath is this package's import path as function names show it.
var packagePath = func() string {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name() // gpubench/gpu.init.func1 or gpubench/gpu.glob..func1
	slash := strings.LastIndexByte(name, '/')
	return name[:slash+1+strings.IndexByte(name[slash+1:], '.')]
}()

// resource is what a buffer, stream, event, graph or module has in common. It is used on its device's thread only.
type resource struct {
	dev    *Device
	kind   string
	size   int
	space  Space
	closed bool
	born   birth
	stream *Stream      // of a stream's own resource
	free   func() error // gives the driver's object back; what Close of the device calls for a leak
}

// own makes r, a part of a new object of d, known to d.
func (d *Device) own(r *resource, kind string, free func() error) {
	*r = resource{dev: d, kind: kind, size: r.size, space: r.space, born: newBirth(), free: free}
	d.mu.Lock()
	d.owned[r] = struct{}{}
	d.mu.Unlock()
}

// check panics unless r is open and its device is bound to the calling thread. It costs about 2 ns.
func (r *resource) check() {
	if r.closed || threadPointer() != r.dev.thread.Load() {
		r.misuse()
	}
}

func (r *resource) misuse() {
	if r.closed {
		r.usedClosed()
	}
	r.dev.misuse()
}

// alive panics when r is closed; for what may be called from any thread.
func (r *resource) alive() {
	if r.closed {
		r.usedClosed()
	}
}

func (r *resource) usedClosed() {
	site, _ := r.born.site()
	verb := "closed"
	if r.kind == "buffer" {
		verb = "freed"
	}
	panic(fmt.Sprintf("gpu: use of a %s %s on %v, made at %s", verb, r.kind, r.dev, site))
}

// close gives r back; closing twice is our bug and panics.
func (r *resource) close() error {
	r.check()
	r.closed = true
	r.dev.mu.Lock()
	delete(r.dev.owned, r)
	r.dev.mu.Unlock()
	return r.free()
}

// leaks lists what d owns, oldest first.
func (d *Device) leaks() []Leak {
	var list []Leak
	for _, r := range d.living() {
		list = append(list, r.born.leak(r.kind, d, r.size, r.space))
	}
	return list
}

func (d *Device) living() []*resource {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*resource, 0, len(d.owned))
	for r := range d.owned {
		list = append(list, r)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].born.serial < list[j].born.serial })
	return list
}
