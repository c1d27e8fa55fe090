// Run: the measuring loop. PE 0 decides what happens next from all PEs'
// reports and tells the others; every PE carries it out and reports.
package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gpubench/internal/result"
	"gpubench/runtimes/transport"
)

// Run measures one case. Every PE of the job calls it with the same case. PE 0
// gets the record; the others get one with the id and the status alone. A
// wrong answer is a failed record and no error. An error, always a
// *BrokenError, means that the PEs must not run another case; the record is
// valid all the same.
func Run(pe *PE, b *Benchmark, c Case) (result.Record, error) {
	s := &session{pe: pe, b: b, c: c, laps: laps(b.of(c.Params)), started: time.Now()}
	if pe.Rank == 0 {
		s.chief = newChief(s)
	}
	if c.Patience > 0 {
		pe.Control.patience = c.Patience
	}
	if pe.Oversubscribed {
		pe.Control.spin = yieldFor
	}
	collector.enter()
	defer collector.leave()
	pe.Control.arm()
	defer pe.Control.disarm()
	last, err := s.follow()
	return s.conclude(last, err)
}

// session is one PE's side of a case.
type session struct {
	pe      *PE
	b       *Benchmark
	c       Case
	laps    []string
	body    Body
	closed  bool
	clk     Clock
	batches int
	timing  bool      // the warm-up is over
	seen    *evidence // of direct messages; nil: nobody looked
	chief   *chief    // on PE 0
	started time.Time
}

// task is what PE 0 has the others do next.
type task string

const (
	doPath  task = "path"  // set the endpoint's path
	doTune  task = "tune"  // find the chunk size
	doOpen  task = "open"  // make the body
	doBatch task = "batch" // barrier, batch, inspection
	doCheck task = "check" // the untimed pass
	doLegs  task = "legs"  // measure what a staged message is made of
	doClose task = "close" // lane, counters, free everything
	doEnd   task = "end"
)

// order is a task with its details.
type order struct {
	Do     task
	N      int           `json:",omitempty"` // iterations of a batch
	Timed  bool          `json:",omitempty"` // a batch that does not warm up
	Level  *int64        `json:",omitempty"` // of a batch or the untimed pass, where there is a search
	Chunk  int           `json:",omitempty"` // before the body is made: of pipelined staging
	Status result.Status `json:",omitempty"` // at the end
	Broken *blame        `json:",omitempty"` // at the end: the PEs cannot go on
}

type blame struct {
	PE   int
	Text string
}

// report is what a PE says of a task.
type report struct {
	Err         string             `json:",omitempty"`
	Unsupported bool               `json:",omitempty"` // the error is errors.ErrUnsupported
	Derived     int                `json:",omitempty"` // how likely the error is another PE's doing, as derived gives it
	Clocked     bool               `json:",omitempty"`
	Seconds     float64            `json:",omitempty"`
	Laps        []float64          `json:",omitempty"` // seconds, as session.laps
	Done        int64              `json:",omitempty"` // of a batch, as Counted counts
	Check       *result.Validation `json:",omitempty"`
	Tuning      [][]float64        `json:",omitempty"` // seconds of round trips, by chunk size
	Legs        *legReport         `json:",omitempty"`
	Lane        *transport.Lane    `json:",omitempty"`
	Seen        *evidence          `json:",omitempty"`
	Traffic     *traffic           `json:",omitempty"`
	Balancing   *result.Balancing  `json:",omitempty"`
	Over        bool               `json:",omitempty"` // oversubscribed
	Device      string             `json:",omitempty"` // UUID
}

// laps are the laps that metrics are made of, in order.
func laps(metrics []Metric) []string {
	var names []string
	for _, m := range metrics {
		if m.Lap != "" {
			names = append(names, m.Lap)
		}
	}
	return names
}

// follow carries out orders until the end.
func (s *session) follow() (order, error) {
	o := order{Do: doPath}
	for {
		r, err := s.carryOut(o)
		if err != nil {
			return o, err
		}
		if o, err = s.exchange(r); err != nil || o.Do == doEnd {
			return o, err
		}
	}
}

