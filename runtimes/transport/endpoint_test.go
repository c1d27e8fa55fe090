// Endpoint over a scripted driver: what it asks of a driver, and what it makes of the answers.

package transport_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a driver that does what its functions say.
type script struct {
	caps     transport.Caps
	calls    int
	maxPolls int
	posted   []transport.Op
	do       func(s *script, ops []transport.Op, done []transport.Completion, polls int) (int, error)
	cancel   func(id uint32) error
	probe    func(ctx uint8, peer, tag int32) (transport.Status, bool, error)
	probes   int
	full     int // how often SendHeader finds the queue full
	closed   int
}

func (s *script) Do(ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	s.calls++
	s.maxPolls = max(s.maxPolls, polls)
	s.posted = append(s.posted, ops...)
	if s.do == nil {
		return 0, nil
	}
	return s.do(s, ops, done, polls)
}
func (s *script) SendHeader(int, []byte) (bool, error) {
	s.full--
	return s.full < 0, nil
}
func (s *script) RecvHeader([]byte) (int, int, bool, error) { return 0, 0, false, nil }
func (s *script) Cancel(id uint32) error {
	if s.cancel == nil {
		return nil
	}
	return s.cancel(id)
}
func (s *script) Probe(ctx uint8, peer, tag int32) (transport.Status, bool, error) {
	s.probes++
	if s.probe == nil {
		return transport.Status{}, false, nil
	}
	return s.probe(ctx, peer, tag)
}
func (s *script) Caps() transport.Caps { return s.caps }
func (s *script) Lane(transport.Op) transport.Lane {
	return transport.Lane{Name: transport.LaneHost, HowKnown: "script"}
}
func (s *script) Close() error { s.closed++; return nil }
func newScript() *script {
	return &script{caps: transport.Caps{Name: "script", Size: 4, Contexts: 8, MaxHeader: 1024, MaxLen: 1 << 20,
		Spaces: [4]bool{true, true}, Why: [4]string{2: "it has no GPU", 3: "it has no GPU"}}}
}

