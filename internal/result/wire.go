// The way of a record's parts to JSON and back, through the wire structs.
package result

import (
	"bytes"
	"encoding/json"
	"time"
)

// marshal is json.Marshal without the escapes for HTML: reasons hold arrows.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// MarshalJSON writes the record's line, without the newline.
func (r Record) MarshalJSON() ([]byte, error) {
	w := wireRecord{
		Schema: Schema, ID: r.ID, Benchmark: r.Benchmark, Params: r.Params,
		Status: r.Status, Reason: textOrNull(r.Reason),
		Metrics: r.Metrics, Samples: r.Samples,
		Validation: r.Validation, PathTaken: r.PathTaken, Limit: r.Limit,
		Trial: r.Trial, ElapsedS: number(r.ElapsedS), Oversubscribed: r.Oversubscribed,
		EnvID: textOrNull(r.EnvID), Staging: r.Staging, Clocks: r.Clocks, MPS: r.MPS, PlacementFound: textOrNull(r.PlacementFound),
		Pairs:     textOrNull(r.Pairs),
		Balancing: r.Balancing,
	}
	if w.Params == nil {
		w.Params = Params{}
	}
	if w.Metrics == nil {
		w.Metrics = map[string]Metric{}
	}
	if w.Samples == nil {
		w.Samples = map[string]Samples{}
	}
	if !r.Started.IsZero() {
		t := r.Started.UTC()
		w.Started = &t
	}
	if r.ProcessesPerDevice != 0 {
		w.ProcessesPerDevice = &r.ProcessesPerDevice
	}
	return marshal(w)
}

// UnmarshalJSON reads a record's line. Fields it does not know are ignored,
// as newer minor versions may add some; Check is the strict one.
func (r *Record) UnmarshalJSON(b []byte) error {
	var w wireRecord
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*r = Record{
		ID: w.ID, Benchmark: w.Benchmark, Params: w.Params,
		Status: w.Status, Reason: textOf(w.Reason),
		Metrics: w.Metrics, Samples: w.Samples,
		Validation: w.Validation, PathTaken: w.PathTaken, Limit: w.Limit,
		Trial: w.Trial, ElapsedS: float64(w.ElapsedS), Oversubscribed: w.Oversubscribed,
		EnvID: textOf(w.EnvID), Staging: w.Staging, Clocks: w.Clocks, MPS: w.MPS, PlacementFound: textOf(w.PlacementFound),
		Pairs:     textOf(w.Pairs),
		Balancing: w.Balancing,
	}
	if w.Started != nil {
		r.Started = *w.Started
	} else {
		r.Started = time.Time{}
	}
	if w.ProcessesPerDevice != nil {
		r.ProcessesPerDevice = *w.ProcessesPerDevice
	}
	return nil
}

// MarshalJSON writes the metric with null for NaN.
func (m Metric) MarshalJSON() ([]byte, error) {
	return marshal(wireMetric{
		Unit: m.Unit, Median: number(m.Median), Mean: number(m.Mean), Stddev: number(m.Stddev),
		Min: number(m.Min), Max: number(m.Max), P95: number(m.P95), P99: number(m.P99),
		CILow: number(m.CILow), CIHigh: number(m.CIHigh), Confidence: number(m.Confidence), N: m.N,
	})
}

// UnmarshalJSON reads a metric with NaN for null.
func (m *Metric) UnmarshalJSON(b []byte) error {
	var w wireMetric
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*m = Metric{
		Unit: w.Unit, Median: float64(w.Median), Mean: float64(w.Mean), Stddev: float64(w.Stddev),
		Min: float64(w.Min), Max: float64(w.Max), P95: float64(w.P95), P99: float64(w.P99),
		CILow: float64(w.CILow), CIHigh: float64(w.CIHigh), Confidence: float64(w.Confidence), N: w.N,
	}
	return nil
}

// MarshalJSON writes the samples with null for NaN.
func (s Samples) MarshalJSON() ([]byte, error) {
	n := make([]number, len(s))
	for i, x := range s {
		n[i] = number(x)
	}
	return marshal(n)
}

