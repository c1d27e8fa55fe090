package gpu

import "github.com/barnex/cuda5/cu"

// What the overhead is measured against, for benchmarks outside this package.
func (s *Stream) Raw() cu.Stream     { return s.h }
func (e *Event) Raw() cu.Event       { return e.h }
func (f *Function) Raw() cu.Function { return f.h }
func (d *Device) Table() *cu.Driver  { return d.table }
func (s *Stream) Check()             { s.check() }

// Catch is a function that does nothing but stand ready for a panic.
func Catch() (err error) {
	call := ""
	defer catch(&call, &err)
	return nil
}
