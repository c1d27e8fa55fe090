// What becomes of cases that a benchmark cannot have: an error, a skipped case, or none.

package plan

import (
	"fmt"
	"slices"
	"strings"
)

// counts are the numbers of PEs of a benchmark's cases: those that it can have. Where there are none that is an error of one that
// was named alone, and of one named among others the cases are made all the same, to be skipped.
func (e *expander) counts(b Bench) (fit []int64, err error) {
	var notes []string
	for _, pes := range e.o.PEs {
		if b.fits(pes) {
			fit = append(fit, pes)
		} else {
			notes = append(notes, fmt.Sprintf("%s left out: it needs %s PEs, and -n is %d", b.Name, b.need(), pes))
		}
	}
	if len(fit) == 0 && len(e.o.Benchmarks) > 1 {
		return e.o.PEs, nil
	}
	if len(fit) == 0 && len(e.o.Benchmarks) == 1 {
		return nil, usage("-n", "%s needs %s PEs, got %s", b.Name, b.need(), strings.Trim(strings.ReplaceAll(fmt.Sprint(e.o.PEs), " ", ", "), "[]"))
	}
	e.notes = append(e.notes, notes...)
	return fit, nil
}

func (b Bench) fits(pes int64) bool { return pes >= b.MinPEs && (b.MaxPEs == 0 || pes <= b.MaxPEs) }

// need is how many PEs a benchmark wants.
func (b Bench) need() string {
	if b.MaxPEs == b.MinPEs {
		return fmt.Sprintf("exactly %d", b.MinPEs)
	}
	return fmt.Sprintf("at least %d", b.MinPEs)
}

// misfits is what comes of a benchmark none of whose cases, those from first on, fits: an error. Of one among others, which a
// flag of all benchmarks does not suit, the cases are skipped if it was named; else it is left out with a note.
func (e *expander) misfits(b Bench, misfit *UsageError, first int) error {
	spare := e.spare
	e.spare = nil
	if misfit == nil || slices.ContainsFunc(e.cases[first:], func(c Case) bool { return !c.Misfit }) {
		return nil
	}
	own := slices.ContainsFunc(b.Params, func(p Param) bool { return p.Flag != "" && p.Title() == misfit.Flag })
	switch {
	case own || len(e.o.Benchmarks) == 1:
		return misfit
	case len(e.o.Benchmarks) > 1:
		e.cases = append(e.cases, spare...)
	default:
		e.cases = e.cases[:first]
		e.notes = append(e.notes, fmt.Sprintf("%s is left out: %v", b.Name, misfit))
	}
	return nil
}

// keep adds a case, once: a flag that does not concern its model makes it again. What a benchmark cannot have is no case where it
// was not asked for one by one: a size out of a range, as OSU's programs leave it out, a path by default or of several
// benchmarks, what the other model alone has.
func (e *expander) keep(c Case, misfit *UsageError) {
	if e.seen[c.ID] {
		return
	}
	e.seen[c.ID] = true
	size, _ := c.Params["size_bytes"].(int64)
	switch {
	case misfit != nil && (misfit.Flag == "" || misfit.Flag == "--model"),
		misfit != nil && misfit.Flag == "-m" && !slices.Contains(e.o.Named, size),
		misfit != nil && misfit.Flag == "--path" && (len(e.o.Benchmarks) != 1 || len(e.o.Paths) == 0):
		e.spare = append(e.spare, c)
	default:
		e.cases = append(e.cases, c)
	}
}
