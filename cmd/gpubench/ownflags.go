// Flags that benchmarks bring with their parameters.

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gpubench/internal/bench"
	"gpubench/internal/plan"
	"gpubench/internal/suite"
)

// ownParam tells the plan of a benchmark's parameter.
func ownParam(p bench.Param) plan.Param {
	out := plan.Param{Name: p.Name, Flag: p.Flag, Short: p.Short, Default: p.Default, Quick: p.Quick, Null: p.Null,
		Bytes: p.Unit == "B", Values: p.Values, All: p.All, Devices: p.Devices, Min: p.Min, Max: p.Max, Len: p.Len, Scales: p.Scales}
	for _, m := range p.Models {
		out.Models = append(out.Models, string(m))
	}
	return out
}

// addOwn adds the suite's flags, each once.
func (f *runFlags) addOwn(s *pflag.FlagSet) {
	index := map[string]int{}
	var docs []bench.Param // of the first benchmark that has the flag
	var of [][]string      // the benchmarks that have it
	for _, b := range suite.All().All() {
		for _, p := range b.Params {
			if p.Flag == "" {
				continue
			}
			i, known := index[p.Flag]
			if !known {
				i = len(f.own)
				index[p.Flag] = i
				f.own, docs, of = append(f.own, ownFlag{name: p.Flag, value: &ownValue{}}), append(docs, p), append(of, nil)
			}
			f.own[i].params = append(f.own[i].params, ownParam(p))
			of[i] = append(of[i], b.Name)
		}
	}
	for i, own := range f.own {
		flag := s.VarPF(own.value, own.name, docs[i].Short, ownUsage(docs[i], own.params))
		if own.value.kind = ownKind(docs[i], own.params); own.value.kind == "bool" {
			flag.NoOptDefVal = "true"
		}
		_ = s.SetAnnotation(own.name, ofBenchmarks, of[i])
	}
}

// ofBenchmarks is the annotation of a flag with the benchmarks that have it.
const ofBenchmarks = "benchmarks"

// ownValue is what was typed.
type ownValue struct{ text, kind string }

func (v *ownValue) String() string     { return v.text }
func (v *ownValue) Set(s string) error { v.text = s; return nil }
func (v *ownValue) Type() string       { return v.kind }

// ownKind is what help calls a flag's value.
func ownKind(p bench.Param, sharing []plan.Param) string {
	switch p.Default.(type) {
	case string:
		return "WORD"
	case bool:
		return "bool" // pflag's word for a flag that needs no value
	case []int64:
		least, most := sharing[0].Len, sharing[0].Len
		for _, s := range sharing {
			least, most = min(least, s.Len), max(most, s.Len)
		}
		if least < most {
			return "X,Y[,Z]"
		}
		return "X,Y,Z"[:2*most-1]
	}
	if p.Unit == "B" {
		return "SIZE"
	}
	return "N"
}

// ownUsage is a flag's help.
func ownUsage(p bench.Param, sharing []plan.Param) string {
	var words, defaults []string
	for _, s := range sharing {
		for _, w := range s.Values {
			if !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
		d := strings.TrimPrefix(orDefault(s.Default), ", default ")
		if n, ok := s.Default.(int64); ok && s.Bytes {
			d = plan.FormatSize(n)
		}
		if d != "" && d != "false" && !slices.Contains(defaults, d) {
			defaults = append(defaults, d)
		}
	}
	doc := p.Doc
	if len(words) > 0 {
		doc += ": " + strings.Join(words, ", ")
	}
	switch {
	case p.All || p.Devices:
		doc += " (default all)"
	case len(defaults) > 0:
		doc += " (default " + strings.Join(defaults, " or ") + ")"
	}
	return doc
}

// helpWidth is that of the flags' help.
const helpWidth = 120

// runUsage lists the flags of all benchmarks, then those of some under the benchmarks' names.
func runUsage(c *cobra.Command) error {
	general := pflag.NewFlagSet("", pflag.ContinueOnError)
	general.SortFlags = false
	var of []string // names of benchmarks, as they share flags
	groups := map[string]*pflag.FlagSet{}
	c.LocalFlags().VisitAll(func(x *pflag.Flag) {
		names := strings.Join(x.Annotations[ofBenchmarks], ", ")
		if names == "" {
			general.AddFlag(x)
			return
		}
		if groups[names] == nil {
			of, groups[names] = append(of, names), pflag.NewFlagSet("", pflag.ContinueOnError)
			groups[names].SortFlags = false
		}
		groups[names].AddFlag(x)
	})
	w := c.OutOrStderr()
	fmt.Fprintf(w, "Usage:\n  %s\n\nExamples:\n%s\n\nFlags:\n%s", c.UseLine(), c.Example, general.FlagUsagesWrapped(helpWidth))
	fmt.Fprint(w, "\nFlags of some benchmarks. N, SIZE (with K M G) and WORD may be lists, as in 1,4,8: each value makes cases.\n")
	for _, names := range of {
		fmt.Fprintf(w, "\n%s:\n%s", names, groups[names].FlagUsagesWrapped(helpWidth))
	}
	return nil
}

// readOwn reads the flags that were given.
func (f *runFlags) readOwn(p *flagParser) map[string][]any {
	values := map[string][]any{}
	for _, own := range f.own {
		if own.value.text == "" {
			continue
		}
		v, err := plan.ParseOwn(own.params, own.value.text)
		p.note(own.params[0].Title(), err)
		values[own.name] = v
	}
	return values
}
