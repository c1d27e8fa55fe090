// Every combination of what was asked for, and why some cannot run.

package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gpubench/internal/result"
)

type expander struct {
	o      Options
	m      Machine
	device string // of staged and direct cases: cuda, emulated or cpu
	spaces Spaces
	given  bool // --space was given
	sized  bool // -m was given
	tour   bool // --quick, and no transports named
	paths  []string
	at     string // device of the cases under way, of benchmarks of a device alone
	cases  []Case
	seen   map[string]bool // ids of cases
	notes  []string
}

// Defaults of the flags, as OSU has them and README says.
const (
	defaultPEs   = 2
	DefaultSizes = "1:4M" // as -m takes them; benchmarks of a device alone have their own
)

var (
	defaultSizes = powers(1, 4<<20) // DefaultSizes
	quickSizes   = []int64{8, 1 << 10, 64 << 10, 1 << 20}
)

func orElse[T any](list []T, def ...T) []T {
	if len(list) > 0 {
		return list
	}
	return def
}

// resolve checks the flags that concern all benchmarks.
func (e *expander) resolve() error {
	o := &e.o
	o.Models = orElse(o.Models, "mpi", "charm")
	o.Loops = orElse(o.Loops, "go")
	o.Staging = orElse(o.Staging, "pipelined")
	o.Pages = orElse(o.Pages, "default")
	o.Buffers = orElse(o.Buffers, "same")
	if o.StagingSpace == "" {
		o.StagingSpace = "pinned"
	}
	o.PEs = orElse(o.PEs, defaultPEs)
	o.Scaling = orElse(o.Scaling, "strong")
	e.sized = len(o.Sizes) > 0
	if !e.sized {
		o.Sizes = defaultSizes
		if o.Quick {
			o.Sizes = quickSizes
		}
	}
	if len(o.Transports) == 0 {
		o.Transports = []string{"inproc"}
		if o.Quick {
			o.Transports, e.tour = []string{"inproc", "mpi", "ucx"}, true
		}
	}
	return e.resolveDevice()
}

// resolveDevice settles which driver staged and direct cases use, and which
// paths there are: cpu has the host path alone.
func (e *expander) resolveDevice() error {
	o := &e.o
	e.device = o.Device
	if e.device == "" || e.device == "auto" {
		e.device = "cuda"
		if !e.m.Devices["cuda"].OK {
			e.device = "emulated"
		}
	} else if d := e.m.Devices[e.device]; !d.OK {
		return usage("--device", "%s cannot be used here: %s", e.device, d.Reason)
	}
	if o.Space != "" {
		s, err := ParseSpaces(o.Space)
		if err != nil {
			return usage("--space", "%v", err)
		}
		e.spaces, e.given = s, true
	}
	e.paths = o.Paths
	if len(e.paths) == 0 {
		switch {
		case e.device == "cpu":
			e.paths = []string{"host"}
		case e.given && e.spaces.OnHost():
			e.paths = []string{"host"}
		case e.given:
			e.paths = []string{"staged", "direct"}
		default:
			e.paths = []string{"host", "staged", "direct"}
		}
		return nil
	}
	for _, p := range e.paths {
		if p != "host" && e.device == "cpu" {
			return usage("--path", "%s needs a device with memory of its own, and --device is cpu: give --device emulated or cuda, or --path host", p)
		}
		if e.given && p == "host" && !e.spaces.OnHost() && len(e.paths) == 1 {
			return usage("--space", "%s lies in device memory, but --path is host: give pageable or pinned", e.spaces)
		}
		if e.given && p != "host" && e.spaces.OnHost() && len(e.paths) == 1 {
			return usage("--space", "%s lies in host memory, but --path is %s: give device or managed on one side at least", e.spaces, p)
		}
	}
	return nil
}

// spacesOf returns the memory of a path's messages; false where --space
// concerns the other class of paths.
func (e *expander) spacesOf(path string) (Spaces, bool) {
	if !e.given {
		if path == "host" {
			return Spaces{"pageable", "pageable"}, true
		}
		return Spaces{"device", "device"}, true
	}
	return e.spaces, e.spaces.OnHost() == (path == "host")
}

// expand adds the cases of one benchmark.
func (e *expander) expand(b Bench) error {
	if b.Alone {
		return e.expandAlone(b)
	}
	first := len(e.cases)
	var misfit *UsageError
	for _, pes := range e.o.PEs {
		if pes < b.MinPEs || (b.MaxPEs > 0 && pes > b.MaxPEs) {
			what := fmt.Sprintf("at least %d", b.MinPEs)
			if b.MaxPEs == b.MinPEs {
				what = fmt.Sprintf("exactly %d", b.MinPEs)
			}
			if len(e.o.Benchmarks) == 1 && len(e.o.PEs) == 1 {
				return usage("-n", "%s needs %s PEs, got %d", b.Name, what, pes)
			}
			e.notes = append(e.notes, fmt.Sprintf("%s left out: it needs %s PEs, and -n is %d", b.Name, what, pes))
			continue
		}
		for _, transport := range e.over(b) {
			for _, path := range e.paths {
				spaces, ok := e.spacesOf(path)
				if !ok {
					continue
				}
				for _, v := range e.variants(b, path) {
					for _, own := range e.scaled(b, e.ownParams(b, v.model), pes) {
						wrong := e.add(b, pes, transport, path, spaces, v, own)
						if wrong != nil && (misfit == nil || wrong.Flag != "--model") { // another reason is the one to mend
							misfit = wrong
						}
					}
				}
			}
		}
	}
	return e.misfits(b, misfit, first)
}

