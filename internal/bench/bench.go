// Benchmark, Body and what they are made of: the shape that every benchmark fills.

// Package bench is the one measuring loop. A benchmark is one problem with one
// short body per model; the loop owns warm-up, barriers, the size of batches,
// stopping, garbage collection, validation, and the making of the record. It
// knows devices and transports, and neither model.
package bench

import (
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
)

// Model is the programming model of a body.
type Model string

// The models. None is that of figures of a transport or device alone; its
// param is null.
const (
	MPI   Model = "mpi"
	Charm Model = "charm"
	None  Model = ""
)

// Param is one of a benchmark's own parameters.
//
// size_bytes and iterations get their values from flags of all benchmarks. Any
// other parameter gets them from the flag that it brings, or is set by Settle.
type Param struct {
	Name string // size_bytes: units stand in names
	Unit string // B, empty for counts and words
	Doc  string
	// Default is an int64, float64, string, bool or []int64, and its type says how
	// the flag's values are read: with K, M, G where Unit is B. An empty string or
	// list is null.
	Default any
	Quick   any // the default with --quick; nil: Default. Of size_bytes: the one size with --quick
	// Null is the value that is written as null, which does not count in a case's
	// id: that of the cases from before the parameter.
	Null any
	// Flag is the long flag whose values it takes: several values make a case each.
	// Benchmarks may share a flag, with values of one type. A []int64 is one value
	// X,Y,…, and concerns the benchmarks whose Len fits.
	Flag     string
	Short    string
	Values   []string // the words allowed
	All      bool     // by default every one of Values, a case each
	Devices  bool     // by default the ordinals of all devices, a case each
	Min, Max float64  // bounds of numbers; both 0: none
	Len      int      // of a []int64
	Models   []Model  // those that it concerns; nil: all. It is null in cases of others
	// Scales says that it is the size of the problem: with `--scaling weak` the value given is that of one PE, and grows
	// with their number as plan.Grow says. derive.Problem names such parameters.
	Scales bool
}

// Metric says how a batch becomes a sample of one measured quantity.
type Metric struct {
	Name string
	Unit string // base unit: s, B/s, op/s, 1
	Doc  string // what is inside the timed region, and where the definition comes from
	// Lap names the clock's lap that the metric is made of; "" is the time
	// between Start and Stop. A lap's metric is the maximum over the PEs; the
	// mean over them is reported as Name_mean and, up to 64 PEs, each PE's
	// samples as Name_pe0, Name_pe1, …
	Lap string
	// Mean takes the mean over the PEs that ran the clock, where else the largest
	// time counts. Not of a lap.
	Mean bool
	// EachPair says that Value is that of one of the body's pairs: the metric is
	// as many times as much as there are.
	EachPair bool
	// Value turns n iterations that took so many seconds into one sample. nil:
	// seconds per iteration.
	Value func(p result.Params, n int, seconds float64) float64
	// When says which cases have the metric; nil: all.
	When func(p result.Params) bool
}

// of are the metrics that a case has.
func (b *Benchmark) of(p result.Params) []Metric {
	var out []Metric
	for _, m := range b.Metrics {
		if m.When == nil || m.When(p) {
			out = append(out, m)
		}
	}
	return out
}

