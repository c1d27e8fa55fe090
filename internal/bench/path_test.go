// Tests of the proof of path: what a case is called and what was counted.
package bench

import (
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc/inproctest"
)

func TestPathProof(t *testing.T) {
	lane := func(names ...transport.LaneName) (l []laneOf) {
		for pe, n := range names {
			l = append(l, laneOf{pe, transport.Lane{Name: n, HowKnown: "made up"}})
		}
		return l
	}
	copies := traffic{Copies: 3, Copied: 300}
	staged := traffic{Staged: transport.Traffic{Messages: 2, Bytes: 200}, Copies: 3, Copied: 300}
	direct := traffic{Direct: transport.Traffic{Messages: 2, Bytes: 200}}
	for name, c := range map[string]struct {
		path  string
		pes   int
		lanes []laneOf
		t     traffic
		taken string
		fault string // in the reason; "": ok
	}{
		"direct by copy":           {"direct", 2, lane("copy", "copy"), direct, "copy", ""},
		"direct by ipc":            {"direct", 2, lane("ipc"), direct, "ipc", ""},
		"the library staged":       {"direct", 2, lane("library-staged"), direct, "library-staged", ""},
		"direct, one side on host": {"direct", 2, lane("host", "copy"), direct, "copy", ""},
		"direct, nobody knows":     {"direct", 2, lane("unknown"), direct, "unknown", ""},
		"direct, nobody says":      {"direct", 2, nil, direct, "unknown", ""},
		"direct in name":           {"direct", 2, lane("copy"), staged, "copy", "not direct: 2 messages (200 B)"},
		"direct with a copy":       {"direct", 2, lane("copy"), copies, "copy", "not direct"},
		"direct lane staged":       {"direct", 2, lane("staged"), direct, "staged", "not direct: the lane is"},
		"direct, all on host":      {"direct", 2, lane("host"), traffic{}, "host", "not direct: the lane is"},
		"direct alone":             {"direct", 1, nil, traffic{}, "copy", ""},
		"staged":                   {"staged", 2, lane("staged"), staged, "staged", ""},
		"staged in name":           {"staged", 2, lane("staged"), direct, "staged", "not staged"},
		"host":                     {"host", 2, lane("host"), traffic{}, "host", ""},
		"host, no prober":          {"host", 2, nil, traffic{}, "host", ""},
		"host with device memory":  {"host", 2, lane("host"), direct, "host", "not host"},
		"host with staging":        {"host", 2, lane("host"), staged, "host", "not host"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &session{pe: &PE{Size: c.pes}, b: &Benchmark{}, c: Case{Params: result.Params{"path": c.path}}}
			k := newChief(s)
			k.lanes, k.traffic = c.lanes, c.t
			k.finish()
			if got := k.pathTaken().Lane; got != c.taken {
				t.Errorf("lane %s, wanted %s", got, c.taken)
			}
			if (c.fault == "") != (k.status == result.OK) || !strings.HasPrefix(k.reason, c.fault) {
				t.Errorf("%s %q", k.status, k.reason)
			}
		})
	}
}

