// The flags of run: their names are a contract.

package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"gpubench/internal/plan"
	"gpubench/internal/report"
	"gpubench/runtimes/transport"
)

// runFlags are the flags as they were typed.
type runFlags struct {
	models, transports, paths, stagings, pages, buffers, loops, scaling []string

	device, space, stagingSpace, chunk, sizes    string
	pes, iterations, warmup, trials, trial, time string
	order, seed, format, output, resume, timeout string
	preset, scale                                string
	validate, quick, strict, limits              bool

	own []ownFlag
}

// limitsByDefault is --limits; tests that are of something else do without.
var limitsByDefault = true

// ownFlag is a flag of benchmarks' own parameters.
type ownFlag struct {
	name   string
	params []plan.Param
	value  *ownValue
}

func (f *runFlags) add(s *pflag.FlagSet) {
	s.SortFlags = false
	list := func(v *[]string, name, usage string) { s.StringSliceVar(v, name, nil, usage) }
	text := func(v *string, name, short, usage string) { s.StringVarP(v, name, short, "", usage) }
	list(&f.models, "model", "mpi, charm (default both)")
	list(&f.transports, "transport", "inproc: threads of one process; mpi: your MPI; ucx: UCX without MPI (default inproc; mpi in a job that a launcher started)")
	text(&f.device, "device", "", "device of staged and direct cases: auto, cuda, emulated, cpu (default auto: cuda where there is one, else emulated); host cases always run on cpu")
	list(&f.paths, "path", "host, staged, direct (default all that the device has)")
	text(&f.space, "space", "", "memory of the data, `SEND[:RECV]`: pageable, pinned, device, managed (default pageable on cpu, device elsewhere)")
	list(&f.stagings, "staging", "pipelined, simple: whole buffer, then send (default pipelined)")
	text(&f.stagingSpace, "staging-space", "", "host memory that staging goes through: pinned, pageable (default pinned)")
	text(&f.chunk, "chunk", "", "bytes of a chunk of pipelined staging, `SIZE` with K M G, or auto: measured once a job, before its first such case (default auto)")
	list(&f.pages, "pages", "pages of host buffers: default (the system's own), huge (default default)")
	list(&f.buffers, "buffers", "same: one warm buffer; rotate: a working set larger than the last cache (default same)")
	list(&f.loops, "loop", "go: the public calls from Go; native: the loop whole in C, point to point over mpi and ucx; native-am: the same by UCX's active messages (default go)")
	text(&f.pes, "pes", "n", "processing elements, `N` or a list (default 2)")
	list(&f.scaling, "scaling", "strong: a problem of the size given, on any number of PEs; weak: of the size given for each PE (default strong)")
	text(&f.sizes, "message-size", "m", "message sizes in bytes, `MIN:MAX` in powers of two, or a list; K M G are binary (default 1:4M)")
	text(&f.iterations, "iterations", "i", "timed iterations in all, `N` (default as OSU's or the benchmark's own program)")
	text(&f.warmup, "warmup", "x", "warm-up iterations, `N` (default as OSU's or the benchmark's own program)")
	text(&f.time, "time", "", "timed `DURATION` of a case, instead of a count of iterations: 0.5s")
	s.BoolVarP(&f.validate, "validate", "c", true, "check every answer; --validate=false does not")
	text(&f.trials, "trials", "", "whole passes by freshly started PEs, `N` (default 1)")
	text(&f.trial, "trial", "", "the pass with number `N` alone, from 0: where a launcher starts the PEs of each anew")
	text(&f.order, "order", "", "order of the cases: random, listed (default random)")
	text(&f.seed, "seed", "", "seed of the random order, `N` (default from the clock; printed)")
	s.BoolVar(&f.limits, "limits", limitsByDefault, "measure first what the hardware allows, and say how near each figure comes to it; --limits=false does not")
	s.BoolVar(&f.quick, "quick", false, "the whole flow at small sizes, under a minute: pingpong and jacobi3d over every transport, the others over inproc")
	text(&f.preset, "preset", "", "a published run, `NAME` (gpubench list shows them): its benchmarks and flags; flags given beside it count instead")
	text(&f.scale, "scale", "", "shrink a preset to `S` of its problem's size and to the PEs that fit here, or auto (default 1, as published)")
	text(&f.format, "format", "", "what stdout gets: text, jsonl, csv, osu (default text)")
	text(&f.output, "output", "o", "keep results.jsonl in `DIR`; without it nothing is written to disk")
	text(&f.resume, "resume", "", "go on with the run in `DIR`: cases that are done there are left out")
	text(&f.timeout, "timeout", "", "time limit of a case, `DURATION`; of a wait for one message a fifth of it (default 5m)")
	s.BoolVar(&f.strict, "strict", false, "a skipped case is a failure")
	f.addOwn(s)
}

// settings are what run needs beyond the plan's options.
type settings struct {
	format  string
	output  string
	resume  bool
	timeout time.Duration
	strict  bool
}

