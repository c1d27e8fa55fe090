// Flags that were given and that no case takes.

package plan

import (
	"maps"
	"slices"

	"gpubench/internal/result"
)

// idle names the flags that none of the cases takes, whether their benchmarks have no such parameter, or it is null beside the
// other flags. Where one benchmark is named that is an error, since what was asked for would not be what runs; but for flags of a
// preset, of which others may have left nothing to do, and for those of staging, which go with a path.
func idle(o Options, chosen []Bench, cases []Case) (notes []string, err error) {
	has := func(names ...string) bool {
		return slices.ContainsFunc(cases, func(c Case) bool {
			return slices.ContainsFunc(names, func(n string) bool { return c.Params.Has(n) })
		})
	}
	note := func(given bool, flag, why string) {
		if given {
			notes = append(notes, flag+" concerns none of these "+why)
		}
	}
	refuse := func(given bool, flag, why string) {
		if given && err == nil && len(o.Benchmarks) == 1 && !o.Preset {
			err = usage(flag, "none of %s's cases takes it beside the other flags: leave it out", o.Benchmarks[0])
		}
		note(given, flag, why)
	}
	refuse(len(o.Sizes) > 0 && !has("size_bytes"), "-m", "benchmarks")
	counted := has("iterations", "seconds", "warmup")
	refuse(o.Iterations > 0 && !counted, "-i", "benchmarks")
	refuse(o.WarmupSet && !counted, "-x", "benchmarks")
	refuse(o.Seconds > 0 && !counted, "--time", "benchmarks")
	grows := slices.ContainsFunc(chosen, func(b Bench) bool { return len(b.scales()) > 0 })
	refuse(slices.Contains(o.Scaling, weak) && !grows, "--scaling weak", "benchmarks")
	for _, flag := range slices.Sorted(maps.Keys(o.Own)) {
		known, taken := takes(o, chosen, cases, flag)
		why := "cases"
		if !known {
			why = "benchmarks"
		}
		refuse(!taken, "--"+flag, why)
	}
	note(len(o.Staging) > 0 && !has("staging"), "--staging", "cases: only the path staged has it")
	note(o.StagingSpace != "" && !has("staging_space"), "--staging-space", "cases: only the path staged has it")
	note(o.Chunk > 0 && !has("chunk_bytes"), "--chunk", "cases: only pipelined staging has chunks")
	return notes, err
}

// takes says whether a chosen benchmark knows a flag, and whether a case has what it gives: some value, or null where that is
// what was asked for.
func takes(o Options, chosen []Bench, cases []Case, flag string) (known, taken bool) {
	for _, b := range chosen {
		for _, p := range b.Params {
			if p.Flag != flag {
				continue
			}
			known = true
			suits, null := false, false
			for _, v := range o.Own[flag] {
				if p.accepts(v) == nil {
					suits, null = true, null || p.plain(v) == nil
				}
			}
			taken = taken || suits && slices.ContainsFunc(cases, func(c Case) bool {
				return c.Benchmark == b.Name && (c.Params.Has(p.Name) || null && p.concerns(c.Params))
			})
		}
	}
	return known, taken
}

// concerns says whether cases of this model have the parameter at all.
func (p Param) concerns(of result.Params) bool {
	model, _ := of["model"].(string)
	return p.Models == nil || slices.Contains(p.Models, model)
}
