// What goes wrong, and how it is written: GPUBENCH_FAULT=flip:3,delay:10:50ms@1

package faulty

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"gpubench/gpu"
)

// Env is the variable that names the faults.
const Env = "GPUBENCH_FAULT"

// Kind is what a fault does to its message.
type Kind string

const (
	Flip     Kind = "flip"     // flip:N[:bit]        one bit arrives wrong; bit counts from the start, negative from the end; default -8, the lowest bit of the last byte
	Truncate Kind = "truncate" // truncate:N[:bytes]  so many bytes are missing at the end; default half of them
	Drop     Kind = "drop"     // drop:N              it is never sent; the sender does not notice
	Delay    Kind = "delay"    // delay:N:duration    it and all later ones of this PE leave so much later
	Die      Kind = "die"      // die:N               the PE dies instead of sending it
	Hang     Kind = "hang"     // hang:N              from it on, the PE's transport does nothing more
)

// grammar is what follows each kind.
var grammar = map[Kind]struct {
	arg      string // what it is, empty where there is none
	required bool
}{
	Flip:     {arg: "bit"},
	Truncate: {arg: "bytes"},
	Drop:     {},
	Delay:    {arg: "duration", required: true},
	Die:      {},
	Hang:     {},
}

// defaultBit is the lowest bit of the last byte.
const defaultBit = -8

// Fault befalls one message. Messages are numbered from 1 per PE, in the order in which it sends them: tagged ones and
// headers, but not those of the control context, which carry the harness and not what is measured.
type Fault struct {
	Kind  Kind
	N     int64
	Bit   int64         // Flip
	Bytes int           // Truncate; -1: half
	Delay time.Duration // Delay
	Rank  int           // on this PE alone; -1: on every one
}

// String is the form that Parse reads.
func (f Fault) String() string {
	s := fmt.Sprintf("%s:%d", f.Kind, f.N)
	switch {
	case f.Kind == Flip && f.Bit != defaultBit:
		s += fmt.Sprintf(":%d", f.Bit)
	case f.Kind == Truncate && f.Bytes >= 0:
		s += fmt.Sprintf(":%d", f.Bytes)
	case f.Kind == Delay:
		s += ":" + f.Delay.String()
	}
	if f.Rank >= 0 {
		s += fmt.Sprintf("@%d", f.Rank)
	}
	return s
}

// Faults is all that goes wrong. The zero value is none.
type Faults struct {
	List   []Fault
	Device *gpu.Device  // needed to flip bits of device memory
	Die    func()       // what dying means; nil: the driver below is closed
	Note   func(string) // told when a fault strikes; may be nil
}

// Empty reports whether nothing goes wrong.
func (f Faults) Empty() bool { return len(f.List) == 0 }

// String is the form that Parse reads.
func (f Faults) String() string {
	var parts []string
	for _, x := range f.List {
		parts = append(parts, x.String())
	}
	return strings.Join(parts, ",")
}

// FromEnv reads GPUBENCH_FAULT.
func FromEnv() (Faults, error) {
	f, err := Parse(os.Getenv(Env))
	if err != nil {
		return Faults{}, fmt.Errorf("%s: %w", Env, err)
	}
	return f, nil
}

// Parse reads a list of faults, separated by commas; an empty one is none.
func Parse(s string) (Faults, error) {
	var f Faults
	if strings.TrimSpace(s) == "" {
		return f, nil
	}
	for _, word := range strings.Split(s, ",") {
		x, err := parseOne(strings.TrimSpace(word))
		if err != nil {
			return Faults{}, fmt.Errorf("fault %q: %w", word, err)
		}
		f.List = append(f.List, x)
	}
	return f, nil
}

func parseOne(word string) (Fault, error) {
	f := Fault{Rank: -1, Bit: defaultBit, Bytes: -1}
	word, rank, on := strings.Cut(word, "@")
	if on {
		r, err := strconv.ParseUint(rank, 10, 31)
		if err != nil {
			return f, fmt.Errorf("PE %q after @: want a rank", rank)
		}
		f.Rank = int(r)
	}
	fields := strings.Split(word, ":")
	f.Kind = Kind(fields[0])
	g, known := grammar[f.Kind]
	if !known {
		return f, fmt.Errorf("no such fault: want flip, truncate, drop, delay, die or hang")
	}
	form := fmt.Sprintf("%s:N", f.Kind)
	switch {
	case g.required:
		form += ":" + g.arg
	case g.arg != "":
		form += "[:" + g.arg + "]"
	}
	if len(fields) < 2 || g.required && len(fields) < 3 || g.arg == "" && len(fields) > 2 || len(fields) > 3 {
		return f, fmt.Errorf("want %s", form)
	}
	n, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || n < 1 {
		return f, fmt.Errorf("message number %q: want 1 or more", fields[1])
	}
	f.N = n
	if len(fields) < 3 {
		return f, nil
	}
	return f, f.parseArg(fields[2])
}

func (f *Fault) parseArg(s string) (err error) {
	switch f.Kind {
	case Flip:
		if f.Bit, err = strconv.ParseInt(s, 10, 64); err != nil {
			return fmt.Errorf("bit %q: want a number", s)
		}
	case Truncate:
		if f.Bytes, err = strconv.Atoi(s); err != nil || f.Bytes < 1 {
			return fmt.Errorf("bytes %q: want 1 or more", s)
		}
	case Delay:
		if f.Delay, err = time.ParseDuration(s); err != nil || f.Delay <= 0 {
			return fmt.Errorf("duration %q: want a positive one such as 50ms", s)
		}
	}
	return nil
}