func TestPathOf(t *testing.T) {
	got, err := PathOf(result.Params{"path": "staged", "staging": "simple", "staging_space": "pageable", "chunk_bytes": 65536})
	if err != nil || got != (transport.PathConfig{Path: transport.Staged, Staging: transport.Simple, StagingSpace: gpu.Pageable, Chunk: 65536}) {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = PathOf(result.Params{"path": "staged", "staging": nil})
	if err != nil || got != (transport.PathConfig{Path: transport.Staged, StagingSpace: gpu.Pinned}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = PathOf(result.Params{}); err != nil || got.Path != transport.Host {
		t.Errorf("%+v, %v", got, err)
	}
	for _, p := range []result.Params{{"path": "x"}, {"path": "staged", "staging": "x"}, {"path": "staged", "staging_space": "x"}} {
		if _, err := PathOf(p); err == nil {
			t.Errorf("%v was taken", p)
		}
	}
}

func TestSides(t *testing.T) {
	for _, c := range []struct {
		space string
		rank  int
		want  string
	}{{"device", 0, "device"}, {"device", 1, "device"}, {"device:pinned", 0, "device"}, {"device:pinned", 1, "pinned"}} {
		if s, err := SideSpace(c.space, c.rank); err != nil || s.String() != c.want {
			t.Errorf("side %d of %s is %v, %v", c.rank, c.space, s, err)
		}
	}
}

// exchanger sends device memory both ways between two PEs, 0 and 1 if nobody
// says otherwise.
type exchanger struct {
	pe   *PE
	peer int // -1: idle
	mute int // below 0: sends nothing, and that is what Probe gives
	bufs [2]*gpu.Buffer
}

func newExchanger(pe *PE, p result.Params) (Body, error) {
	space, err := gpu.ParseSpace(p.String("space"))
	if err != nil {
		return nil, err
	}
	e := &exchanger{pe: pe, peer: 1 - pe.Rank}
	if p.Has("mute") {
		e.mute = int(p.Int("mute"))
	}
	for i := range e.bufs {
		if e.bufs[i], err = pe.Device.Alloc(space, 4096, gpu.DefaultPages); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *exchanger) Batch(n int, clk *Clock) error {
	if e.peer < 0 {
		return nil
	}
	clk.Start()
	if e.mute < 0 {
		n = 0
		time.Sleep(time.Microsecond)
	}
	for range min(n, 3) {
		r, err := e.pe.Endpoint.Irecv(transport.CtxModel, e.bufs[1].Memory(), e.peer, 1)
		if err != nil {
			return err
		}
		if err := e.pe.Endpoint.Send(transport.CtxModel, e.bufs[0].Memory(), e.peer, 1); err != nil {
			return err
		}
		if _, err := e.pe.Endpoint.Wait(r); err != nil {
			return err
		}
	}
	clk.Stop()
	return nil
}

func (e *exchanger) Check() (result.Validation, error) {
	return result.Validation{Checked: 1, Sent: 1}, nil
}
func (e *exchanger) Probe() (gpu.Memory, int) {
	if e.mute < 0 {
		return gpu.Memory{}, e.mute
	}
	return e.bufs[0].Memory(), e.peer
}

func (e *exchanger) Close() error {
	for _, b := range e.bufs {
		if err := b.Free(); err != nil {
			return err
		}
	}
	return nil
}

// onDevices runs f on n PEs that share one device.
func onDevices(t *testing.T, driver gpu.Driver, n int, f func(pe *PE)) {
	t.Helper()
	run(t, inproctest.PEs{N: n, Open: func(int) (*gpu.Device, error) { return gpu.Open(driver, 0, gpu.Options{Threads: 1}) }}, f)
}

// TestPathsOnADevice: the loop over real endpoints with emulated devices.
func TestPathsOnADevice(t *testing.T) {
	b := &Benchmark{Name: "b", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: map[Model]func(*PE, result.Params) (Body, error){MPI: newExchanger}}
	cases := []struct {
		driver gpu.Driver
		more   result.Params
		status result.Status
		lane   string
	}{
		{gpu.CPU, result.Params{"path": "host", "space": "pinned"}, result.OK, "host"},
		{gpu.Emulated, result.Params{"path": "direct", "space": "device", "device": "emulated"}, result.OK, "copy"},
		{gpu.Emulated, result.Params{"path": "direct", "space": "device", "device": "emulated", "mute": int64(-1)}, result.OK, "copy"},
		{gpu.Emulated, result.Params{"path": "direct", "space": "device", "device": "emulated", "mute": int64(Elsewhere)}, result.OK, "unknown"},
		{gpu.Emulated, result.Params{"path": "staged", "space": "device", "device": "emulated", "staging": "simple"}, result.OK, "staged"},
		{gpu.Emulated, result.Params{"path": "staged", "space": "device", "device": "emulated", "staging": "pipelined"}, result.OK, "staged"},
		{gpu.Emulated, result.Params{"path": "host", "space": "device", "device": "emulated"}, result.Skipped, ""},
		{gpu.Emulated, result.Params{"path": "host", "space": "pageable", "device": "emulated"}, result.OK, "host"},
	}
	for _, driver := range []gpu.Driver{gpu.CPU, gpu.Emulated} {
		recs := make([][]result.Record, 2)
		onDevices(t, driver, 2, func(pe *PE) {
			for _, c := range cases {
				if c.driver == driver {
					r, err := Run(pe, b, Case{Params: params(2, c.more)})
					if err != nil {
						t.Errorf("%v: %v", c.more, err)
					}
					recs[pe.Rank] = append(recs[pe.Rank], r)
				}
			}
		})
		i := 0
		for _, c := range cases {
			if c.driver != driver || i >= len(recs[0]) {
				continue
			}
			r := recs[0][i]
			i++
			if r.Status != c.status || (c.lane != "" && r.PathTaken.Lane != c.lane) {
				t.Errorf("%v: %s %q, %+v", c.more, r.Status, r.Reason, r.PathTaken)
			}
			if want := map[gpu.Driver]int{gpu.CPU: 0, gpu.Emulated: 1}[driver]; r.ProcessesPerDevice != want {
				t.Errorf("%v: %d processes per device", c.more, r.ProcessesPerDevice)
			}
		}
	}
}
