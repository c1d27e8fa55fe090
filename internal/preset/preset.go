// Presets: named runs, each as the flags that it stands for.

// Package preset has the runs that others have published, as flags of `gpubench run`: a preset is data, and does nothing
// that could not be typed. It is pure.
package preset

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Rule says how --scale changes a setting's value. S is the scale, 0 < S ≤ 1.
type Rule int

// The rules.
const (
	Fixed  Rule = iota
	PEs         // numbers of PEs: those of the machine, halved in turn
	Cells       // a grid X,Y or X,Y,Z: S times as many cells, of the same shape
	Side        // the side of a square grid: S times as many cells, an even number
	Count       // S times as many, at least 100
	Iters       // where there are a thousand or more: S times as many, at least a tenth
	Period      // of iterations: as those are
	Column      // the ratio between neighbouring columns: so that both ends of the smaller Side differ as they did
)

// Setting is one flag of run with its value as typed.
type Setting struct {
	Flag, Value string // the flag's long name, without dashes
	Rule        Rule
}

// Preset is one published run.
type Preset struct {
	Name       string
	Doc        string // what was measured
	Source     string // where its parameters and its figure are from
	Benchmarks []string
	Settings   []Setting
	Device     bool // PEs have a GPU each: what the machine must have enough of
}

// Lookup finds a preset.
func Lookup(name string) (Preset, bool) {
	for _, p := range All {
		if p.Name == name {
			return p, true
		}
	}
	return Preset{}, false
}

// Names lists the presets in the order in which they are shown.
func Names() []string {
	var out []string
	for _, p := range All {
		out = append(out, p.Name)
	}
	return out
}

// Command is what would be typed.
func (p Preset) Command() string { return command(p.Benchmarks, p.Settings) }

func command(benchmarks []string, settings []Setting) string {
	words := append([]string{"gpubench run"}, benchmarks...)
	for _, s := range settings {
		words = append(words, "--"+s.Flag+" "+s.Value)
	}
	return strings.Join(words, " ")
}

// MostPEs is the largest number of PEs that the preset asks for.
func (p Preset) MostPEs() int64 {
	most := int64(2) // run's default
	for _, s := range p.Settings {
		if s.Rule == PEs {
			most = slices.Max(numbers(s.Value))
		}
	}
	return most
}

// Auto is the scale that fits a machine on which this many PEs can run at a time and this much memory is there for them, in
// bytes (0: not known): each PE has as much to do as where the study had most PEs, and no more than half of the memory is
// taken.
func (p Preset) Auto(pes, memBytes int64) float64 {
	s := math.Min(1, float64(pes)/float64(p.MostPEs()))
	for memBytes > 0 && s > 1e-6 && p.bytes(s, pes) > float64(memBytes)/2 {
		s /= 2
	}
	return s
}

// bytes estimates the largest case: two fields and what is beside them for a cell, and a particle's place, speed and charge,
// twice.
func (p Preset) bytes(s float64, pes int64) float64 {
	total, weak := 0.0, false
	for _, x := range p.Scaled(s, pes) {
		weak = weak || x.Flag == "scaling"
		n := 1.0
		for _, v := range numbers(x.Value) {
			n *= float64(v)
		}
		switch x.Rule {
		case Cells:
			total += 24 * n
		case Side:
			total += 8 * n * n
		case Count:
			total += 160 * n
		}
	}
	if weak {
		total *= float64(pes)
	}
	return total
}

// Scaled is the preset shrunk to scale s, for a machine on which this many PEs can run at a time. Numbers of PEs above that
// make way for it and its halves, as many as there were; smaller problems keep their shape.
func (p Preset) Scaled(s float64, pes int64) []Setting {
	out := slices.Clone(p.Settings)
	shorter, narrower := 1.0, 1.0
	for _, x := range out {
		n := numbers(x.Value)
		if x.Rule == Iters && n[0] >= 1000 {
			shorter = math.Max(s, 0.1)
		}
		if x.Rule == Side {
			narrower = float64(n[0]) / float64(side(n[0], s))
		}
	}
	for i, x := range out {
		n := numbers(x.Value)
		switch x.Rule {
		case PEs:
			n = fit(n, pes)
		case Cells:
			each(n, func(v float64) float64 { return 8 * math.Round(v*math.Pow(s, 1/float64(len(n)))/8) }, 8)
		case Side:
			n[0] = side(n[0], s)
		case Count:
			each(n, func(v float64) float64 { return math.Round(v * s) }, 100)
		case Iters, Period:
			each(n, func(v float64) float64 { return math.Round(v * shorter) }, 1)
		case Column:
			if ratio, err := strconv.ParseFloat(x.Value, 64); err == nil {
				out[i].Value = strconv.FormatFloat(math.Pow(ratio, narrower), 'g', 6, 64)
			}
			continue
		default:
			continue
		}
		if s < 1 || x.Rule == PEs {
			out[i].Value = list(n)
		}
	}
	return out
}

// side is that of a square grid with S times as many cells, even and no less than 16.
func side(n int64, s float64) int64 {
	return min(n, max(16, 2*int64(math.Round(float64(n)*math.Sqrt(s)/2))))
}

// each changes numbers in place, to no less than least and no more than they were.
func each(n []int64, f func(float64) float64, least int64) {
	for i, v := range n {
		n[i] = min(v, max(least, int64(f(float64(v)))))
	}
}

// fit keeps numbers of PEs that the machine has room for.
func fit(n []int64, room int64) []int64 {
	most := slices.Max(n)
	if most <= room || len(n) == 1 && most <= 2 {
		return n
	}
	var out []int64
	for v := room; v >= 1 && len(out) < len(n); v /= 2 {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

// numbers reads the numbers of a list; words are none.
func numbers(list string) []int64 {
	var out []int64
	for _, part := range strings.Split(list, ",") {
		if v, err := strconv.ParseInt(part, 10, 64); err == nil {
			out = append(out, v)
		}
	}
	return out
}

func list(n []int64) string {
	parts := make([]string, len(n))
	for i, v := range n {
		parts[i] = strconv.FormatInt(v, 10)
	}
	return strings.Join(parts, ",")
}
