// Protect: a body's panic ends its case and not its process.
package bench

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// protect calls f and turns a panic, a fault at a bad address included, into
// an error that says where it came from. Faults in C code end the process all
// the same; the supervisor's affair.
func (s *session) protect(what string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in %s: %v at %s", what, p, origin())
			if e, ok := p.(error); ok {
				err = fmt.Errorf("panic in %s: %w at %s", what, e, origin())
			}
		}
	}()
	return f()
}

// origin is the file and line of the innermost panic's cause. Called while the
// panic is being recovered.
func origin() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, "runtime."):
			panicking = panicking || f.Function == "runtime.gopanic"
		case panicking:
			return fmt.Sprintf("%s:%d", filepath.Join(filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File)), f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}
