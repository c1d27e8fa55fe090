// Package plan turns flags into cases and reasons for leaving cases out. It is
// pure: what the machine has is told to it.
package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// Options are the flags of run, parsed but not yet checked against each other.
// An empty list or a zero stands for the flag's default.
type Options struct {
	Benchmarks   []string
	Models       []string
	Transports   []string
	Device       string // auto, cuda, emulated, cpu
	Paths        []string
	Space        string
	Staging      []string
	StagingSpace string
	Chunk        int64 // bytes of a pipelined chunk; 0: found when the job runs
	Pages        []string
	Buffers      []string
	Loops        []string
	PEs          []int64
	Scaling      []string // strong, weak
	Sizes        []int64
	Named        []int64 // those of Sizes that were named one by one, not by a range
	Iterations   int64
	Warmup       int64
	WarmupSet    bool
	Seconds      float64
	Validate     bool
	Trials       int
	Trial        int // number of the first
	Random       bool
	Seed         uint64
	Quick        bool
	Own          map[string][]any // values of benchmarks' own flags, as ParseOwn gives them
	Limits       bool             // measure what bounds the cases first
	Launched     bool             // a launcher has started the PEs
	Preset       bool             // a preset gave some of the flags
}

// Bench is what the plan must know of a benchmark.
type Bench struct {
	Name   string
	Params []Param  // its own parameters that flags give values, in the order they vary
	Models []string // models it has a body for
	// Native says over which transports there is a loop whole in C, by the loop's name.
	Native         map[string][]string
	Alone          bool  // of a device alone: one PE, no model, transport or path
	MinPEs, MaxPEs int64 // MaxPEs 0: any number
	// Everywhere: --quick runs it over every transport, where none are named; others over the first alone.
	Everywhere bool
	// Iterations are the timed and warm-up counts by default.
	Iterations func(sizeBytes int64, quick bool) (timed, warmup int64)
	// Memory estimates what a case takes in bytes, over all PEs.
	Memory func(p result.Params) int64
	// Settle sets the parameters that follow from others, or names the flag that does not fit and says how to mend it;
	// nil: nothing follows.
	Settle func(p result.Params) (flag string, err error)
	// Ceilings says what cases of a device alone bound a case's main metric; nil: none.
	Ceilings func(p result.Params) []limits.Ceiling
}

// Availability says whether something can be used here, and if not why.
type Availability struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // why not; of what can be used: how that is known, where it was found out
}

// Device is what is known of a driver on this machine.
type Device struct {
	Availability
	Count    int   `json:"count"`
	MemBytes int64 `json:"mem_bytes"` // of one device; 0: not known
	// CacheBytes is its last cache, of the CPU the host's; 0: not known.
	CacheBytes int64 `json:"cache_bytes,omitempty"`
	// Private tells that other PEs may be shown other devices than the one that was asked.
	Private bool `json:"private,omitempty"`
}

// Transport is what is known of a transport on this machine.
type Transport struct {
	Availability
	// Direct says whether device memory can be given to it, by driver.
	Direct map[string]Availability `json:"direct"`
	// Collectives says it of the library's own collectives, by driver and benchmark, as far as these were tried.
	Collectives map[string]map[string]Availability `json:"collectives,omitempty"`
}

// Values of a benchmark's parameter `collective` for which data is no transport's message: the transport's library is given it
// whole, or NCCL is, whatever the transport takes.
const (
	LibrarysOwn = "library"
	ByNCCL      = "nccl"
)

// Machine is what the plan is told of the machine.
type Machine struct {
	Devices    map[string]Device    `json:"devices"` // by driver
	Transports map[string]Transport `json:"transports"`
	MemBytes   int64                `json:"mem_bytes"` // available to processes; 0: not known
	CPUs       int                  `json:"cpus"`      // allowed; 0: not known
	Hosts      result.Spread        `json:"hosts"`     // of the PEs
	// Pairing says why so many PEs have no partners of this pairing, "" where they have; nil: that is seen when they are up.
	Pairing func(pairing string, pes int64) string `json:"-"`
}

// Case is one case of one trial.
type Case struct {
	Benchmark string        `json:"benchmark"`
	Params    result.Params `json:"params"`
	ID        string        `json:"id"`
	Trial     int           `json:"trial"`
	Skip      string        `json:"skip,omitempty"` // why it cannot run here
	Misfit    bool          `json:"-"`              // or anywhere: its parameters do not go together
	// Bounds are the cases that are measured first because they bound this one.
	Bounds []limits.Bound `json:"bounds,omitempty"`
}