// over are the transports of a benchmark's cases. A tour shows each transport with a few benchmarks, and each benchmark.
func (e *expander) over(b Bench) []string {
	if e.tour && !b.Everywhere && len(e.o.Benchmarks) == 0 {
		return e.o.Transports[:1]
	}
	return e.o.Transports
}

// variant is how a case is run, beyond transport and path.
type variant struct{ model, loop, staging, pages, buffers string }

func (e *expander) variants(b Bench, path string) []variant {
	stagings := []string{""}
	if path == "staged" {
		stagings = e.o.Staging
	}
	var out []variant
	for _, loop := range e.o.Loops {
		models := e.o.Models
		if loop != "go" {
			if len(b.Native[loop]) == 0 {
				note := b.Name + " has no " + loop + " loop"
				if !slices.Contains(e.notes, note) {
					e.notes = append(e.notes, note)
				}
				continue
			}
			models = []string{""}
		}
		for _, model := range models {
			if loop == "go" && !slices.Contains(b.Models, model) {
				continue
			}
			for _, s := range stagings {
				for _, pg := range e.o.Pages {
					for _, bf := range e.o.Buffers {
						out = append(out, variant{model, loop, s, pg, bf})
					}
				}
			}
		}
	}
	return out
}

// misfits is what comes of a benchmark none of whose cases, those from first on, fits: an error. One among others, which
// a flag of all benchmarks does not suit, is left out, and the others run.
func (e *expander) misfits(b Bench, misfit *UsageError, first int) error {
	if misfit == nil || slices.ContainsFunc(e.cases[first:], func(c Case) bool { return !c.Misfit }) {
		return nil
	}
	own := slices.ContainsFunc(b.Params, func(p Param) bool { return p.Flag != "" && p.Title() == misfit.Flag })
	if own || len(e.o.Benchmarks) == 1 {
		return misfit
	}
	e.cases = e.cases[:first]
	e.notes = append(e.notes, fmt.Sprintf("%s is left out: %v", b.Name, misfit))
	return nil
}

