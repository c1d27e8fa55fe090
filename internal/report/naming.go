// Which parameters tell the rows and columns of a table apart, and which its title has.

package report

import (
	"slices"
	"sort"

	"gpubench/internal/result"
)

// rowNames are the parameters that name the rows of a table: those that vary, and the four that say where and how a case ran.
func rowNames(recs []result.Record) []string {
	by := distinguishing(recs)
	for _, n := range []string{"path", "device", "model", "transport"} {
		if !slices.Contains(by, n) {
			by = append([]string{n}, by...)
		}
	}
	return names(set(by))
}

// common are the parameters that every benchmark's cases have; the others are its own.
var common = set([]string{"model", "transport", "device", "path", "space", "placement", "buffers", "pages", "loop", "staging",
	"staging_space", "chunk_bytes", "validate", "iterations", "warmup", "seconds", "size_bytes"})

// constants are the benchmark's own parameters, and the PEs, where all cases agree and no column says it.
func constants(recs []result.Record, by []string) string {
	values := map[string]map[string]bool{}
	for _, r := range recs {
		for n := range r.Params {
			if !common[n] && !slices.Contains(by, n) {
				if values[n] == nil {
					values[n] = map[string]bool{}
				}
				values[n][text(r.Params, n)] = true
			}
		}
	}
	all := names(values)
	out := ""
	for _, n := range append(without(all, "pes"), "pes") {
		if v := values[n]; len(v) == 1 && !v["-"] {
			out += " " + n + " " + sorted(v)[0]
		}
	}
	return out
}

// distinguishing leaves out of the varying parameters those that say nothing
// beyond where and how a case ran: the staging of the staged path, say.
func distinguishing(recs []result.Record) []string {
	base := []string{"transport", "device", "path"}
	var out []string
	for _, n := range varying(recs) {
		values := map[string]string{}
		implied := !slices.Contains(base, n)
		for _, r := range recs {
			key := ""
			for _, b := range base {
				key += text(r.Params, b) + " "
			}
			v := text(r.Params, n)
			if old, seen := values[key]; seen && old != v {
				implied = false
			}
			values[key] = v
		}
		if !implied {
			out = append(out, n)
		}
	}
	for _, n := range []string{"placement", "blocks"} {
		if rest := without(out, n); len(rest) < len(out) && follows(recs, n, rest) {
			out = rest
		}
	}
	return out
}

// follows says whether others settle a parameter's value in every case: what the plan worked out from them.
func follows(recs []result.Record, name string, from []string) bool {
	values := map[string]string{}
	for _, r := range recs {
		key := ""
		for _, n := range append([]string{"device"}, from...) {
			key += text(r.Params, n) + " "
		}
		v := text(r.Params, name)
		if old, seen := values[key]; seen && old != v {
			return false
		}
		values[key] = v
	}
	return true
}

func valuesOf(recs []result.Record, name string) []string {
	seen := map[string]bool{}
	for _, r := range recs {
		seen[text(r.Params, name)] = true
	}
	out := sorted(seen)
	sort.SliceStable(out, func(i, j int) bool { return natural[out[i]] < natural[out[j]] })
	return out
}

func sorted[V any](set map[string]V) []string {
	var out []string
	for k := range set {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func without(list []string, drop ...string) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(drop, v) {
			out = append(out, v)
		}
	}
	return out
}

func set(list []string) map[string]bool {
	out := map[string]bool{}
	for _, v := range list {
		out[v] = true
	}
	return out
}