// Key returns what --resume goes by.
func (c Case) Key() result.Key { return result.Key{ID: c.ID, Trial: c.Trial} }

// Job is a set of PEs started together, and the cases that they run.
type Job struct {
	Transport string `json:"transport"`
	Device    string `json:"device"`
	PEs       int64  `json:"pes"`
	MostPEs   int64  `json:"most_pes"` // of the run's jobs: a PE has as many cores in each of them as in the largest
	Trial     int    `json:"trial"`
	Alone     bool   `json:"alone,omitempty"` // of a device alone: PE 0's process is enough
	Cases     []Case `json:"cases"`
}

// Asked is what flags ask for once the machine's devices are known, and before anything else of it must be.
type Asked struct {
	Transports, Paths []string
	Device            string // of staged and direct cases
}

// Ask resolves flags as far as devices go. Errors are left to Make.
func Ask(o Options, m Machine) Asked {
	e := &expander{o: o, m: m}
	if e.resolve() != nil {
		return Asked{}
	}
	return Asked{e.o.Transports, e.paths, e.device}
}

// OffHost reports whether device memory is in play.
func (a Asked) OffHost() bool {
	return slices.ContainsFunc(a.Paths, func(p string) bool { return p != "host" })
}

// Direct reports whether device memory would be given to transports.
func (a Asked) Direct() bool { return slices.Contains(a.Paths, "direct") }

// Plan is all that a run will do.
type Plan struct {
	Device  string // what --device auto came to
	Jobs    []Job
	Skipped []Case
	Notes   []string // what was left out as a whole, and why
}

// Cases counts the cases that will run, without those that are measured as limits.
func (p Plan) Cases() int { return p.count(false) }

// Limits counts the cases that are measured as limits.
func (p Plan) Limits() int { return p.count(true) }

func (p Plan) count(limit bool) (n int) {
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			if limits.IsLimit(c.Params) == limit {
				n++
			}
		}
	}
	return n
}

// UsageError is a command line that is wrong: exit status 2.
type UsageError struct{ Flag, Text string }

func (e *UsageError) Error() string {
	if e.Flag == "" {
		return e.Text
	}
	return e.Flag + ": " + e.Text
}

func usage(flag, format string, args ...any) error {
	return &UsageError{Flag: flag, Text: fmt.Sprintf(format, args...)}
}

// Make plans a run.
func Make(o Options, benches []Bench, m Machine) (Plan, error) {
	chosen, err := chooseBenches(o.Benchmarks, benches)
	if err != nil {
		return Plan{}, err
	}
	e := &expander{o: o, m: m, seen: map[string]bool{}}
	if err := e.resolve(); err != nil {
		return Plan{}, err
	}
	if err := foreign(o, chosen); err != nil {
		return Plan{}, err
	}
	for _, b := range chosen {
		if err := e.expand(b); err != nil {
			return Plan{}, err
		}
	}
	p := Plan{Device: e.device, Notes: e.notes}
	standIn := false
	for _, c := range e.cases {
		if c.Skip != "" {
			c.Trial = o.Trial
			p.Skipped = append(p.Skipped, c)
		}
		standIn = standIn || c.Params.String("device") == "emulated"
	}
	if standIn && o.Device != "emulated" {
		p.Notes = append(p.Notes, "no CUDA device here (gpubench list says why): staged and direct cases run on the emulated one")
	}
	before := e.bound(benches)
	p.Jobs = append(before, group(e.cases, o)...)
	if p.Cases() == 0 || len(o.Benchmarks) == 0 && e.devicesAlone(chosen) {
		return p, e.nothing()
	}
	notes, err := idle(o, chosen, e.cases)
	p.Notes = append(p.Notes, notes...)
	return p, err
}

func chooseBenches(names []string, all []Bench) ([]Bench, error) {
	if len(names) == 0 {
		return all, nil
	}
	byName := map[string]Bench{}
	var known []string
	for _, b := range all {
		byName[b.Name] = b
		known = append(known, b.Name)
	}
	var out []Bench
	for _, n := range unique(names) {
		b, ok := byName[n]
		if !ok {
			hint := ""
			if near := Nearest(n, known); near != "" {
				hint = fmt.Sprintf(" (did you mean %s?)", near)
			} else if first, _, _ := strings.Cut(n, ","); first == "true" || first == "false" {
				hint = fmt.Sprintf(" (a flag that may stand alone takes its value by =, as in --phases=%s)", n)
			}
			return nil, usage("", "unknown benchmark %q%s: give %s", n, hint, oneOf(known))
		}
		out = append(out, b)
	}
	return out, nil
}