// carryOut does one task. An error is the control's: the PEs have lost each
// other. What goes wrong in the body is in the report.
func (s *session) carryOut(o order) (r report, lost error) {
	var err error
	if o.Level != nil {
		s.body.(Leveled).SetLevel(*o.Level)
	}
	switch o.Do {
	case doPath:
		err = s.setPath(0)
		r.Over = s.pe.Oversubscribed
	case doTune:
		err, lost = s.tune(&r)
	case doOpen:
		if o.Chunk > 0 {
			err = s.setPath(o.Chunk)
		}
		if err == nil {
			err = s.protect("New", s.open)
		}
		if err == nil {
			err = s.poison()
		}
		r.Device = s.device()
	case doBatch:
		if o.Timed && !s.timing {
			s.timing = true
			s.balancing() // until now
		}
		err, lost = s.batch(o.N, &r)
	case doCheck:
		err = s.protect("Check", func() error {
			return s.watch(true, func() error {
				v, err := s.body.Check()
				r.Check = &v
				return err
			})
		})
	case doLegs:
		err, lost = s.legs(&r)
	case doClose:
		r.Traffic, r.Seen = trafficOf(s.pe.Endpoint.Stats()), s.seen
		if r.Balancing = s.balancing(); !s.timing {
			r.Balancing = s.balancing()
		}
		err = errors.Join(s.protect("Probe", func() error { r.Lane = s.lane(); return nil }), s.close())
	}
	if err != nil {
		r.Err = named(s.pe.Rank, err.Error())
		r.Unsupported = errors.Is(err, errors.ErrUnsupported)
		r.Derived = derived(err)
		if o.Do == doCheck || o.Do == doOpen {
			s.pe.Control.raise()
		}
	}
	return r, lost
}

// batch runs a batch between two barriers: collecting garbage, poisoning and
// checking on one PE must not fall into the timed region of another.
func (s *session) batch(n int, r *report) (err, lost error) {
	s.clk.reset()
	collector.tidy()
	before := s.counted()
	if lost = s.pe.Control.Barrier(); lost != nil {
		return nil, lost
	}
	first := s.batches == 0 // warms up
	s.batches++
	if err = s.protect("Batch", func() error { return s.watch(first, func() error { return s.body.Batch(n, &s.clk) }) }); err != nil {
		s.pe.Control.raise()
	}
	if lost = s.pe.Control.round(); lost != nil || err != nil {
		return err, lost
	}
	r.Done = s.counted() - before
	s.times(r)
	if r.Check, err = s.inspect(); err == nil {
		err = s.poison()
	}
	return err, nil
}

// derived says how likely an error is the trace of another PE's: 0 its own, 1 a wait for a PE that did not answer, 2 one
// that ended because another PE has failed, 3 any between a PE's own messages.
func derived(err error) int {
	var unmet *unmetError
	switch {
	case errors.As(err, &unmet):
		return 3
	case errors.Is(err, transport.ErrAborted):
		return 2
	}
	for _, kind := range []error{transport.ErrDeadline, transport.ErrPeerDied, transport.ErrCancelled} {
		if errors.Is(err, kind) {
			return 1
		}
	}
	return 0
}

// named puts the PE in front of a text unless it is there already.
func named(rank int, text string) string {
	if strings.HasPrefix(text, "PE ") {
		return text
	}
	return fmt.Sprintf("PE %d: %s", rank, text)
}

// exchange brings the report to PE 0 and its next order back.
func (s *session) exchange(r report) (order, error) {
	mine, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("bench: %+v: %v", r, err))
	}
	all, err := s.pe.Control.Gather(mine)
	if err != nil {
		return order{}, err
	}
	var next []byte
	if s.chief != nil {
		reports := make([]report, len(all))
		for i, b := range all {
			if err := json.Unmarshal(b, &reports[i]); err != nil {
				return order{}, fmt.Errorf("PE 0: report of PE %d: %w", i, err)
			}
		}
		if next, err = json.Marshal(s.chief.decide(reports)); err != nil {
			panic(err)
		}
	}
	if next, err = s.pe.Control.Broadcast(next); err != nil {
		return order{}, err
	}
	var o order
	if err := json.Unmarshal(next, &o); err != nil {
		return o, fmt.Errorf("PE %d: order of PE 0: %w", s.pe.Rank, err)
	}
	return o, nil
}

// conclude makes the record and the error of Run.
func (s *session) conclude(last order, lost error) (result.Record, error) {
	if lost != nil {
		if err := s.close(); err != nil {
			lost = errors.Join(lost, err)
		}
		rec := result.New(s.b.Name, s.c.Params, result.Failed, named(s.pe.Rank, lost.Error()))
		if s.chief != nil {
			rec = s.chief.record(result.Failed, named(s.pe.Rank, lost.Error()))
		}
		return rec, &BrokenError{PE: s.pe.Rank, Err: lost}
	}
	var rec result.Record
	if s.chief != nil {
		rec = s.chief.record(s.chief.status, s.chief.reason)
	} else {
		rec = result.New(s.b.Name, s.c.Params, last.Status, "")
		rec.Trial = s.c.Trial
	}
	if b := last.Broken; b != nil {
		return rec, &BrokenError{PE: b.PE, Err: errors.New(b.Text)}
	}
	return rec, nil
}