// add makes one case, or says why it cannot run. A misfit is of parameters that do not go together.
func (e *expander) add(b Bench, pes int64, transport, path string, spaces Spaces, v variant, own result.Params) (misfit *UsageError) {
	device := e.device
	if path == "host" {
		device = "cpu"
	}
	p := result.Params{
		"model": orNull(v.model), "transport": transport, "device": device, "path": path,
		"pes": pes, "space": spaces.String(), "placement": orNull(e.placement(path, device, pes)),
		"buffers": v.buffers, "pages": v.pages, "loop": v.loop,
		"staging": orNull(v.staging), "staging_space": nil, "chunk_bytes": nil, "validate": e.o.Validate,
	}
	if path == "staged" {
		p["staging_space"] = e.o.StagingSpace
	}
	if v.staging == "pipelined" && e.o.Chunk > 0 {
		p["chunk_bytes"] = e.o.Chunk
	}
	maps.Copy(p, own)
	skip := ""
	if b.Settle != nil {
		if flag, err := b.Settle(p); err != nil {
			misfit = &UsageError{Flag: flag, Text: err.Error()}
			// There is none, whatever the other flags are; it is of the other model; or it has no such path, and was not asked for alone and with it; or no such size, and nobody
			// asked for sizes.
			if flag == "" || flag == "--model" || flag == "--path" && (len(e.o.Benchmarks) != 1 || len(e.o.Paths) == 0) || flag == "-m" && !e.sized {
				return misfit
			}
			skip = misfit.Error()
		}
	}
	c := Case{Benchmark: b.Name, Params: p, ID: result.ID(b.Name, p), Skip: skip, Misfit: misfit != nil}
	if e.seen[c.ID] { // a flag that does not concern this model
		return nil
	}
	e.seen[c.ID] = true
	if skip == "" {
		c.Skip = e.why(b, transport, device, path, v, p)
	}
	e.cases = append(e.cases, c)
	return misfit
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// placement tells how near any two PEs' memories will be, as far as counts decide: PEs are spread evenly over devices.
func (e *expander) placement(path, device string, pes int64) string {
	d := e.m.Devices[device]
	devices := result.Unclear
	switch {
	case pes < 2:
		return ""
	case d.Private:
	case d.Count == 1:
		devices = result.Together
	case int64(d.Count) >= pes:
		devices = result.Apart
	}
	return result.Placement(path, e.m.Hosts, devices)
}

// why returns the reason why a case cannot run, or "".
func (e *expander) why(b Bench, transport, device, path string, v variant, p result.Params) string {
	t := e.m.Transports[transport]
	if !t.OK {
		return fmt.Sprintf("transport %s: %s", transport, t.Reason)
	}
	d := e.m.Devices[device]
	if !d.OK {
		return fmt.Sprintf("device %s: %s", device, d.Reason)
	}
	if how, _ := p["pairing"].(string); how != "" && e.m.Pairing != nil {
		if reason := e.m.Pairing(how, p.Int("pes")); reason != "" {
			return reason
		}
	}
	if s := p.String("space"); !p.Has("size_bytes") && strings.Contains(s, ":") {
		return "only messages have a space for each side: give one --space for " + b.Name
	}
	if v.loop != "go" {
		if over := b.Native[v.loop]; !slices.Contains(over, transport) {
			return fmt.Sprintf("no %s loop over %s: give --transport %s", v.loop, transport, strings.Join(over, " or "))
		}
		if path != "host" {
			return "the " + v.loop + " loop has the host path alone"
		}
	}
	if path == "direct" && p["collective"] != ByNCCL {
		if a, ok := t.Direct[device]; !ok || !a.OK {
			reason := a.Reason
			if reason == "" {
				reason = "device memory cannot be given to it"
			}
			return fmt.Sprintf("direct over %s: %s", transport, reason)
		}
		if a := t.Collectives[device][b.Name]; p["collective"] == LibrarysOwn && !a.OK {
			reason := a.Reason
			if reason == "" {
				reason = "was not tried on device memory"
			}
			return fmt.Sprintf("direct over %s: the library's own %s %s", transport, b.Name, reason)
		}
	}
	if b.Memory != nil {
		need := b.Memory(p)
		if have := e.m.MemBytes; have > 0 && path == "host" && need > have {
			return fmt.Sprintf("needs %s of memory, and %s are available", bytesText(need), bytesText(have))
		}
		// Host memory carries an emulated device; a real one has its own.
		if d.MemBytes > 0 && path != "host" && need/int64(max(1, min(d.Count, int(p.Int("pes"))))) > d.MemBytes {
			return fmt.Sprintf("needs %s of device memory, and a device has %s", bytesText(need), bytesText(d.MemBytes))
		}
	}
	return ""
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d B", n)
}

// ownParams is the product of the benchmark's own parameters, for one model.
func (e *expander) ownParams(b Bench, model string) []result.Params {
	out := []result.Params{{}}
	for _, param := range b.Params {
		var next []result.Params
		for _, p := range out {
			values := e.valuesOf(b, param, model, p)
			for _, v := range values {
				q := maps.Clone(p)
				maps.Copy(q, v)
				next = append(next, q)
			}
		}
		out = next
	}
	return out
}

// valuesOf is what one parameter may be, given those before it.
func (e *expander) valuesOf(b Bench, param Param, model string, before result.Params) []result.Params {
	if axis, special := axes[param.Name]; special {
		return axis(e, b, before)
	}
	if param.Models != nil && !slices.Contains(param.Models, model) {
		return []result.Params{{param.Name: nil}}
	}
	var out []result.Params
	for _, v := range e.o.Own[param.Flag] {
		if param.accepts(v) == nil {
			out = append(out, result.Params{param.Name: param.plain(v)})
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, v := range e.defaultsOf(param) {
		out = append(out, result.Params{param.Name: param.plain(v)})
	}
	return out
}

// axes are the parameters that flags of all benchmarks give values. An axis may
// set more than one parameter, and sees those set before it.
var axes = map[string]func(e *expander, b Bench, p result.Params) []result.Params{
	"size_bytes": func(e *expander, b Bench, _ result.Params) []result.Params {
		sizes := e.o.Sizes
		if own, ok := b.ownSize(e.o.Quick); ok && !e.sized {
			sizes = []int64{own}
		}
		out := make([]result.Params, len(sizes))
		for i, v := range sizes {
			out[i] = result.Params{"size_bytes": v}
		}
		return out
	},
	"iterations": func(e *expander, b Bench, p result.Params) []result.Params {
		size, _ := p["size_bytes"].(int64)
		timed, warmup := b.Iterations(size, e.o.Quick)
		if e.o.Iterations > 0 {
			timed = e.o.Iterations
		}
		if e.o.WarmupSet {
			warmup = e.o.Warmup
		}
		q := result.Params{"iterations": timed, "warmup": warmup, "seconds": nil}
		if e.o.Seconds > 0 {
			q["seconds"], q["iterations"] = e.o.Seconds, nil
		}
		return []result.Params{q}
	},
}

// IsAxis reports whether flags of all benchmarks give a parameter its values.
func IsAxis(name string) bool { return axes[name] != nil }