// devicesAlone says that of the whole suite only benchmarks of a device alone could run: flags that leave no message are wrong.
func (e *expander) devicesAlone(suite []Bench) bool {
	alone := map[string]bool{}
	for _, b := range suite {
		alone[b.Name] = b.Alone
	}
	messages := false
	for _, c := range e.cases {
		if !alone[c.Benchmark] && c.Skip == "" {
			return false
		}
		messages = messages || !alone[c.Benchmark]
	}
	return messages
}

// nothing explains a plan that leaves nothing to run: by the reason of most cases, and by others for benchmarks that were named
// and have it not.
func (e *expander) nothing() error {
	count, of := map[string]int{}, map[string][]string{}
	var list []string
	for _, c := range e.cases {
		if c.Skip == "" {
			continue
		}
		if count[c.Skip]++; count[c.Skip] == 1 {
			list = append(list, c.Skip)
		}
		of[c.Skip] = unique(append(of[c.Skip], c.Benchmark))
	}
	sort.Slice(list, func(i, j int) bool {
		if count[list[i]] != count[list[j]] {
			return count[list[i]] > count[list[j]]
		}
		return list[i] < list[j]
	})
	list = append(list, e.notes...)
	if len(list) == 0 {
		return usage("", "nothing to run")
	}
	if len(e.o.Benchmarks) < 2 {
		return usage("", "nothing that was asked for can run here: %s", list[0])
	}
	var texts, told []string
	for _, reason := range list {
		if !slices.ContainsFunc(of[reason], func(b string) bool { return !slices.Contains(told, b) }) {
			continue
		}
		told = append(told, of[reason]...)
		texts = append(texts, fmt.Sprintf("%s (%s)", reason, strings.Join(of[reason], ", ")))
	}
	return usage("", "nothing that was asked for can run here: %s", strings.Join(texts, "; "))
}

// group puts cases that the same PEs can run into one job per trial, in the
// order asked for. A trial is a fresh launch.
func group(cases []Case, o Options) []Job {
	type key struct {
		transport, device string
		pes               int64
	}
	rng := rand.New(rand.NewPCG(o.Seed, 0x6770756265))
	var jobs []Job
	var most int64
	for _, n := range o.PEs {
		most = max(most, n)
	}
	// From 0 even where the first is another: a trial started alone has the order that it has among others.
	for trial := range o.Trial + max(o.Trials, 1) {
		index := map[key]int{}
		var of []Job
		for _, c := range cases {
			if c.Skip != "" {
				continue
			}
			k := key{c.Params.String("transport"), c.Params.String("device"), c.Params.Int("pes")}
			i, ok := index[k]
			if !ok {
				i = len(of)
				index[k] = i
				of = append(of, Job{Transport: k.transport, Device: k.device, PEs: k.pes, MostPEs: max(k.pes, most), Trial: trial})
				if k.transport == "" {
					of[i].Transport, of[i].Alone, of[i].MostPEs = aloneTransport, true, 1
				}
			}
			c.Trial = trial
			of[i].Cases = append(of[i].Cases, c)
		}
		if o.Random {
			rng.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
			for _, j := range of {
				rng.Shuffle(len(j.Cases), func(a, b int) { j.Cases[a], j.Cases[b] = j.Cases[b], j.Cases[a] })
			}
		}
		if trial >= o.Trial {
			jobs = append(jobs, of...)
		}
	}
	return jobs
}

// Without leaves out the cases that are done already: what --resume does. Limits of such cases are not measured either.
// done is asked once for each case.
func (p Plan) Without(done func(result.Key) bool) Plan {
	left := p
	left.Jobs = nil
	needed := map[string]bool{} // limits
	for _, j := range p.Jobs {
		kept := j
		kept.Cases = nil
		for _, c := range j.Cases {
			if done(c.Key()) {
				continue
			}
			kept.Cases = append(kept.Cases, c)
			for _, b := range c.Bounds {
				needed[b.ID] = true
			}
		}
		left.Jobs = append(left.Jobs, kept)
	}
	for i, j := range left.Jobs {
		left.Jobs[i].Cases = slices.DeleteFunc(j.Cases, func(c Case) bool { return limits.IsLimit(c.Params) && !needed[c.ID] })
	}
	left.Jobs = slices.DeleteFunc(left.Jobs, func(j Job) bool { return len(j.Cases) == 0 })
	return left
}
