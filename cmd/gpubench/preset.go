// --preset: flags of run that others' published runs stand for.

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/plan"
	"gpubench/internal/preset"
)

// rivals are flags that cannot stand beside a preset's: given, they take its place.
var rivals = map[string]string{"iterations": "time", "odf": "blocks", "trials": "trial"}

// room is how many PEs can run at a time without taking turns, and the memory that they share, in bytes; 0: not known.
type room struct{ pes, memBytes int64 }

// applyPreset gives the flags that the preset names its values, but for those that were typed, and returns the benchmarks and
// a line that says what the preset came to.
func (f *runFlags) applyPreset(ctx context.Context, s *pflag.FlagSet, args []string) (benchmarks, title []string, err error) {
	if f.preset == "" {
		if f.scale != "" {
			return nil, nil, &plan.UsageError{Flag: "--scale", Text: "it shrinks a preset: give --preset, or leave it out"}
		}
		return args, nil, nil
	}
	p, ok := preset.Lookup(f.preset)
	if !ok {
		_, err := plan.Choose([]string{f.preset}, preset.Names()...)
		return nil, nil, &plan.UsageError{Flag: "--preset", Text: err.Error()}
	}
	for _, b := range args {
		if !slices.Contains(p.Benchmarks, b) {
			return nil, nil, &plan.UsageError{Flag: "--preset", Text: fmt.Sprintf("%s runs %s and no %s: leave out the benchmark or the preset",
				p.Name, strings.Join(p.Benchmarks, ", "), b)}
		}
	}
	if len(args) == 0 {
		args = p.Benchmarks
	}
	job, joined := launch.Joined(os.Getenv)
	settings, scaled, err := f.scaled(ctx, p, job, joined, s.Changed("pes"))
	if err != nil {
		return nil, nil, err
	}
	for _, x := range settings {
		launchers := joined && (x.Rule == preset.PEs || x.Flag == "trials") // a launch has its own number of PEs, and is one trial
		hurried := f.quick && x.Flag == "trials"
		if s.Changed(x.Flag) || launchers || hurried || rivals[x.Flag] != "" && s.Changed(rivals[x.Flag]) {
			continue
		}
		if err := s.Set(x.Flag, x.Value); err != nil {
			return nil, nil, &plan.UsageError{Flag: "--preset", Text: fmt.Sprintf("%s: %v", p.Name, err)}
		}
	}
	return args, []string{fmt.Sprintf("preset %s%s: %s", p.Name, scaled, typed(s, args))}, nil
}

// scaled is the preset at --scale. Without it a preset that asks for more PEs than there is room for is refused: it would
// take turns on the cores, and count for nothing.
func (f *runFlags) scaled(ctx context.Context, p preset.Preset, job launch.Job, joined, pesGiven bool) (s []preset.Setting, text string, err error) {
	var have room
	if joined {
		have.pes = int64(job.Size)
	} else {
		have = f.room(ctx, p.Device)
	}
	scale := 1.0
	switch f.scale {
	case "":
		if most := p.MostPEs(); most > max(have.pes, 2) && !joined && !pesGiven {
			return nil, "", &plan.UsageError{Flag: "--preset", Text: fmt.Sprintf(
				"%s asks for %d PEs, and there is room for %d here: give --scale auto, a --scale, or -n", p.Name, most, have.pes)}
		}
		return p.Settings, "", nil
	case "auto":
		scale = p.Auto(have.pes, have.memBytes)
	default:
		scale, err = strconv.ParseFloat(f.scale, 64)
		if err != nil || !(scale > 0 && scale <= 1) {
			return nil, "", &plan.UsageError{Flag: "--scale", Text: fmt.Sprintf("%q is no scale: give a number above 0 and at most 1, or auto", f.scale)}
		}
	}
	return p.Scaled(scale, have.pes), fmt.Sprintf(" at scale %.3g", scale), nil
}

// room asks the machine: GPUs for presets of devices, where there are any that the run would use, else CPUs.
func (f *runFlags) room(ctx context.Context, device bool) room {
	if device && (f.device == "" || f.device == "auto" || f.device == string(gpu.CUDA)) {
		if a, err := ask(ctx, probeLimit, "device:"+string(gpu.CUDA)); err == nil && a.Device != nil && a.Device.OK {
			n := int64(a.Device.Count)
			return room{n, n * a.Device.MemBytes}
		}
	}
	return room{int64(cpusAllowed()), memAvailable()}
}

// typed is the command line that a run stands for, without what only says where its results go.
func typed(s *pflag.FlagSet, benchmarks []string) string {
	words := append([]string{"gpubench run"}, benchmarks...)
	s.VisitAll(func(x *pflag.Flag) {
		if !x.Changed || slices.Contains([]string{"preset", "scale", "output", "resume", "format"}, x.Name) {
			return
		}
		v := strings.Trim(x.Value.String(), "[]")
		if x.Value.Type() == "bool" {
			words = append(words, "--"+x.Name+"="+v)
			return
		}
		words = append(words, "--"+x.Name+" "+v)
	})
	return strings.Join(words, " ")
}
