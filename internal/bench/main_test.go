// What the tests share: PEs as locked threads over inproc, and a scripted body.
package bench

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc/inproctest"
)

func TestMain(m *testing.M) {
	// A spinning PE keeps its P: with fewer, the others wait for sysmon's 10 ms.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 10))
	goleak.VerifyTestMain(m)
}

// onPEs runs f on n PEs with no device. wrap may put something around a driver.
func onPEs(t *testing.T, n int, wrap func(rank int, d transport.Driver) transport.Driver, f func(pe *PE)) {
	t.Helper()
	run(t, inproctest.PEs{N: n, Wrap: wrap}, f)
}

func run(t *testing.T, pes inproctest.PEs, f func(pe *PE)) {
	t.Helper()
	pes.Config.Yield, pes.Config.Deadline = true, 20*time.Second
	err := errors.Join(pes.Run(func(ep *transport.Endpoint) error {
		c := NewControl(ep)
		c.spin = yieldFor // there may be more PEs than cores
		f(&PE{Rank: ep.Rank(), Size: pes.N, Device: ep.Device(), Endpoint: ep, Control: c})
		return nil
	})...)
	if err != nil {
		t.Error(err)
	}
}

// fake is a body whose every step a test can replace. By default PEs pass a
// message around a ring in every iteration and the clock is fed `each`.
type fake struct {
	pe      *PE
	each    time.Duration // per iteration; 0: the real clock
	buf     []byte
	batches []int
	calls   []string
	batch   func(n int, clk *Clock) error
	poison  func() error
	inspect func() (result.Validation, error)
	check   func() (result.Validation, error)
	close   func() error
	probe   func() (gpu.Memory, int)
	balance *result.Balancing
	asked   []int // for it, after so many batches
}

func (f *fake) Balancing() *result.Balancing {
	f.asked = append(f.asked, len(f.batches))
	return f.balance
}

func (f *fake) Batch(n int, clk *Clock) error {
	f.batches = append(f.batches, n)
	f.calls = append(f.calls, "batch")
	if f.batch != nil {
		return f.batch(n, clk)
	}
	return f.ring(n, clk)
}

func (f *fake) ring(n int, clk *Clock) error {
	clk.Start()
	ep, rank, size := f.pe.Endpoint, f.pe.Rank, f.pe.Size
	for range min(n, 2) { // as many as a test needs
		if size > 1 {
			r, err := ep.Irecv(transport.CtxModel, gpu.HostMemory(f.buf), (rank+size-1)%size, 1)
			if err != nil {
				return err
			}
			if err := ep.Send(transport.CtxModel, gpu.HostMemory(f.buf[:1]), (rank+1)%size, 1); err != nil {
				return err
			}
			if _, err := ep.Wait(r); err != nil {
				return err
			}
		}
	}
	clk.Stop()
	if f.each > 0 {
		clk.SetElapsed(time.Duration(n) * f.each)
	}
	return nil
}

func (f *fake) Poison() error {
	f.calls = append(f.calls, "poison")
	if f.poison != nil {
		return f.poison()
	}
	return nil
}

func (f *fake) Inspect() (result.Validation, error) {
	f.calls = append(f.calls, "inspect")
	if f.inspect != nil {
		return f.inspect()
	}
	return result.Validation{Checked: 1, Sent: 1}, nil
}

func (f *fake) Check() (result.Validation, error) {
	f.calls = append(f.calls, "check")
	if f.check != nil {
		return f.check()
	}
	return result.Validation{Checked: 10, Sent: 20}, nil
}

func (f *fake) Close() error {
	f.calls = append(f.calls, "close")
	if f.close != nil {
		return f.close()
	}
	return nil
}

func (f *fake) Probe() (gpu.Memory, int) {
	if f.probe != nil {
		return f.probe()
	}
	return gpu.HostMemory(f.buf), (f.pe.Rank + 1) % f.pe.Size
}

// params are those of a host case.
func params(n int, more result.Params) result.Params {
	p := result.Params{
		"model": "mpi", "transport": "inproc", "device": "cpu", "path": "host", "pes": int64(n),
		"iterations": int64(100), "warmup": int64(10), "seconds": nil,
	}
	for k, v := range more {
		p[k] = v
	}
	return p
}

// outcome is what a case came to on every PE.
type outcome struct {
	recs   []result.Record
	errs   []error
	bodies []*fake
}

// runFake runs one case of a benchmark made of fakes; script changes each.
func runFake(t *testing.T, n int, p result.Params, change func(b *Benchmark), script func(f *fake)) outcome {
	t.Helper()
	o := outcome{make([]result.Record, n), make([]error, n), make([]*fake, n)}
	b := &Benchmark{
		Name:    "fake",
		Metrics: []Metric{{Name: "latency", Unit: "s"}},
		New: map[Model]func(*PE, result.Params) (Body, error){MPI: func(pe *PE, _ result.Params) (Body, error) {
			f := &fake{pe: pe, each: time.Microsecond, buf: make([]byte, 64)}
			if script != nil {
				script(f)
			}
			o.bodies[pe.Rank] = f
			return f, nil
		}},
	}
	if change != nil {
		change(b)
	}
	onPEs(t, n, nil, func(pe *PE) {
		o.recs[pe.Rank], o.errs[pe.Rank] = Run(pe, b, Case{Params: p, Trial: 3, EnvID: "e", Patience: 20 * time.Second})
	})
	if line, err := result.Line(o.recs[0]); err != nil {
		t.Error(err)
	} else if err := result.Check(line); err != nil {
		t.Errorf("the record breaks its contract: %v\n%s", err, line)
	}
	return o
}

func sum(n []int) (s int) {
	for _, x := range n {
		s += x
	}
	return s
}

func (o outcome) String() string {
	return fmt.Sprintf("%s %q, errors %v", o.recs[0].Status, o.recs[0].Reason, o.errs)
}
