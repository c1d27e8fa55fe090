package bench

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/result"
)

// slotted is an exchanger whose messages have legs.
type slotted struct {
	*exchanger
	slots func(pe *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int)
	calls []string
}

func (s *slotted) Slots() ([]gpu.Memory, []gpu.Memory, int) { return s.slots(s.pe, s.bufs) }

func (s *slotted) Check() (result.Validation, error) {
	s.calls = append(s.calls, "check")
	return s.exchanger.Check()
}

func (s *slotted) Batch(n int, clk *Clock) error {
	s.calls = append(s.calls, "batch")
	return s.exchanger.Batch(n, clk)
}

// runSlotted runs one case on two PEs with an emulated device.
func runSlotted(t *testing.T, p result.Params, metric string, slots func(pe *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int)) (result.Record, error) {
	t.Helper()
	b := &Benchmark{Name: "b", Metrics: []Metric{{Name: metric, Unit: map[string]string{"latency": "s", "bandwidth": "B/s"}[metric]}},
		New: map[Model]func(*PE, result.Params) (Body, error){MPI: func(pe *PE, p result.Params) (Body, error) {
			e, err := newExchanger(pe, p.With("space", strings.Split(p.String("space"), ":")[0]))
			if err != nil {
				return nil, err
			}
			return &slotted{exchanger: e.(*exchanger), slots: slots}, nil
		}}}
	var rec result.Record
	var broken error
	onDevices(t, gpu.Emulated, 2, func(pe *PE) {
		r, err := Run(pe, b, Case{Params: p})
		if pe.Rank == 0 {
			rec, broken = r, err
		}
	})
	if line, err := result.Line(rec); err != nil {
		t.Error(err)
	} else if err := result.Check(line); err != nil {
		t.Errorf("the record breaks its contract: %v\n%s", err, line)
	}
	return rec, broken
}

func bothWays(_ *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int) {
	return []gpu.Memory{all[0].Memory()}, []gpu.Memory{all[1].Memory()}, 1
}

func oneWay(pe *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int) {
	half := all[0].Len() / 2
	slots := []gpu.Memory{all[0].Slice(0, half), all[0].Slice(half, half)}
	if pe.Rank == 0 {
		return slots, nil, 5
	}
	return nil, slots, 5
}

func TestLegs(t *testing.T) {
	staged := result.Params{"staging": "simple", "size_bytes": int64(4096)}
	for name, c := range map[string]struct {
		more   result.Params
		metric string
		slots  func(pe *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int)
		want   string // samples beside the main ones
	}{
		"both ways, simple":    {staged, "latency", bothWays, "to_device_time to_device_time_pe0 to_device_time_pe1 to_host_time to_host_time_pe0 to_host_time_pe1 wire_time"},
		"both ways, pipelined": {staged.With("staging", "pipelined"), "latency", bothWays, "to_device_time to_device_time_pe0 to_device_time_pe1 to_host_time to_host_time_pe0 to_host_time_pe1 wire_time"},
		"through pageable":     {staged.With("staging_space", "pageable"), "latency", bothWays, "to_device_time to_device_time_pe0 to_device_time_pe1 to_host_time to_host_time_pe0 to_host_time_pe1 wire_time"},
		"managed memory":       {staged.With("space", "managed"), "latency", bothWays, "to_device_time to_device_time_pe0 to_device_time_pe1 to_host_time to_host_time_pe0 to_host_time_pe1 wire_time"},
		"without validation":   {staged.With("validate", false), "latency", bothWays, "to_device_time to_device_time_pe0 to_device_time_pe1 to_host_time to_host_time_pe0 to_host_time_pe1 wire_time"},
		"one way in windows":   {staged, "bandwidth", oneWay, "to_device_time to_host_time wire_time"},
		"direct has none":      {result.Params{"path": "direct", "staging": nil, "staging_space": nil}, "latency", bothWays, ""},
		"nor has an empty message": {staged, "latency", func(_ *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int) {
			return []gpu.Memory{all[0].Slice(0, 0)}, []gpu.Memory{all[1].Slice(0, 0)}, 1
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := runSlotted(t, pipelined(2, c.more), c.metric, c.slots)
			if err != nil || r.Status != result.OK {
				t.Fatalf("%s %q, %v", r.Status, r.Reason, err)
			}
			var got []string
			for _, n := range []string{"to_device_time", "to_device_time_pe0", "to_device_time_pe1", "to_host_time", "to_host_time_pe0", "to_host_time_pe1", "wire_time"} {
				if s, there := r.Samples[n]; there {
					got = append(got, n)
					if len(s) != legSamples {
						t.Errorf("%d samples of %s", len(s), n)
					}
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("samples %v, want %s", got, c.want)
			}
			for _, n := range []string{"to_host_time", "wire_time", "to_device_time"} {
				m, there := r.Metrics[n]
				if there != (c.want != "") || there && (!(m.Median > 0) || m.Unit != "s" || m.N != legSamples) {
					t.Errorf("%s: %+v", n, m)
				}
			}
			if r.Limit != nil {
				t.Errorf("an emulated device has a limit: %+v", *r.Limit)
			}
		})
	}
}

// TestLegsThatFail end the case at once and name the PE: the other is not left
// waiting on the wire.
func TestLegsThatFail(t *testing.T) {
	began := time.Now()
	r, err := runSlotted(t, pipelined(2, result.Params{"staging": "simple"}), "latency", func(pe *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int) {
		if pe.Rank == 1 {
			panic("no slots")
		}
		return bothWays(pe, all)
	})
	var broken *BrokenError
	if !errors.As(err, &broken) || broken.PE != 1 || r.Status != result.Failed || !strings.HasPrefix(r.Reason, "PE 1: the staging legs: panic") || len(r.Metrics) > 0 {
		t.Errorf("%s %q, %v", r.Status, r.Reason, err)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("took %v: the other was not told", d)
	}
}

// TestLegsComeLast: after the batches and the check, which they could disturb.
func TestLegsComeLast(t *testing.T) {
	var bodies [2]*slotted
	b := &Benchmark{Name: "b", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: map[Model]func(*PE, result.Params) (Body, error){MPI: func(pe *PE, p result.Params) (Body, error) {
		e, err := newExchanger(pe, p)
		s := &slotted{exchanger: e.(*exchanger)}
		s.slots = func(pe *PE, all [2]*gpu.Buffer) (send, recv []gpu.Memory, window int) {
			s.calls = append(s.calls, "slots")
			return bothWays(pe, all)
		}
		bodies[pe.Rank] = s
		return s, err
	}}}
	onDevices(t, gpu.Emulated, 2, func(pe *PE) {
		if r, err := Run(pe, b, Case{Params: pipelined(2, nil)}); err != nil || r.Status != result.OK {
			t.Errorf("%s %q, %v", r.Status, r.Reason, err)
		}
	})
	for pe, s := range bodies {
		calls := strings.Join(s.calls, " ")
		if i := strings.Index(calls, "slots"); i < 0 || strings.Count(calls[i:], "slots") != len(strings.Fields(calls[i:])) || !strings.HasSuffix(calls[:i], "check ") {
			t.Error(fmt.Sprintf("PE %d: ", pe), calls)
		}
	}
}
