// What bounds the cases: cases of a device alone that are measured first.

package plan

import (
	"maps"
	"slices"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// limitSeconds are the timed seconds of a case that is measured as a limit. They are in the case's id, so that they are the
// same in every run.
const limitSeconds = 0.02

// bound plans what bounds the cases, and notes in each by what it is bounded. The jobs come before all others, in the
// first trial, whatever the order of cases.
func (e *expander) bound(benches []Bench) (jobs []Job) {
	if !e.o.Limits {
		return nil
	}
	byName := map[string]Bench{}
	for _, b := range benches {
		byName[b.Name] = b
	}
	job := map[string]*Job{}
	seen := map[string]bool{}
	for i := range e.cases {
		c := &e.cases[i]
		b := byName[c.Benchmark]
		if c.Skip != "" || b.Ceilings == nil || !e.boundable(c.Params) {
			continue
		}
		planned := e.ceilings(b.Ceilings(c.Params), byName)
		for _, p := range planned {
			c.Bounds = append(c.Bounds, p.bound)
			if seen[p.bound.ID] {
				continue
			}
			seen[p.bound.ID] = true
			device := p.Params.String("device")
			if job[device] == nil {
				job[device] = &Job{Transport: aloneTransport, Device: device, PEs: 1, MostPEs: 1, Trial: e.o.Trial, Alone: true}
			}
			job[device].Cases = append(job[device].Cases, p.Case)
		}
	}
	for _, device := range slices.Sorted(maps.Keys(job)) {
		jobs = append(jobs, *job[device])
	}
	return jobs
}

// boundable leaves out cases whose figures have no limit, whatever bounds them: on no hardware, with more PEs than CPUs,
// and on a launcher's host memory, whose cores rank 0 has not to itself.
func (e *expander) boundable(p result.Params) bool {
	switch p["device"] {
	case "emulated":
		return false
	case "cpu":
		if e.o.Launched {
			return false
		}
	}
	return e.m.CPUs == 0 || p.Int("pes") <= int64(e.m.CPUs)
}

// ceiling is a planned case and the bound that it is.
type ceiling struct {
	Case
	bound limits.Bound
}

// ceilings plans the cases of a list; none where one of them cannot run.
func (e *expander) ceilings(list []limits.Ceiling, benches map[string]Bench) (out []ceiling) {
	for _, l := range list {
		b, ok := benches[l.Benchmark]
		if !ok || l.Footprint > 0 && !limits.Exceeds(l.Footprint, e.m.Devices[l.Device].CacheBytes) {
			return nil
		}
		own := result.Params{}
		for _, p := range b.Params {
			own[p.Name] = p.plain(p.Default)
		}
		maps.Copy(own, l.Own)
		own["iterations"], own["warmup"], own["seconds"] = nil, int64(1), limitSeconds
		own[limits.Purpose] = limits.ForLimit
		c, misfit := e.alone(b, l.Device, "default", "same", own)
		if misfit != nil || c.Skip != "" {
			return nil
		}
		c.Trial = e.o.Trial
		out = append(out, ceiling{c, limits.Bound{Name: l.Name, ID: c.ID, Bytes: l.Bytes, Scale: l.Scale}})
	}
	return out
}