// UnmarshalJSON reads samples with NaN for null.
func (s *Samples) UnmarshalJSON(b []byte) error {
	var n []number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*s = make(Samples, len(n))
	for i, x := range n {
		(*s)[i] = float64(x)
	}
	return nil
}

// MarshalJSON writes the counts, and the answer's fields where there is one.
func (v Validation) MarshalJSON() ([]byte, error) {
	w := wireValidation{Checked: v.Checked, Sent: v.Sent, Errors: v.Errors, FirstError: textOrNull(v.FirstError)}
	if a := v.Answer; a != nil {
		w.wireAnswer = &wireAnswer{number(a.Sum), number(a.ExpectedSum), number(a.MaxError), a.AppliedIterations}
	}
	return marshal(w)
}

// UnmarshalJSON reads the counts; an answer is there if applied_iterations is.
func (v *Validation) UnmarshalJSON(b []byte) error {
	var w struct {
		wireValidation
		Applied *int64 `json:"applied_iterations"`
	}
	w.wireAnswer = new(wireAnswer)
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*v = Validation{Checked: w.Checked, Sent: w.Sent, Errors: w.Errors, FirstError: textOf(w.FirstError)}
	if w.Applied != nil {
		a := w.wireAnswer
		v.Answer = &Answer{float64(a.Sum), float64(a.ExpectedSum), float64(a.MaxError), *w.Applied}
	}
	return nil
}

// MarshalJSON writes the path with null for an empty text.
func (p PathTaken) MarshalJSON() ([]byte, error) {
	return marshal(wirePath{p.Lane, textOrNull(p.HowKnown), textOrNull(p.Detail)})
}

// UnmarshalJSON reads the path.
func (p *PathTaken) UnmarshalJSON(b []byte) error {
	var w wirePath
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*p = PathTaken{w.Lane, textOf(w.HowKnown), textOf(w.Detail)}
	return nil
}

// MarshalJSON writes the limit with null for NaN.
func (l Limit) MarshalJSON() ([]byte, error) {
	return marshal(wireLimit{l.Name, number(l.Value), l.Unit, number(l.Fraction)})
}

// UnmarshalJSON reads the limit with NaN for null.
func (l *Limit) UnmarshalJSON(b []byte) error {
	var w wireLimit
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*l = Limit{w.Name, float64(w.Value), w.Unit, float64(w.Fraction)}
	return nil
}

// MarshalJSON writes what was found out.
func (s Staging) MarshalJSON() ([]byte, error) { return marshal(wireStaging(s)) }

// UnmarshalJSON reads what was found out.
func (s *Staging) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*wireStaging)(s)) }

// MarshalJSON writes what was found out.
func (b Balancing) MarshalJSON() ([]byte, error) {
	return marshal(wireBalancing{b.Syncs, b.Migrations, b.MovedBytes, number(b.DecideS), number(b.ImbalanceBefore), number(b.ImbalanceAfter)})
}

// UnmarshalJSON reads what was found out.
func (b *Balancing) UnmarshalJSON(text []byte) error {
	var w wireBalancing
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*b = Balancing{w.Syncs, w.Migrations, w.MovedBytes, float64(w.DecideS), float64(w.ImbalanceBefore), float64(w.ImbalanceAfter)}
	return nil
}

// MarshalJSON writes the clocks with null for NaN and [] for no throttling.
func (c Clocks) MarshalJSON() ([]byte, error) {
	t := c.Throttled
	if t == nil {
		t = []string{}
	}
	return marshal(wireClocks{number(c.SMMHz), number(c.MemoryMHz), t})
}

// UnmarshalJSON reads the clocks with NaN for null.
func (c *Clocks) UnmarshalJSON(b []byte) error {
	var w wireClocks
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*c = Clocks{float64(w.SMMHz), float64(w.MemoryMHz), w.Throttled}
	return nil
}
