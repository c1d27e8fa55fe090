package faulty_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/faulty"
	"gpubench/runtimes/transport/inproc"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	for _, s := range []string{
		"", "flip:1", "flip:3:17", "flip:3:-1", "truncate:2", "truncate:2:5", "drop:7", "delay:1:50ms", "die:4", "hang:9",
		"flip:1@0", "drop:2@3,delay:5:1s@1,die:100",
	} {
		f, err := faulty.Parse(s)
		if err != nil || f.String() != s || f.Empty() != (s == "") {
			t.Errorf("Parse(%q) = %q, %v", s, f, err)
		}
	}
	for s, want := range map[string]string{
		"flop:1":       `fault "flop:1": no such fault: want flip, truncate, drop, delay, die or hang`,
		"flip":         `fault "flip": want flip:N[:bit]`,
		"flip:":        `fault "flip:": message number "": want 1 or more`,
		"flip:0":       `fault "flip:0": message number "0": want 1 or more`,
		"flip:x":       `fault "flip:x": message number "x": want 1 or more`,
		"flip:1:x":     `fault "flip:1:x": bit "x": want a number`,
		"flip:1:2:3":   `fault "flip:1:2:3": want flip:N[:bit]`,
		"truncate:1:0": `fault "truncate:1:0": bytes "0": want 1 or more`,
		"drop:1:2":     `fault "drop:1:2": want drop:N`,
		"delay:1":      `fault "delay:1": want delay:N:duration`,
		"delay:1:5":    `fault "delay:1:5": duration "5": want a positive one such as 50ms`,
		"delay:1:-5ms": `fault "delay:1:-5ms": duration "-5ms": want a positive one such as 50ms`,
		"die:1@x":      `fault "die:1@x": PE "x" after @: want a rank`,
		"die:1,":       `fault "": no such fault: want flip, truncate, drop, delay, die or hang`,
	} {
		if _, err := faulty.Parse(s); err == nil || err.Error() != want {
			t.Errorf("Parse(%q)\ngot  %v\nwant %s", s, err, want)
		}
	}
	t.Setenv(faulty.Env, "no")
	if _, err := faulty.FromEnv(); err == nil || !strings.HasPrefix(err.Error(), "GPUBENCH_FAULT: ") {
		t.Errorf("FromEnv: %v", err)
	}
}

// collector is a driver whose library has collectives.
type collector struct {
	transport.Driver
	collects int
}

func (c *collector) Caps() transport.Caps { return transport.Caps{Name: "collector"} }
func (c *collector) Close() error         { return nil }
func (c *collector) Collect(*transport.Collective, int) (bool, error) {
	c.collects++
	return true, nil
}

// around is a wrapper that adds nothing.
type around struct{ transport.Driver }

func (a around) Unwrap() transport.Driver { return a.Driver }