// options checks each flag alone; given visits those that were given. The first that is wrong is reported.
func (f *runFlags) options(benchmarks []string, given func(func(*pflag.Flag))) (o plan.Options, s settings, err error) {
	p := &flagParser{}
	o = plan.Options{
		Benchmarks: benchmarks, Validate: f.validate, Quick: f.quick, Limits: f.limits, Preset: f.preset != "",
		Models:       p.choose("--model", f.models, "mpi", "charm"),
		Transports:   p.choose("--transport", f.transports, transportNames()...),
		Device:       p.one("--device", f.device, "auto", "cuda", "emulated", "cpu"),
		Paths:        p.choose("--path", f.paths, "host", "staged", "direct"),
		Space:        f.space,
		Staging:      p.choose("--staging", f.stagings, "pipelined", "simple"),
		StagingSpace: p.one("--staging-space", f.stagingSpace, "pinned", "pageable"),
		Chunk:        p.chunk("--chunk", f.chunk),
		Pages:        p.choose("--pages", f.pages, "default", "huge"),
		Buffers:      p.choose("--buffers", f.buffers, "same", "rotate"),
		Loops:        p.choose("--loop", f.loops, "go", "native", "native-am"),
		PEs:          p.counts("-n", f.pes, 1, 16384),
		Scaling:      p.choose("--scaling", f.scaling, "strong", "weak"),
		Iterations:   p.count("-i", f.iterations, 1, 1e9),
		Warmup:       p.count("-x", f.warmup, 0, 1e9),
		WarmupSet:    f.warmup != "",
		Trials:       int(p.count("--trials", f.trials, 1, 10000)),
		Trial:        int(p.count("--trial", f.trial, 0, 9999)),
		Random:       p.one("--order", f.order, "random", "listed") != "listed",
		Seed:         p.seed("--seed", f.seed),
		Own:          f.readOwn(p),
	}
	if f.sizes != "" {
		o.Sizes, o.Named, err = plan.ParseSizes(f.sizes)
		p.note("-m", err)
	}
	if o.Own["blocks"] != nil && o.Own["odf"] != nil {
		p.note("--odf", fmt.Errorf("--blocks says how many blocks there are already: give one of the two"))
	}
	if f.trial != "" && f.trials != "" {
		p.note("--trial", fmt.Errorf("--trials says which there are already, 0 and on: give one of the two"))
	}
	if f.time != "" {
		o.Seconds = p.duration("--time", f.time).Seconds()
		if f.iterations != "" {
			p.note("--time", fmt.Errorf("-i fixes the count already: give one of the two"))
		}
	}
	s = settings{format: p.one("--format", f.format, report.Names()...), output: f.output, strict: f.strict, timeout: 5 * time.Minute}
	if s.format == "" {
		s.format = "text"
	}
	if f.timeout != "" {
		s.timeout = p.duration("--timeout", f.timeout)
	}
	p.noEmptyValues(given)
	if f.resume != "" {
		if f.output != "" && f.output != f.resume {
			p.note("--resume", fmt.Errorf("a run goes on in its own folder: leave out -o, or give the same folder"))
		}
		s.output, s.resume = f.resume, true
	}
	return o, s, p.err
}

// flagParser keeps the first error.
type flagParser struct{ err error }

func (p *flagParser) note(flag string, err error) {
	if err != nil && p.err == nil {
		p.err = &plan.UsageError{Flag: flag, Text: err.Error()}
	}
}

// noEmptyValues looks at the flags that were given.
func (p *flagParser) noEmptyValues(given func(func(*pflag.Flag))) {
	given(func(flag *pflag.Flag) {
		if v := flag.Value.String(); v == "" || v == "[]" { // "[]": an empty list
			p.note("--"+flag.Name, fmt.Errorf("the value is empty: give one, or leave the flag out"))
		}
	})
}

func (p *flagParser) choose(flag string, list []string, allowed ...string) []string {
	out, err := plan.Choose(list, allowed...)
	p.note(flag, err)
	return out
}

func (p *flagParser) one(flag, value string, allowed ...string) string {
	if value == "" {
		return ""
	}
	out := p.choose(flag, []string{value}, allowed...)
	if len(out) == 0 {
		return ""
	}
	return out[0]
}

func (p *flagParser) count(flag, value string, lo, hi int64) int64 {
	if value == "" {
		return 0
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		p.note(flag, fmt.Errorf("%q is no whole number: give %d to %d", value, lo, hi))
	case n < lo || n > hi:
		p.note(flag, fmt.Errorf("%d is out of range: give %d to %d", n, lo, hi))
	}
	return n
}

func (p *flagParser) counts(flag, value string, lo, hi int64) []int64 {
	if value == "" {
		return nil
	}
	var out []int64
	for _, part := range strings.Split(value, ",") {
		if part == "" {
			p.note(flag, fmt.Errorf("%q has an empty place: give numbers, as in 1,4,8", value))
			continue
		}
		out = append(out, p.count(flag, part, lo, hi))
	}
	return out
}

// chunk reads a size, or auto: 0.
func (p *flagParser) chunk(flag, value string) int64 {
	if value == "" || value == "auto" {
		return 0
	}
	n, err := plan.ParseSize(value)
	switch {
	case err != nil:
		p.note(flag, fmt.Errorf("%w, or auto", err))
	case n < transport.MinChunk || n > transport.MaxChunk:
		p.note(flag, fmt.Errorf("%s is out of range: give %s to %s, or auto", value, plan.FormatSize(transport.MinChunk), plan.FormatSize(transport.MaxChunk)))
	}
	return n
}

func (p *flagParser) seed(flag, value string) uint64 {
	if value == "" {
		return uint64(time.Now().UnixNano()) % 1e9
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		p.note(flag, fmt.Errorf("%q is no whole number: give 0 to %d", value, uint64(math.MaxUint64)))
	}
	return n
}

func (p *flagParser) duration(flag, value string) time.Duration {
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		p.note(flag, fmt.Errorf("%q is no duration: give a number with its unit, as in 500ms, 0.5s or 5m", value))
	case d <= 0 || d > 240*time.Hour:
		p.note(flag, fmt.Errorf("%s is out of range: give more than 0s and at most 240h", value))
	}
	return d
}