// Benchmark is one problem and its bodies.
type Benchmark struct {
	Name    string
	Doc     string
	Params  []Param  // its own; the common ones are in every case
	Metrics []Metric // the first is the main one, which limits and summaries go by

	// New makes a PE's body. Every PE calls it, so it may communicate. Each
	// buffer it makes is to be written before it returns.
	New map[Model]func(*PE, result.Params) (Body, error)

	// Alone tells that it is of a device alone: one PE, and no model, transport or
	// path. New has a body for None.
	Alone          bool
	MinPEs, MaxPEs int // MaxPEs 0: any number
	// MinBatch is the least number of iterations in a timed batch: for a
	// problem whose iterations overlap, one alone would time its start and end
	// as well. 0 is 1.
	MinBatch int
	// Period is after how many iterations of a case something comes round, such as
	// balancing: timed batches hold whole periods, and a number of iterations that
	// is none of them is rounded up; nil: 1.
	Period func(p result.Params) int64
	// Everywhere says that --quick runs it over every transport; it runs others over the first alone.
	Everywhere bool
	// Iterations gives the default counts, timed and warm-up.
	Iterations func(sizeBytes int64, quick bool) (timed, warmup int64)
	// Memory estimates what a case takes in bytes over all PEs; nil: little.
	Memory func(p result.Params) int64
	// Settle is called by the plan for each case: it sets the parameters that
	// follow from others, or names the flag that does not fit and says how to mend
	// it. Where no case fits that is an error of usage, else the case is skipped; of
	// a model that has no such case, flag "--model", or of a benchmark that has none, flag "", there is none.
	// nil: nothing follows.
	Settle func(p result.Params) (flag string, err error)
	// Ceilings says what cases of a device alone bound a case's main metric; they
	// are ways to do the same, and the best counts. Pure. nil, or none: nothing is
	// known to.
	Ceilings func(p result.Params) []limits.Ceiling
	// Search makes what chooses the batches of a case and makes its figures; nil:
	// batches are alike, and each is a sample. Bodies are Leveled.
	Search func(p result.Params) (Search, error)
	// Longest is the longest message of a case in bytes; nil: its size_bytes.
	Longest func(p result.Params) int64
	// Native says over which transports there is a loop of this benchmark whole
	// in C, by the loop's name.
	Native map[string][]string
}

// LongestMessage is the longest message of a case in bytes, 0 where it is not
// known.
func (b *Benchmark) LongestMessage(p result.Params) int64 {
	switch {
	case b.Longest != nil:
		return b.Longest(p)
	case p.Has("size_bytes"):
		return p.Int("size_bytes")
	}
	return 0
}

// PE is a processing element as a body sees it. All of it belongs to one
// locked OS thread, to which Device is bound.
type PE struct {
	Rank, Size     int
	Device         *gpu.Device
	Endpoint       *transport.Endpoint
	Control        *Control
	Oversubscribed bool // more runnable threads than CPUs allowed
	// Services are what only the program's main part knows, by name: a
	// transport's native loops, for example. Shared by the bodies of a job.
	Services map[string]any

	chunks map[string]result.Staging // PE 0's: chunk sizes that the job has found, by session.chunks
}

// CacheBytes is the service that tells the size of the host's last cache, an int64.
const CacheBytes = "last_cache_bytes"

// defaultCache stands for it where it is not known.
const defaultCache = 64 << 20

// LastCache is the size of the host's last cache: what rotating buffers must exceed.
func (pe *PE) LastCache() int64 {
	if n, ok := pe.Services[CacheBytes].(int64); ok && n > 0 {
		return n
	}
	return defaultCache
}

// Body is one PE's part in a benchmark under one model. Every PE makes the
// same calls in the same order, each after a barrier. Methods return errors
// for the world and panic for bugs; either ends the case as failed, and names
// the PE.
type Body interface {
	// Batch runs n iterations, and on one PE at least starts and stops the
	// clock around them. Warm-up batches are the same call.
	Batch(n int, clk *Clock) error
	// Check is the untimed pass after the last batch: the same code again,
	// with every message's pattern checked, or the final field held against
	// its reference. It reports this PE's share: counts and sums are added up
	// over the PEs, of max_error and applied_iterations the largest is taken.
	Check() (result.Validation, error)
	Close() error
}

// Guard is implemented by bodies whose receive buffers can be checked cheaply
// after every batch.
type Guard interface {
	// Poison overwrites the receive buffers before a batch.
	Poison() error
	// Inspect checks what the batch's messages left there.
	Inspect() (result.Validation, error)
}

// Prober is implemented by bodies that say which messages carry their data:
// the record's lane is that of the first one. Without it the lane of a PE's
// device is taken to be unknown. peer is -1 where a PE sends no data, and
// Elsewhere where what it sends does not go over the transport.
type Prober interface {
	Probe() (buf gpu.Memory, peer int)
}

