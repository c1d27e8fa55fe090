// Leaks: what was made and not freed, by where it was made.

package gpu

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
)

// Leak is something that was made and not freed.
type Leak struct {
	Kind   string // "buffer", "stream", …
	Site   string // file:line of the call
	Device string // "emulated:0"
	Size   int    // B; buffers
}

func (l Leak) String() string {
	if l.Size > 0 {
		return fmt.Sprintf("%s of %d B on %s from %s", l.Kind, l.Size, l.Device, l.Site)
	}
	return fmt.Sprintf("%s on %s from %s", l.Kind, l.Device, l.Site)
}

// LeakError lists what a device that was closed still had.
type LeakError struct{ Leaks []Leak }

func (e *LeakError) Error() string {
	var list []string
	for _, l := range e.Leaks {
		list = append(list, l.String())
	}
	return "not freed: " + strings.Join(list, "; ")
}

// open lists the devices that have not been closed.
var (
	openMu sync.Mutex
	open   = map[*Device]bool{}
)

// track notes a thing, and where outside this package it was made.
func (d *Device) track(thing any, kind string, size int) {
	l := Leak{Kind: kind, Site: callSite(), Device: d.String(), Size: size}
	openMu.Lock()
	open[d] = true
	openMu.Unlock()
	d.mu.Lock()
	d.live[thing] = l
	d.mu.Unlock()
}

// callSite is the first caller outside this package, as folder/file:line.
func callSite() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "gpubench/gpu.") || strings.HasSuffix(f.File, "_test.go") || !more {
			return fmt.Sprintf("%s:%d", filepath.Join(filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File)), f.Line)
		}
	}
}

// untrack notes that a thing was freed; false: it had been already.
func (d *Device) untrack(thing any) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.live[thing]; !there {
		return false
	}
	delete(d.live, thing)
	return true
}

func (d *Device) leaks() []Leak {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Leak
	for _, l := range d.live {
		out = append(out, l)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].String() < out[j].String() })
	return out
}

func forget(d *Device) {
	openMu.Lock()
	delete(open, d)
	openMu.Unlock()
}

// Leaks lists what all open devices have that was not freed: for the end of a test program.
func Leaks() []Leak {
	openMu.Lock()
	defer openMu.Unlock()
	var out []Leak
	for d := range open {
		out = append(out, d.leaks()...)
	}
	return out
}