// What the driver inside can do is found through any depth of wrappers; faults stand before it; and it is not made up.
func TestWrappersAreLookedThrough(t *testing.T) {
	faults, err := faulty.Parse("die:2")
	if err != nil {
		t.Fatal(err)
	}
	inside := &collector{}
	d := around{faulty.Wrap(around{inside}, faults)}
	lib, ok := transport.As[transport.Collector](d)
	if !ok {
		t.Fatal("a collector's collectives are hidden")
	}
	if _, err := lib.Collect(&transport.Collective{}, 1); err != nil || inside.collects != 1 {
		t.Errorf("%v, %d calls", err, inside.collects)
	}
	if _, err := lib.Collect(&transport.Collective{}, 1); !errors.Is(err, faulty.ErrDead) || inside.collects != 1 {
		t.Errorf("the fault was passed by: %v, %d calls", err, inside.collects)
	}
	if _, ok := transport.As[transport.Looper](d); ok {
		t.Error("loops where there are none")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("flip:1:2@3,delay:4:5ms")
	f.Fuzz(func(t *testing.T, s string) {
		x, err := faulty.Parse(s)
		if err != nil {
			return
		}
		y, err := faulty.Parse(x.String())
		if err != nil || x.String() != y.String() {
			t.Errorf("%q becomes %q, and that %q (%v)", s, x, y, err)
		}
	})
}

// pair are two PEs driven from one goroutine; the faults are PE 0's.
func pair(t *testing.T, faults string) (bad, good *transport.Endpoint, notes *[]string) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	f, err := faulty.Parse(faults)
	if err != nil {
		t.Fatal(err)
	}
	notes = new([]string)
	f.Note = func(s string) { *notes = append(*notes, s) }
	w := inproc.NewWorld(2)
	var eps [2]*transport.Endpoint
	for r := range eps {
		d, err := w.Driver(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r == 0 {
			d = faulty.Wrap(d, f)
		}
		if eps[r], err = transport.New(d, transport.Config{Deadline: 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := eps[r].Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return eps[0], eps[1], notes
}

// deliver sends count messages of n bytes 1, 2, 3, … and returns what arrives.
func deliver(t *testing.T, faults string, n, count int) (got [][]byte, notes []string, err error) {
	t.Helper()
	bad, good, ns := pair(t, faults)
	for i := range count {
		out := make([]byte, n)
		for k := range out {
			out[k] = byte(k + 1)
		}
		in := make([]byte, n)
		s, e := bad.Isend(1, gpu.HostMemory(out), 1, i)
		if e != nil {
			return got, *ns, e
		}
		st, e := good.Recv(1, gpu.HostMemory(in), 0, i)
		if e != nil {
			err = e
		} else {
			got = append(got, in[:st.Len])
		}
		if st, e := bad.Wait(s); e != nil || st.Len != n {
			t.Errorf("the sender of message %d notices: %+v, %v", i, st, e)
		}
		for k := range out {
			if out[k] != byte(k+1) {
				t.Errorf("the sender's buffer was written at %d", k)
			}
		}
		runtime.KeepAlive(out)
	}
	return got, *ns, err
}

func TestFlip(t *testing.T) {
	for _, n := range []int{8, 20000} {
		for faults, at := range map[string]int{"flip:2": n - 1, "flip:2:0": 0, "flip:2:-1": n - 1, "flip:2:13": 1} {
			got, notes, err := deliver(t, faults, n, 3)
			if err != nil || len(got) != 3 || len(notes) != 1 || notes[0] != "PE 0: "+faults {
				t.Fatalf("%s: %d messages, notes %q, %v", faults, len(got), notes, err)
			}
			for i, b := range got {
				for k := range b {
					if wrong := b[k] != byte(k+1); wrong != (i == 1 && k == at) {
						t.Errorf("%s of %d B: byte %d of message %d wrong: %v", faults, n, k, i+1, wrong)
					}
				}
			}
		}
	}
}

func TestTruncate(t *testing.T) {
	for faults, n := range map[string]int{"truncate:1": 50, "truncate:1:10": 90, "truncate:1:1000": 0} {
		got, _, err := deliver(t, faults, 100, 2)
		if err != nil || len(got) != 2 || len(got[0]) != n || len(got[1]) != 100 {
			t.Errorf("%s: %v, %d messages, first of %d B", faults, err, len(got), len(got[0]))
		}
	}
}

func TestDrop(t *testing.T) {
	got, _, err := deliver(t, "drop:2", 8, 3)
	if !errors.Is(err, transport.ErrDeadline) || len(got) != 2 {
		t.Errorf("%d messages came, %v", len(got), err)
	}
}

func TestDelay(t *testing.T) {
	began := time.Now()
	bad, good, _ := pair(t, "delay:1:60ms")
	b := make([]byte, 8)
	r, err := bad.Isend(1, gpu.HostMemory(b), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	late, _ := bad.Isend(1, gpu.HostMemory(b), 1, 1) // must not overtake
	in := make([]byte, 8)
	var got []transport.Request
	for range 2 {
		q, err := good.Irecv(1, gpu.HostMemory(in), 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, q)
	}
	for _, q := range []transport.Request{r, late} {
		if _, err := bad.Wait(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := good.WaitAll(got); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("a delay of 60 ms took %v", took)
	}
}

func TestDie(t *testing.T) {
	bad, good, _ := pair(t, "die:1")
	b := make([]byte, 8)
	if err := bad.Send(1, gpu.HostMemory(b), 1, 1); !errors.Is(err, faulty.ErrDead) {
		t.Errorf("the dead PE: %v", err)
	}
	if err := bad.SendHeader(1, nil); !errors.Is(err, faulty.ErrDead) {
		t.Errorf("the dead PE's header: %v", err)
	}
	if _, _, err := bad.Probe(1, 1, 1); !errors.Is(err, faulty.ErrDead) {
		t.Errorf("the dead PE's probe: %v", err)
	}
	if _, err := good.Recv(1, gpu.HostMemory(b), 0, 1); !errors.Is(err, transport.ErrPeerDied) {
		t.Errorf("its peer: %v", err)
	}
}

func TestHang(t *testing.T) {
	bad, good, _ := pair(t, "hang:2")
	b := make([]byte, 8)
	if err := bad.Send(1, gpu.HostMemory(b), 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := bad.Send(1, gpu.HostMemory(b), 1, 1); !errors.Is(err, transport.ErrDeadline) {
		t.Errorf("the hanging PE: %v", err)
	}
	if _, err := good.Recv(1, gpu.HostMemory(b), 0, 1); err != nil {
		t.Errorf("the message before: %v", err)
	}
	if _, err := good.Recv(1, gpu.HostMemory(b), 0, 1); !errors.Is(err, transport.ErrDeadline) {
		t.Errorf("its peer: %v", err)
	}
}

// What a probe sees is what a receive would get.
func TestProbe(t *testing.T) {
	bad, good, _ := pair(t, "drop:1,truncate:2:3,delay:3:30ms,hang:4")
	began := time.Now()
	b := make([]byte, 8)
	for i := range 3 {
		if _, err := bad.Isend(1, gpu.HostMemory(b), 1, i); err != nil {
			t.Fatal(err)
		}
	}
	if st, err := good.WaitProbe(1, 0, transport.AnyTag); err != nil || st != (transport.Status{Source: 0, Tag: 1, Len: 5}) {
		t.Errorf("one was dropped, the next lost 3 B: seen %+v, %v", st, err)
	}
	for began := time.Now(); time.Since(began) < 10*time.Millisecond; {
		if st, ok, err := good.Probe(1, 0, 0); ok || err != nil {
			t.Fatalf("the dropped one: seen %+v, %v", st, err)
		}
	}
	// Probing brings what is held back on its way.
	for ok := false; !ok; {
		var err error
		if _, _, err = bad.Probe(1, 1, 0); err == nil {
			_, ok, err = good.Probe(1, 0, 2)
		}
		if err != nil || time.Since(began) > 10*time.Second {
			t.Fatalf("the late one: %v after %v", err, time.Since(began))
		}
	}
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Errorf("a delay of 30 ms took %v", took)
	}
	if err := good.Send(1, gpu.HostMemory(b), 0, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.WaitProbe(1, 1, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Isend(1, gpu.HostMemory(b), 1, 3); err != nil {
		t.Fatal(err)
	}
	if st, ok, err := bad.Probe(1, 1, 9); ok || err != nil {
		t.Errorf("a hanging PE sees %+v, %v", st, err)
	}
	runtime.KeepAlive(b)
}

// Headers are messages too; those of the control context are not counted.
func TestHeadersAndControl(t *testing.T) {
	bad, good, notes := pair(t, "flip:2,truncate:3,drop:4,delay:5:20ms")
	control := make([]byte, 8)
	if err := bad.Send(transport.CtxControl, gpu.HostMemory(control), 1, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := good.Recv(transport.CtxControl, gpu.HostMemory(control), 0, 1); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if err := bad.SendHeader(1, []byte("abcd")); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, good.Caps().MaxHeader)
	for _, want := range []string{"abcd", "abce", "ab", "abcd", "abcd"} {
		_, n, ok, err := good.RecvHeader(buf)
		if err != nil || !ok || string(buf[:n]) != want {
			t.Errorf("got %q, %v, %v, expected %q", buf[:n], ok, err, want)
		}
	}
	if len(*notes) != 4 {
		t.Errorf("notes: %q", *notes)
	}
}

// Without a fault for this PE nothing stands between.
func TestWrapOfNothing(t *testing.T) {
	d, err := inproc.NewWorld(1).Driver(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, _ := faulty.Parse("drop:1@3")
	if faulty.Wrap(d, f) != d || faulty.Wrap(d, faulty.Faults{}) != d {
		t.Error("a driver without faults was wrapped")
	}
}