func endpoint(t *testing.T, d transport.Driver, c transport.Config) *transport.Endpoint {
	t.Helper()
	e, err := transport.New(d, c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var buffer = make([]byte, 4096)

func mem(n int) gpu.Memory { return gpu.HostMemory(buffer[:n]) }

// atOnce completes every operation as it is posted.
func atOnce(s *script, ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	for i, op := range ops {
		done[i] = transport.Completion{ID: op.ID, Peer: op.Peer, Tag: op.Tag, Len: op.Buf.Len}
	}
	return len(ops), nil
}

func TestBlockingCallsCrossOnce(t *testing.T) {
	s := newScript()
	s.do = atOnce
	e := endpoint(t, s, transport.Config{})
	if err := e.Send(1, mem(8), 1, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Recv(1, mem(8), 1, 2); err != nil {
		t.Fatal(err)
	}
	if s.calls != 2 {
		t.Errorf("a Send and a Recv made %d crossings, expected 2", s.calls)
	}
	want := transport.Traffic{Messages: 1, Bytes: 8}
	if c := e.Stats(); c.Sent[transport.Host] != want || c.Received[transport.Host] != want || c.Away != want {
		t.Errorf("counted %+v", c)
	}
	for _, m := range []struct {
		ctx  uint8
		peer int
	}{{transport.CtxControl, 1}, {transport.CtxModel, e.Rank()}} { // what is no model's message to another PE
		if err := e.Send(m.ctx, mem(8), m.peer, 2); err != nil {
			t.Fatal(err)
		}
	}
	if c := e.Stats(); c.Sent[transport.Host].Messages != 3 || c.Away != want {
		t.Errorf("counted %+v", c)
	}
}

// Polls are bounded, so that Go looks at its clock, and fewer where the core is given away between them.
func TestPollsAreBounded(t *testing.T) {
	for _, c := range []struct {
		yield bool
		most  int
	}{{false, 1000}, {true, 100}} {
		s := newScript()
		e := endpoint(t, s, transport.Config{Deadline: 20 * time.Millisecond, Yield: c.yield})
		if _, err := e.Recv(1, mem(8), 1, 2); !errors.Is(err, transport.ErrDeadline) {
			t.Errorf("yield %v: %v", c.yield, err)
		}
		if s.maxPolls > c.most || s.maxPolls == 0 {
			t.Errorf("yield %v: %d polls in one crossing", c.yield, s.maxPolls)
		}
	}
}

// A driver that cannot cancel keeps the buffer; the error says so, and the late completion is taken in without harm.
func TestDeadlineWithoutCancel(t *testing.T) {
	s := newScript()
	e := endpoint(t, s, transport.Config{Deadline: 20 * time.Millisecond})
	r, err := e.Isend(1, mem(8), 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Wait(r)
	if !errors.Is(err, transport.ErrDeadline) || !strings.Contains(err.Error(), "in use until the endpoint is closed") {
		t.Fatalf("got: %v", err)
	}
	for _, part := range []string{"PE 0: send to PE 3, tag 2", "allow more time"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
	late := s.posted[0]
	s.do = func(s *script, _ []transport.Op, done []transport.Completion, _ int) (int, error) {
		s.do = nil
		done[0] = transport.Completion{ID: late.ID, Peer: 3, Tag: 2, Len: 8}
		return 1, nil
	}
	if err := e.Progress(); err != nil {
		t.Fatal(err)
	}
	if c := e.Stats(); c.Sent[transport.Host].Messages != 0 {
		t.Error("a send that was given up counts")
	}
}

// An operation that ends between deadline and cancelling has succeeded.
func TestDeadlineButItMadeIt(t *testing.T) {
	s := newScript()
	e := endpoint(t, s, transport.Config{Deadline: 20 * time.Millisecond})
	s.cancel = func(id uint32) error {
		s.do = func(s *script, _ []transport.Op, done []transport.Completion, _ int) (int, error) {
			s.do = nil
			done[0] = transport.Completion{ID: id, Peer: 1, Tag: 2, Len: 5}
			return 1, nil
		}
		return nil
	}
	st, err := e.Recv(1, mem(8), 1, 2)
	if err != nil || st != (transport.Status{Source: 1, Tag: 2, Len: 5}) {
		t.Fatalf("%+v, %v", st, err)
	}
}

// A driver that fails fails every call from then on, with its own error inside.
func TestDriverFails(t *testing.T) {
	broken := errors.New("the wire is cut")
	s := newScript()
	e := endpoint(t, s, transport.Config{})
	r, err := e.Irecv(1, mem(8), transport.AnySource, transport.AnyTag)
	if err != nil {
		t.Fatal(err)
	}
	s.do = func(*script, []transport.Op, []transport.Completion, int) (int, error) { return 0, broken }
	_, err = e.Wait(r)
	check := func(what string, err error) {
		t.Helper()
		var te *transport.Error
		if !errors.Is(err, broken) || !errors.As(err, &te) {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("Wait", err)
	check("Send", e.Send(1, mem(8), 1, 1))
	_, err = e.Isend(1, mem(8), 1, 1)
	check("Isend", err)
	check("SendHeader", e.SendHeader(1, nil))
	_, _, _, err = e.RecvHeader(make([]byte, 1024))
	check("RecvHeader", err)
	_, _, err = e.Probe(1, 1, 1)
	check("Probe", err)
	_, err = e.WaitProbe(1, 1, 1)
	check("WaitProbe", err)
	if err := e.Close(); err != nil || s.closed != 1 {
		t.Errorf("Close: %v, %d times", err, s.closed)
	}
	if err := e.Close(); err != nil || s.closed != 1 {
		t.Errorf("second Close: %v, %d times", err, s.closed)
	}
}

// A probe is one turn and one look. Staged messages move in it, and requests end.
func TestProbe(t *testing.T) {
	s := newScript()
	e := endpoint(t, s, transport.Config{})
	r, err := e.Irecv(1, mem(8), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	s.do = func(s *script, ops []transport.Op, done []transport.Completion, polls int) (int, error) {
		done[0] = transport.Completion{ID: s.posted[0].ID, Peer: 2, Tag: 3, Len: 8}
		return 1, nil
	}
	s.probe = func(ctx uint8, peer, tag int32) (transport.Status, bool, error) {
		if ctx != 5 || peer != transport.AnySource || tag != 7 {
			t.Errorf("the driver is asked for context %d, peer %d, tag %d", ctx, peer, tag)
		}
		return transport.Status{Source: 2, Tag: 7, Len: 9}, true, nil
	}
	s.calls, s.maxPolls = 0, 0
	st, ok, err := e.Probe(5, transport.AnySource, 7)
	if want := (transport.Status{Source: 2, Tag: 7, Len: 9}); st != want || !ok || err != nil {
		t.Errorf("%+v, %v, %v", st, ok, err)
	}
	if s.calls != 1 || s.maxPolls != 1 || s.probes != 1 {
		t.Errorf("%d turns of %d polls, %d looks: expected one of each", s.calls, s.maxPolls, s.probes)
	}
	if !e.Completed(r) {
		t.Error("what has ended meanwhile was not booked")
	}
}

// The error of a probe says whose message it was about; that of a wildcard, who has gone, where the driver knows.
func TestProbeErrors(t *testing.T) {
	s := newScript()
	e := endpoint(t, s, transport.Config{Deadline: 20 * time.Millisecond})
	dies := func(who int) {
		s.probe = func(uint8, int32, int32) (transport.Status, bool, error) {
			return transport.Status{Source: who}, false, transport.ErrPeerDied
		}
	}
	probe := func(source, tag int) error {
		_, ok, err := e.Probe(1, source, tag)
		if ok {
			t.Errorf("source %d, tag %d: seen", source, tag)
		}
		return err
	}
	dies(3)
	some, named := probe(transport.AnySource, 5), probe(2, transport.AnyTag)
	dies(transport.AnySource)
	nobody := probe(transport.AnySource, transport.AnyTag)
	s.probe = nil
	_, late := e.WaitProbe(1, 2, 5)
	for _, c := range []struct {
		err  error
		kind error
		text string
	}{
		{some, transport.ErrPeerDied, "PE 0: probe from PE 3, tag 5: the peer has died or closed its endpoint; see that PE's own error first"},
		{named, transport.ErrPeerDied, "PE 0: probe from PE 2, tag any: the peer has died or closed its endpoint; see that PE's own error first"},
		{nobody, transport.ErrPeerDied, "PE 0: probe from PE any, tag any: the peer has died or closed its endpoint; see that PE's own error first"},
		{probe(4, 1), transport.ErrArgument, "PE 0: probe from PE 4, tag 1: impossible argument: there are PEs 0 to 3"},
		{late, transport.ErrDeadline, "PE 0: probe from PE 2, tag 5: the deadline has passed: no message after "},
	} {
		if !errors.Is(c.err, c.kind) || !strings.HasPrefix(c.err.Error(), c.text) {
			t.Errorf("got  %v\nwant %s", c.err, c.text)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a probe of a closed Endpoint does not panic")
		}
	}()
	_, _, _ = e.Probe(1, 1, 1)
}

func TestErrorsSayWhatToDo(t *testing.T) {
	s := newScript()
	e := endpoint(t, s, transport.Config{})
	device := mem(8)
	device.Space = gpu.OnDevice
	managed := mem(8)
	managed.Space = gpu.Managed
	huge := gpu.Memory{Addr: 4096, Len: 1<<20 + 1}
	for _, c := range []struct {
		path transport.Path
		buf  gpu.Memory
		peer int
		want string
	}{
		{transport.Host, device, 1, "PE 0: send to PE 1, tag 7: not possible on this transport (unsupported operation): device memory on the path host; take the path staged or direct"},
		{transport.Direct, device, 1, "PE 0: send to PE 1, tag 7: not possible on this transport (unsupported operation): script does not take device memory: it has no GPU; take the path staged"},
		{transport.Host, managed, 1, "PE 0: send to PE 1, tag 7: not possible on this transport (unsupported operation): script does not take managed memory: it has no GPU; take the path staged"},
		{transport.Host, huge, 1, "PE 0: send to PE 1, tag 7: not possible on this transport (unsupported operation): 1048577 B: script takes at most 1048576 B in one message"},
		{transport.Host, mem(8), 4, "PE 0: send to PE 4, tag 7: impossible argument: there are PEs 0 to 3"},
	} {
		if err := e.SetPath(transport.PathConfig{Path: c.path}); err != nil {
			t.Fatal(err)
		}
		err := e.Send(1, c.buf, c.peer, 7)
		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	if s.calls != 0 {
		t.Error("a refused message reached the driver")
	}
	s.do = func(s *script, ops []transport.Op, done []transport.Completion, _ int) (int, error) {
		done[0] = transport.Completion{ID: ops[0].ID, Peer: 2, Tag: 9, Len: 100, Err: transport.ErrTruncated}
		return 1, nil
	}
	_, err := e.Recv(1, mem(8), transport.AnySource, transport.AnyTag)
	const want = "PE 0: recv from PE 2, tag 9: the message is longer than the receive buffer: 100 B came; post a buffer as long as the longest message, or send less"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestHeaderRetries(t *testing.T) {
	s := newScript()
	s.full = 5
	e := endpoint(t, s, transport.Config{Deadline: 20 * time.Millisecond})
	if err := e.SendHeader(1, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	c := e.Stats()
	if c.HeaderRetries != 5 || c.HeadersSent != (transport.Traffic{Messages: 1, Bytes: 5}) || s.calls == 0 {
		t.Errorf("counted %+v, %d calls for progress", c, s.calls)
	}
	s.full = 1 << 30
	if err := e.SendHeader(1, nil); !errors.Is(err, transport.ErrDeadline) {
		t.Errorf("a queue that stays full: %v", err)
	}
}

// The alarm ends a wait long before its deadline, with an error of its own.
func TestAlarm(t *testing.T) {
	s := newScript()
	s.full = 1 << 30
	e := endpoint(t, s, transport.Config{Deadline: time.Hour, Yield: true})
	asked := 0
	e.SetAlarm(func() bool { asked++; return asked%3 == 0 })
	if _, err := e.Recv(1, mem(8), 1, 1); !errors.Is(err, transport.ErrAborted) || errors.Is(err, transport.ErrDeadline) {
		t.Errorf("Recv: %v", err)
	}
	if err := e.SendHeader(1, nil); !errors.Is(err, transport.ErrAborted) || errors.Is(err, transport.ErrDeadline) {
		t.Errorf("SendHeader: %v", err)
	}
	if asked != 6 {
		t.Errorf("asked %d times", asked)
	}
}

// Many operations that cannot be cancelled cost one last turn together.
func TestWaitAllPastDeadline(t *testing.T) {
	e := endpoint(t, newScript(), transport.Config{Deadline: 10 * time.Millisecond, Yield: true})
	var rs []transport.Request
	for range 500 {
		r, err := e.Isend(1, mem(8), 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	began := time.Now()
	if err := e.WaitAll(rs); !errors.Is(err, transport.ErrDeadline) {
		t.Errorf("WaitAll: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestTrySendHeader(t *testing.T) {
	s := newScript()
	s.full = 1
	e := endpoint(t, s, transport.Config{})
	for _, want := range []bool{false, true} {
		if sent, err := e.TrySendHeader(1, []byte("x")); sent != want || err != nil {
			t.Errorf("sent %v, %v, expected %v", sent, err, want)
		}
	}
	if _, err := e.TrySendHeader(9, nil); !errors.Is(err, transport.ErrArgument) {
		t.Errorf("to PE 9: %v", err)
	}
}

// A stale Request must not touch the operation that has its slot now.
func TestStaleRequestPanics(t *testing.T) {
	s := newScript()
	s.do = nil
	e := endpoint(t, s, transport.Config{Deadline: time.Millisecond})
	s.cancel = func(id uint32) error {
		s.do = func(s *script, _ []transport.Op, done []transport.Completion, _ int) (int, error) {
			s.do = nil
			done[0] = transport.Completion{ID: id, Err: transport.ErrCancelled}
			return 1, nil
		}
		return nil
	}
	old, _ := e.Irecv(1, mem(8), 1, 1)
	if _, err := e.Wait(old); !errors.Is(err, transport.ErrDeadline) {
		t.Fatal(err)
	}
	fresh, _ := e.Irecv(1, mem(8), 1, 1)
	if e.Completed(fresh) {
		t.Error("a fresh request is complete")
	}
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "after it has ended") {
			t.Errorf("recovered %v", r)
		}
	}()
	_, _ = e.Wait(old)
}

func TestImpossibleCapsPanic(t *testing.T) {
	s := newScript()
	s.caps.Contexts = 2
	defer func() {
		if recover() == nil {
			t.Error("a driver with 2 contexts was taken")
		}
	}()
	_, _ = transport.New(s, transport.Config{})
}

// Nothing is allocated per message, once the pools have grown.
func TestNoAllocations(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, err := inproc.NewWorld(1).Driver(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := endpoint(t, d, transport.Config{})
	defer e.Close()
	out, in := make([]byte, 100000), make([]byte, 100000)
	h := make([]byte, e.Caps().MaxHeader)
	for _, n := range []int{0, 8, 2000, 100000} {
		from, to := gpu.HostMemory(out[:n]), gpu.HostMemory(in[:n])
		for name, f := range map[string]func() error{
			"posted": func() error {
				r, err := e.Irecv(1, to, 0, 1)
				if err != nil {
					return err
				}
				if err := e.Send(1, from, 0, 1); err != nil {
					return err
				}
				_, err = e.Wait(r)
				return err
			},
			"early": func() error {
				var rs [2]transport.Request
				var err error
				if rs[0], err = e.Isend(1, from, 0, 1); err != nil {
					return err
				}
				if rs[1], err = e.Irecv(1, to, transport.AnySource, transport.AnyTag); err != nil {
					return err
				}
				return e.WaitAll(rs[:])
			},
			"tested": func() error {
				r, err := e.Isend(1, from, 0, 1)
				if err != nil {
					return err
				}
				if _, err := e.Recv(1, to, 0, 1); err != nil {
					return err
				}
				for done := false; !done && err == nil; {
					done, _, err = e.Test(r)
				}
				return err
			},
			"header": func() error {
				if err := e.SendHeader(0, h[:min(n, len(h))]); err != nil {
					return err
				}
				_, _, _, err := e.RecvHeader(h)
				return err
			},
		} {
			if err := f(); err != nil { // the pools grow
				t.Fatal(name, n, err)
			}
			if a := testing.AllocsPerRun(200, func() {
				if err := f(); err != nil {
					t.Fatal(name, n, err)
				}
			}); a != 0 {
				t.Errorf("%s, %d B: %v allocations a message", name, n, a)
			}
		}
	}
}