// Elsewhere is the peer of data that a library beside the transport carries:
// nothing here sees how.
const Elsewhere = -2

// Carried is implemented by bodies that send data Elsewhere, and say what carries
// it: a library, its version, its file.
type Carried interface {
	Carrier() string
}

// Paired is implemented by bodies whose messages go between pairs of PEs, the
// same on every PE. Without it the two are PEs 0 and 1.
type Paired interface {
	Pairs() [][2]int
}

// Launcher is implemented by bodies that find out how their kernels are best
// launched: the same on all PEs. PE 0's is asked at the end; nil where it was
// given.
type Launcher interface {
	Launch() *result.Launch
}

// Balancer is implemented by bodies that balance their load. It says what that
// came to since it was asked before: it is asked before the first timed batch and
// before Close. Counts of work that this PE has done are added up over the PEs.
// nil: this case does not balance.
type Balancer interface {
	Balancing() *result.Balancing
}

// Case is a benchmark with all its parameters fixed, to be run once. Params
// that the loop itself reads: model, path, staging, staging_space, chunk_bytes,
// device, validate (missing: true), iterations or seconds, warmup.
type Case struct {
	Params result.Params
	Trial  int
	EnvID  string
	// Clocks is asked on PE 0 right after the last timed batch; nil, or a nil
	// answer: not known.
	Clocks func() *result.Clocks
	// LongestStaged is the longest message, in bytes, of the job's cases with
	// pipelined staging: what a chunk size that is not given is measured with. 0:
	// this case's own.
	LongestStaged int64
	// What the PEs found about where they are: the record's fields of these names.
	// MPS says that processes which share a device run on it at the same time and
	// do not take turns; nil: not known.
	MPS            *bool
	PlacementFound string
	// Limit is asked on PE 0 for an ok record's limit where the case's own legs
	// give none; nil: none.
	Limit func(*result.Record) *result.Limit
	// Patience bounds the loop's own waits for a PE that is busy in a body.
	// 0 is five minutes; what a hung case costs is the supervisor's affair.
	Patience time.Duration
}

// BrokenError says that the job's PEs cannot go on to another case: one of
// them failed inside a body, so that messages may be lying about, or is gone.
type BrokenError struct {
	PE  int
	Err error
}

func (e *BrokenError) Error() string { return fmt.Sprintf("PE %d: %v", e.PE, e.Err) }

// Unwrap returns the PE's own error.
func (e *BrokenError) Unwrap() error { return e.Err }

// Registry is the list of benchmarks of a program.
type Registry struct {
	list []*Benchmark
}

// NewRegistry checks the benchmarks and panics if one contradicts itself.
func NewRegistry(list ...*Benchmark) *Registry {
	seen := map[string]bool{}
	types := map[string]string{} // of flags' values
	for _, b := range list {
		switch {
		case b.Name == "" || seen[b.Name]:
			panic(fmt.Sprintf("bench: benchmark %q is registered twice or has no name", b.Name))
		case len(b.Metrics) == 0 || len(b.New) == 0:
			panic("bench: " + b.Name + " has no metric or no body")
		}
		for _, p := range b.Params {
			if err := (result.Params{p.Name: p.Default}).Check(); err != nil {
				panic("bench: " + b.Name + ": " + err.Error())
			}
			kind := fmt.Sprintf("%T", p.Default)
			if was, known := types[p.Flag]; p.Flag != "" && known && was != kind {
				panic("bench: " + b.Name + ": --" + p.Flag + " has values of another type elsewhere")
			}
			types[p.Flag] = kind
		}
		seen[b.Name] = true
	}
	return &Registry{list: list}
}

// All returns the benchmarks in the order they were given.
func (r *Registry) All() []*Benchmark { return r.list }

// Lookup returns the benchmark of that name.
func (r *Registry) Lookup(name string) (*Benchmark, bool) {
	for _, b := range r.list {
		if b.Name == name {
			return b, true
		}
	}
	return nil, false
}
