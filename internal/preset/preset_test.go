package preset

import (
	"os"
	"strings"
	"testing"
)

func values(s []Setting) map[string]string {
	out := map[string]string{}
	for _, x := range s {
		out[x.Flag] = x.Value
	}
	return out
}

func preset(t *testing.T, name string) Preset {
	t.Helper()
	p, ok := Lookup(name)
	if !ok {
		t.Fatalf("no preset %s", name)
	}
	return p
}

func TestScaled(t *testing.T) {
	for _, c := range []struct {
		name string
		s    float64
		pes  int64
		want map[string]string
	}{
		{"espm21-latency-cpu", 1, 64, map[string]string{"pes": "2", "iterations": "1000", "message-size": "16:4M", "trials": "10"}},
		{"espm21-pic-strong", 1, 768, map[string]string{"rho": "0.999", "cells": "5998", "particles": "6400000"}},
		{"espm21-latency-cpu", 0.01, 1, map[string]string{"pes": "2", "iterations": "100"}},
		// A quarter of the cells, in the same shape.
		{"espm21-stencil2d-strong-cpu", 0.25, 64, map[string]string{"pes": "1,2,4,8,16,32,64", "grid": "12288,12288", "iterations": "100"}},
		{"espm21-stencil2d-weak-gpu", 1, 4, map[string]string{"pes": "1,2,4", "grid": "24576,36864"}},
		{"espm21-stencil2d-weak-gpu", 1, 5000, map[string]string{"pes": summit}},
		{"gpudirect-jacobi3d-strong", 0.125, 6, map[string]string{"pes": "1,3,6", "grid": "1536,1536,1536"}},
		{"espm21-pic-strong", 2.0 / 768, 2, map[string]string{"pes": "1,2", "particles": "16667", "cells": "306", "rho": "0.98058", "iterations": "100", "balance-every": "8"}},
		{"espm21-pic-odf-period", 1e-9, 1, map[string]string{"pes": "1", "particles": "100", "cells": "16", "balance-every": "1,2,4,8,16"}},
	} {
		p := preset(t, c.name)
		before := p.Command()
		got := values(p.Scaled(c.s, c.pes))
		for flag, want := range c.want {
			if got[flag] != want {
				t.Errorf("%s at %g on %d PEs: --%s %s, want %s", c.name, c.s, c.pes, flag, got[flag], want)
			}
		}
		if p.Command() != before {
			t.Errorf("%s was changed", c.name)
		}
	}
}

func TestAuto(t *testing.T) {
	for _, c := range []struct {
		name     string
		pes, mem int64
		want     float64
	}{
		{"espm21-latency-cpu", 2, 8 << 30, 1},
		{"espm21-stencil2d-strong-cpu", 2, 8 << 30, 2.0 / 6144},
		{"espm21-pic-strong", 96, 0, 0.125},
		{"espm21-pic-strong", 5000, 0, 1},
		{"gpudirect-jacobi3d-strong", 1536, 0, 1},
		{"gpudirect-jacobi3d-strong", 1536, 348 << 30, 0.25}, // 648 GiB of fields and half as much: half of a quarter fits
	} {
		if got := preset(t, c.name).Auto(c.pes, c.mem); got != c.want {
			t.Errorf("%s on %d PEs and %d bytes: %g, want %g", c.name, c.pes, c.mem, got, c.want)
		}
	}
}

// docs/PRESETS.md says what each preset stands for, and nothing else.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/PRESETS.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range All {
		if seen[p.Name] {
			t.Errorf("%s is there twice", p.Name)
		}
		seen[p.Name] = true
		for _, want := range []string{"### `" + p.Name + "`\n", "\n    " + p.Command() + "\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("docs/PRESETS.md lacks %q", want)
			}
		}
	}
	if n := strings.Count(string(text), "\n### `"); n != len(All) {
		t.Errorf("docs/PRESETS.md has %d presets, the program %d", n, len(All))
	}
}
