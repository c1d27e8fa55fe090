// Benchmarks of a device alone: a set of cases for each device in play, in one PE.

package plan

import (
	"fmt"
	"maps"

	"gpubench/internal/result"
)

// aloneTransport is what the one PE of such a job has; nothing goes over it.
const aloneTransport = "inproc"

func (e *expander) expandAlone(b Bench) error {
	first := len(e.cases)
	var misfit *UsageError
	for _, device := range e.inPlay() {
		e.at = device
		for _, pages := range e.o.Pages {
			for _, buffers := range e.o.Buffers {
				for _, own := range e.ownParams(b, "") {
					if wrong := e.addAlone(b, device, pages, buffers, own); wrong != nil {
						misfit = wrong
					}
				}
			}
		}
	}
	return e.misfits(b, misfit, first)
}

// inPlay are the devices that the paths name.
func (e *expander) inPlay() (devices []string) {
	host, off := false, false
	for _, p := range e.paths {
		host = host || p == "host"
		off = off || p != "host"
	}
	if host {
		devices = append(devices, "cpu")
	}
	if off {
		devices = append(devices, e.device)
	}
	return devices
}

// addAlone is add without what concerns messages. What does not fit only because all values of a flag are the default is
// left out without a word.
func (e *expander) addAlone(b Bench, device, pages, buffers string, own result.Params) *UsageError {
	c, misfit := e.alone(b, device, pages, buffers, own)
	if misfit != nil && !e.wanted(b, misfit.Flag) {
		return nil
	}
	e.keep(c, misfit)
	return misfit
}

// wanted says whether the value of a flag that does not fit was given, and is not one of all by default.
func (e *expander) wanted(b Bench, title string) bool {
	for _, p := range b.Params {
		if p.Flag != "" && p.Title() == title {
			return len(e.o.Own[p.Flag]) > 0 || !p.All && !p.Devices
		}
	}
	return true
}

// alone makes one case of a device alone.
func (e *expander) alone(b Bench, device, pages, buffers string, own result.Params) (c Case, misfit *UsageError) {
	p := result.Params{
		"model": nil, "transport": nil, "device": device, "path": nil, "pes": int64(1), "space": nil, "placement": nil,
		"buffers": buffers, "pages": pages, "loop": nil, "staging": nil, "staging_space": nil, "chunk_bytes": nil,
		"validate": e.o.Validate,
	}
	maps.Copy(p, own)
	skip := ""
	if b.Settle != nil {
		if flag, err := b.Settle(p); err != nil {
			misfit = &UsageError{Flag: flag, Text: err.Error()}
			skip = misfit.Error()
		}
	}
	if skip == "" {
		skip = e.whyAlone(b, device, p)
	}
	return Case{Benchmark: b.Name, Params: p, ID: result.ID(b.Name, p), Skip: skip, Misfit: misfit != nil}, misfit
}

// whyAlone returns the reason why a case of a device alone cannot run, or "".
func (e *expander) whyAlone(b Bench, device string, p result.Params) string {
	d := e.m.Devices[device]
	if !d.OK {
		return fmt.Sprintf("device %s: %s", device, d.Reason)
	}
	for _, param := range b.Params {
		if n, ok := p[param.Name].(int64); ok && param.Devices && n >= int64(d.Count) {
			return fmt.Sprintf("%s %d: the devices of %s are 0 to %d", param.Title(), n, device, d.Count-1)
		}
	}
	if b.Memory == nil {
		return ""
	}
	need := b.Memory(p)
	if have := e.m.MemBytes; have > 0 && device == "cpu" && need > have {
		return fmt.Sprintf("needs %s of memory, and %s are available", bytesText(need), bytesText(have))
	}
	if d.MemBytes > 0 && device != "cpu" && need > d.MemBytes {
		return fmt.Sprintf("needs %s of device memory, and a device has %s", bytesText(need), bytesText(d.MemBytes))
	}
	return ""
}

// defaultsOf is what a parameter is without its flag.
func (e *expander) defaultsOf(p Param) (values []any) {
	switch {
	case p.Devices:
		for i := range max(1, e.m.Devices[e.at].Count) {
			values = append(values, int64(i))
		}
		return values
	case p.All:
		for _, v := range p.Values {
			values = append(values, v)
		}
		return values
	case e.o.Quick && p.Quick != nil:
		return []any{p.Quick}
	}
	return []any{p.Default}
}
