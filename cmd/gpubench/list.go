// gpubench list: what there is, and what of it can run here.

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/plan"
	"gpubench/internal/preset"
	"gpubench/internal/suite"
)

func newList() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "list", Short: "Benchmarks, transports and devices, and which can run here", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := plan.Choose([]string{format}, "text", "jsonl"); err != nil {
				return &plan.UsageError{Flag: "--format", Text: err.Error()}
			}
			m := probe(c.Context(), transportNames())
			for _, t := range transportNames() {
				for _, d := range gpu.Drivers {
					probeDirect(c.Context(), m, t, string(d))
				}
			}
			if format == "jsonl" {
				return listLines(c.OutOrStdout(), m)
			}
			return listText(c.OutOrStdout(), m)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text, jsonl")
	return c
}

// item is one line of the list.
type item struct {
	Kind       string      `json:"kind"` // benchmark, transport, device, path, preset
	Name       string      `json:"name"`
	Available  bool        `json:"available"`
	Reason     *string     `json:"reason"`
	Doc        string      `json:"doc,omitempty"`
	Models     []string    `json:"models,omitempty"`
	Transports []string    `json:"transports,omitempty"`
	Devices    []string    `json:"devices,omitempty"`
	Paths      []string    `json:"paths,omitempty"`
	Params     []paramItem `json:"params,omitempty"`
	Metrics    []string    `json:"metrics,omitempty"`
	Count      int         `json:"count,omitempty"`   // devices
	Command    string      `json:"command,omitempty"` // what a preset stands for
}

type paramItem struct {
	Name    string `json:"name"`
	Flag    string `json:"flag,omitempty"` // of run
	Unit    string `json:"unit,omitempty"`
	Doc     string `json:"doc"`
	Default any    `json:"default"`
}

func items(m plan.Machine) []item {
	var out []item
	avail := func(kind, name string, a plan.Availability) item {
		i := item{Kind: kind, Name: name, Available: a.OK}
		if !a.OK {
			reason := a.Reason
			i.Reason = &reason
		}
		return i
	}
	for _, b := range suite.All().All() {
		i := item{Kind: "benchmark", Name: b.Name, Available: true, Doc: b.Doc, Models: modelsOf(b), Paths: []string{"host", "staged", "direct"}}
		for _, t := range transports {
			if m.Transports[t.name].OK {
				i.Transports = append(i.Transports, t.name)
			}
		}
		for _, d := range gpu.Drivers {
			if m.Devices[string(d)].OK {
				i.Devices = append(i.Devices, string(d))
			}
		}
		if b.Alone {
			i.Paths, i.Transports = nil, nil
		}
		for _, p := range b.Params {
			d := p.Default
			if p.All || p.Devices {
				d = "all"
			}
			if p.Name == "size_bytes" && !b.Alone {
				d = plan.DefaultSizes
			}
			i.Params = append(i.Params, paramItem{p.Name, flagOf(p), p.Unit, p.Doc, d})
		}
		for _, x := range b.Metrics {
			i.Metrics = append(i.Metrics, x.Name)
		}
		out = append(out, i)
	}
	for _, t := range transports {
		out = append(out, avail("transport", t.name, m.Transports[t.name].Availability))
	}
	for _, d := range gpu.Drivers {
		dev := m.Devices[string(d)]
		i := avail("device", string(d), dev.Availability)
		i.Count = dev.Count
		out = append(out, i)
	}
	for _, t := range transports {
		for _, d := range gpu.Drivers {
			if a, ok := m.Transports[t.name].Direct[string(d)]; ok && d != "cpu" {
				if a.OK && !m.Devices[string(d)].OK {
					a = m.Devices[string(d)].Availability
				}
				out = append(out, avail("path", "direct over "+t.name+" on "+string(d), a))
			}
		}
	}
	for _, p := range preset.All {
		out = append(out, item{Kind: "preset", Name: p.Name, Available: true, Doc: p.Doc, Command: p.Command()})
	}
	return out
}

// flagOf is the flag of run that sets a parameter: its own, or one that all benchmarks share.
func flagOf(p bench.Param) string {
	if p.Flag != "" {
		return "--" + p.Flag
	}
	return map[string]string{"size_bytes": "--message-size", "iterations": "--iterations"}[p.Name]
}

func modelsOf(b *bench.Benchmark) []string {
	var out []string
	for _, m := range []bench.Model{bench.MPI, bench.Charm} {
		if b.New[m] != nil {
			out = append(out, string(m))
		}
	}
	return out
}

func listLines(w io.Writer, m plan.Machine) error {
	e := json.NewEncoder(w)
	for _, i := range items(m) {
		if err := e.Encode(i); err != nil {
			return err
		}
	}
	return nil
}

func listText(w io.Writer, m plan.Machine) error {
	kind := ""
	for _, i := range items(m) {
		if i.Kind != kind {
			if kind != "" {
				fmt.Fprintln(w)
			}
			kind = i.Kind
			fmt.Fprintf(w, "# %ss\n", strings.TrimSuffix(kind, "s"))
		}
		state := "available"
		if !i.Available {
			state = "not available: " + *i.Reason
		} else if i.Count > 0 {
			state = fmt.Sprintf("available, %d", i.Count)
		}
		if i.Command != "" {
			fmt.Fprintf(w, "%s\n  %s\n  %s\n", i.Name, i.Doc, i.Command)
			continue
		}
		fmt.Fprintf(w, "%-15s %s\n", i.Name, state)
		if i.Doc == "" {
			continue
		}
		fmt.Fprintf(w, "  %s\n  models %s; transports %s; devices %s; paths %s\n", i.Doc, orNone(i.Models),
			orNone(i.Transports), orNone(i.Devices), orNone(i.Paths))
		for _, p := range i.Params {
			unit := ""
			if p.Unit != "" {
				unit = " (" + p.Unit + ")"
			}
			fmt.Fprintf(w, "  %-14s %-16s %s%s%s\n", p.Name, p.Flag, p.Doc, unit, orDefault(p.Default))
		}
	}
	return nil
}

// orDefault is a default as it would be typed.
func orDefault(v any) string {
	d := strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", ","), "[]")
	if d == "" {
		return ""
	}
	return ", default " + d
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
