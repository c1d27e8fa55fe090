// Record: one case's line in results.jsonl, and the parts it is made of.
package result

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Schema is the version of the record that this program writes.
const Schema = 1

// Status says how a case ended.
type Status string

// The four ends of a case.
const (
	OK      Status = "ok"
	Failed  Status = "failed"
	Skipped Status = "skipped"
	Timeout Status = "timeout"
)

// Record is what is known of one case in one trial. Empty strings, nil
// pointers and NaN stand for what is not known and become null.
type Record struct {
	ID             string
	Benchmark      string
	Params         Params
	Status         Status
	Reason         string // why, when the status is not ok
	Metrics        map[string]Metric
	Samples        map[string]Samples
	Validation     *Validation
	PathTaken      *PathTaken
	Limit          *Limit
	Trial          int
	Started        time.Time
	ElapsedS       float64 // seconds
	Oversubscribed bool
	EnvID          string

	Staging            *Staging // of pipelined staging
	Clocks             *Clocks  // clocks and throttling of the case's devices
	ProcessesPerDevice int      // 0: not known
	MPS                *bool    // whether CUDA's Multi-Process Service serves them; nil: not known, or no CUDA device
	Pairs              string   // which PEs exchanged messages, as 0-2,1-3; of one-way ones the first sends
	PlacementFound     string   // what params.placement turned out to be, by the PEs' hosts and their devices' UUIDs
	Balancing          *Balancing
	Launch             *Launch // of --launch auto
}

// New returns a record of the case with its id and status set.
func New(benchmark string, p Params, s Status, reason string) Record {
	return Record{ID: ID(benchmark, p), Benchmark: benchmark, Params: p, Status: s, Reason: reason}
}

// Key is what resuming goes by.
func (r *Record) Key() Key { return Key{ID: r.ID, Trial: r.Trial} }

// Key names one trial of one case.
type Key struct {
	ID    string
	Trial int
}

// Metric sums up the samples of one measured quantity in its base unit: s,
// B/s, op/s or 1. NaN fields are not known and become null: P95 and P99 unless
// single operations were timed, Stddev of a lone sample, the interval of fewer than stats.LeastSamples.
type Metric struct {
	Unit       string
	Median     float64
	Mean       float64
	Stddev     float64
	Min        float64
	Max        float64
	P95        float64
	P99        float64
	CILow      float64 // of the median
	CIHigh     float64
	Confidence float64 // of the interval: 0.95
	N          int     // samples
}

// Samples are the numbers of one metric in the order they were measured. NaN
// becomes null.
type Samples []float64

// Validation says how many of the messages or cells sent were checked, and
// what was wrong.
type Validation struct {
	Checked    int64
	Sent       int64
	Errors     int64
	FirstError string  // names PE, offset, expected and found
	Answer     *Answer // applications only
}

// Answer is an application's result held against its reference. NaN is null.
type Answer struct {
	Sum               float64 // compensated, over the interior
	ExpectedSum       float64 // the reference's
	MaxError          float64 // the largest deviation found
	AppliedIterations int64   // warm-up included
}

// PathTaken says what carried the messages of a case.
type PathTaken struct {
	Lane     string // copy, ipc, rdma, gdrcopy, library-staged, staged, host, unknown
	HowKnown string
	Detail   string
}

// Lanes are the lanes that a PathTaken may name.
var Lanes = []string{"copy", "ipc", "rdma", "gdrcopy", "library-staged", "staged", "host", "unknown"}

// Limit is what the hardware allows for the case's main metric.
type Limit struct {
	Name     string
	Value    float64
	Unit     string
	Fraction float64 // of the limit that was reached
}

// Staging is what a run found out for its pipelined staging.
type Staging struct {
	ChunkBytes int64
	How        string // where the size is from: given, measured, default
}

// Balancing is what a run finds out where chares are placed anew at sync points: those of the timed iterations.
type Balancing struct {
	Syncs           int64   // sync points
	Migrations      int64   // chares that changed their PE
	MovedBytes      int64   // that went with them
	DecideS         float64 // seconds in the balancer, in all
	ImbalanceBefore float64 // largest over mean load of the PEs as measured before a sync point, mean over them; NaN without one
	ImbalanceAfter  float64 // what the same loads come to at the new places
}

