// Package stencil is what the stencil benchmarks share.
package stencil

import (
	"fmt"

	"gpubench/internal/result"
	"gpubench/internal/suite/cut"
	"gpubench/internal/suite/phases"
)

// Settle makes a stencil's decomposition out of its flags: `blocks` where it is
// not given is that of least surface for `odf` blocks a PE, and else says what
// `odf` is. It returns the flag to mend, also where parameters contradict each
// other.
func Settle(p result.Params) (flag string, err error) {
	if part(p) != "" && p.String("field") != fieldModes {
		return "--part", fmt.Errorf("%s can be checked with the field modes alone: leave out --field %s", part(p), p.String("field"))
	}
	if l := launch(p); phases.On(p) && (l == launchGraph || l == launchAuto) {
		return "--phases", fmt.Errorf("a graph has no phases that could be timed: leave out --launch %s", l)
	}
	grid, pes := p.Ints("grid"), p.Int("pes")
	if p.Has("blocks") {
		p["odf"], err = cut.Check(grid, p.Ints("blocks"), pes, "--grid")
		return "--blocks", err
	}
	blocks, err := cut.Least(grid, pes*p.Int("odf"))
	if err == nil {
		p["blocks"] = blocks
	}
	return "--grid", err
}
