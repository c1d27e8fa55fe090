// Flags that benchmarks bring with their parameters.

package main

import (
	"fmt"
	"slices"
	"strings"

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
				f.own, docs, of = append(f.own, ownFlag{name: p.Flag, value: new(string)}), append(docs, p), append(of, nil)
			}
			f.own[i].params = append(f.own[i].params, ownParam(p))
			of[i] = append(of[i], b.Name)
		}
	}
	for i, own := range f.own {
		usage := ownUsage(docs[i], own.params, of[i])
		if _, truth := docs[i].Default.(bool); truth {
			s.VarPF((*truths)(own.value), own.name, docs[i].Short, usage).NoOptDefVal = "true"
			continue
		}
		s.StringVarP(own.value, own.name, docs[i].Short, "", usage)
	}
}

// truths is true, false or a list of them; help and commands write its flag as any other that needs no value.
type truths string

func (t *truths) String() string     { return string(*t) }
func (t *truths) Set(s string) error { *t = truths(s); return nil }
func (t *truths) Type() string       { return "bool" }

// ownUsage is a flag's help.
func ownUsage(p bench.Param, sharing []plan.Param, of []string) string {
	value := "`N` or a list"
	switch p.Default.(type) {
	case string:
		var words []string
		for _, s := range sharing {
			for _, w := range s.Values {
				if !slices.Contains(words, w) {
					words = append(words, w)
				}
			}
		}
		value = strings.Join(words, ", ")
	case bool:
		value = "true or false"
	case []int64:
		var shapes []string
		for _, s := range sharing {
			shapes = append(shapes, "X,Y,Z"[:2*s.Len-1])
		}
		shapes = slices.Compact(shapes)
		shapes[0] = "`" + shapes[0] + "`" // what help calls the value
		value = strings.Join(shapes, " or ")
	case int64:
		if p.Unit == "B" {
			value = "`SIZE` with K M G, or a list"
		}
	}
	doc := fmt.Sprintf("%s: %s (%s", p.Doc, value, strings.Join(of, ", "))
	d := strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Default), " ", ","), "[]")
	if p.All || p.Devices {
		d = "all"
	}
	if d != "" {
		doc += "; default " + d
	}
	return doc + ")"
}

// readOwn reads the flags that were given.
func (f *runFlags) readOwn(p *flagParser) map[string][]any {
	values := map[string][]any{}
	for _, own := range f.own {
		if *own.value == "" {
			continue
		}
		v, err := plan.ParseOwn(own.params, *own.value)
		p.note(own.params[0].Title(), err)
		values[own.name] = v
	}
	return values
}