// Launch is what a run found out where how kernels are launched is for it to find.
type Launch struct {
	Chosen string `json:"chosen"` // a value of params.launch
	How    string `json:"how"`    // what was measured
}

// Clocks are a device's clocks while the case ran; NaN is null.
type Clocks struct {
	SMMHz     float64
	MemoryMHz float64
	Throttled []string // reasons, empty for none
}

// The wire structs give the order of the fields and the nulls.
type wireRecord struct {
	Schema             int                `json:"schema"`
	ID                 string             `json:"id"`
	Benchmark          string             `json:"benchmark"`
	Params             Params             `json:"params"`
	Status             Status             `json:"status"`
	Reason             *string            `json:"reason"`
	Metrics            map[string]Metric  `json:"metrics"`
	Samples            map[string]Samples `json:"samples"`
	Validation         *Validation        `json:"validation"`
	PathTaken          *PathTaken         `json:"path_taken"`
	Limit              *Limit             `json:"limit"`
	Trial              int                `json:"trial"`
	Started            *time.Time         `json:"started"`
	ElapsedS           number             `json:"elapsed_s"`
	Oversubscribed     bool               `json:"oversubscribed"`
	EnvID              *string            `json:"env_id"`
	Staging            *Staging           `json:"staging"`
	Clocks             *Clocks            `json:"clocks"`
	ProcessesPerDevice *int               `json:"processes_per_device"`
	MPS                *bool              `json:"mps"`
	PlacementFound     *string            `json:"placement_found"`
	Pairs              *string            `json:"pairs"`
	Balancing          *Balancing         `json:"balancing"`
	Launch             *Launch            `json:"launch"`
}

type wireMetric struct {
	Unit       string `json:"unit"`
	Median     number `json:"median"`
	Mean       number `json:"mean"`
	Stddev     number `json:"stddev"`
	Min        number `json:"min"`
	Max        number `json:"max"`
	P95        number `json:"p95"`
	P99        number `json:"p99"`
	CILow      number `json:"ci_low"`
	CIHigh     number `json:"ci_high"`
	Confidence number `json:"confidence"`
	N          int    `json:"n"`
}

type wireValidation struct {
	Checked    int64   `json:"checked"`
	Sent       int64   `json:"sent"`
	Errors     int64   `json:"errors"`
	FirstError *string `json:"first_error"`
	*wireAnswer
}

type wireAnswer struct {
	Sum               number `json:"sum"`
	ExpectedSum       number `json:"expected_sum"`
	MaxError          number `json:"max_error"`
	AppliedIterations int64  `json:"applied_iterations"`
}

type wirePath struct {
	Lane     string  `json:"lane"`
	HowKnown *string `json:"how_known"`
	Detail   *string `json:"detail"`
}

type wireLimit struct {
	Name     string `json:"name"`
	Value    number `json:"value"`
	Unit     string `json:"unit"`
	Fraction number `json:"fraction"`
}

type wireStaging struct {
	ChunkBytes int64  `json:"chunk_bytes"`
	How        string `json:"how"`
}

type wireBalancing struct {
	Syncs           int64  `json:"syncs"`
	Migrations      int64  `json:"migrations"`
	MovedBytes      int64  `json:"moved_bytes"`
	DecideS         number `json:"decide_s"`
	ImbalanceBefore number `json:"imbalance_before"`
	ImbalanceAfter  number `json:"imbalance_after"`
}

type wireClocks struct {
	SMMHz     number   `json:"sm_mhz"`
	MemoryMHz number   `json:"memory_mhz"`
	Throttled []string `json:"throttled"`
}

// number is a float64 whose NaN and infinities are null, and the other way
// round: a NaN halo must not make the record of its failure unwritable.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(f)
}

func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = number(math.NaN())
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("%s is no number", b)
	}
	*n = number(f)
	return nil
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
