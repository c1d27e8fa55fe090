// What UCX must not break: Go's signals and panics; and what must not outlive its end: waits, processes, shared memory.
package libucx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/library/librarytest"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/gate"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["signals"] = signalsPart
	parts["death"] = deathPart
	parts["late"] = latePart
	parts["flooded"] = floodedPart
	parts["fire"] = firePart
	parts["open again"] = againPart
}

// signalsPart: after UCX is up, a nil dereference is a panic that can be recovered, and signals reach Go.
func signalsPart(string) error {
	d, err := openTest(Options{}, "")
	if err != nil {
		return err
	}
	if err := transporttest.Signals(); err != nil {
		return err
	}
	return d.Close()
}

func TestSignals(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) { u.ok(t, 2, "signals", "") })
}

// TestUndoesHandlers shows that the test above can fail: it calls for UCX's handlers outright.
func TestUndoesHandlers(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		j := u.start(t, 1, "signals", "", "UCX_HANDLE_ERRORS=bt,freeze", "UCX_ERROR_SIGNALS=SIGILL,SIGSEGV,SIGBUS,SIGFPE")
		if status := j.wait(t, time.Minute); status[0] != 0 {
			t.Errorf("status %d\n%s", status[0], j.text())
		}
	})
}

func againPart(string) error {
	d, err := openTest(Options{}, "")
	if err != nil {
		return err
	}
	if _, err := openTest(Options{}, ""); !errors.Is(err, AlreadyOpenError{}) {
		return fmt.Errorf("a second Open: %v", err)
	}
	return d.Close()
}

// TestNotStarted names UCX's settings: its own words, "No such device", do not.
func TestNotStarted(t *testing.T) {
	j := theUCX(t).start(t, 2, "open again", "", "UCX_TLS=nonsense")
	for rank, s := range j.wait(t, time.Minute) {
		if text := j.out[rank].String(); s == 0 || !strings.Contains(text, "ucp_init: ") || !strings.Contains(text, "environment: UCX_TLS=nonsense)") {
			t.Errorf("PE %d has status %d\n%s", rank, s, text)
		}
	}
}

func TestOpenAgain(t *testing.T) { theUCX(t).ok(t, 1, "open again", "") }

// deathPart: PE 1 is killed in the middle of messages of so many bytes, while the others wait for it: "BYTES [apart] [direct=PATH]".
func deathPart(arg string) error {
	var n int
	if _, err := fmt.Sscan(arg, &n); err != nil {
		return err
	}
	dev, err := transporttest.OpenDevice(arg, newFiles().rank)
	if err != nil {
		return err
	}
	d, err := openTest(Options{CloseDeadline: 2 * time.Second, Device: dev != nil}, arg)
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: 20 * time.Second, Yield: d.Oversubscribed(), Device: dev})
	if err != nil {
		return err
	}
	if dev != nil {
		if err := ep.SetPath(transport.PathConfig{Path: transport.Direct}); err != nil {
			return err
		}
	}
	m, err := place(dev, make([]byte, n))
	if err != nil {
		return err
	}
	if ep.Rank() == 1 {
		for peer := range ep.Size() {
			for range 40 {
				if _, err := ep.Isend(1, m, peer, 7); err != nil {
					return err
				}
			}
		}
		if err := ep.SendHeader(0, nil); err != nil {
			return err
		}
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if ep.Rank() > 1 {
		// A third one takes messages as they come, into the sender's end.
		for err == nil {
			_, err = ep.Recv(1, m, 1, 7)
		}
	} else {
		var reqs []transport.Request
		for i := range 40 {
			r, err := ep.Isend(1, m, 1, i)
			if err != nil {
				return err
			}
			reqs = append(reqs, r)
		}
		if err = ep.WaitAll(reqs); (n >= 100000 || dev != nil) && !errors.Is(err, transport.ErrPeerDied) {
			return fmt.Errorf("sends: %v", err)
		}
		for err == nil || n < 100000 && dev == nil && !errors.Is(err, transport.ErrPeerDied) {
			_, err = ep.Recv(1, m, 1, 2)
		}
	}
	if !errors.Is(err, transport.ErrPeerDied) || !strings.Contains(err.Error(), "PE 1 (process ") {
		return fmt.Errorf("waits: %v", err)
	}
	if err := ep.Send(1, m, 1, 3); !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("send: %v", err)
	}
	if err := ep.SendHeader(1, nil); !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("header: %v", err)
	}
	buf := make([]byte, ep.Caps().MaxHeader)
	for began := time.Now(); ; {
		peer, _, ok, err := ep.RecvHeader(buf)
		if err != nil && peer == 1 && errors.Is(err, transport.ErrPeerDied) {
			break
		}
		if time.Since(began) > 10*time.Second {
			return fmt.Errorf("taking headers: PE %d, %v: %v", peer, ok, err)
		}
	}
	began := time.Now()
	if err := ep.Close(); !errors.Is(err, transport.ErrPeerDied) || time.Since(began) > 10*time.Second {
		return fmt.Errorf("close: after %v: %v", time.Since(began), err)
	}
	fmt.Println("survived")
	return nil
}

// shared lists what System V and POSIX shared memory hold.
func shared(t *testing.T) []string {
	t.Helper()
	var out []string
	names, err := filepath.Glob("/dev/shm/*ucx*")
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, names...)
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 6 && f[0] != "key" && f[6] == "0" { // nobody is attached
			out = append(out, "System V segment "+f[1])
		}
	}
	return out
}

func TestDeath(t *testing.T) {
	deaths := func(t *testing.T, u ucx, how string) {
		for _, pes := range []int{2, 3} {
			for _, n := range []int{8, 5000, 100000, 4 << 20} {
				t.Run(fmt.Sprint(pes, "/", n), func(t *testing.T) {
					before := shared(t)
					j := u.start(t, pes, "death", fmt.Sprint(n, how))
					status := j.wait(t, time.Minute)
					if text := j.text(); status[0] != 0 || status[1] != -1 || status[pes-1] > 0 || strings.Count(text, "survived") != pes-1 {
						t.Errorf("status %d\n%s", status, text)
					} else {
						t.Log("\n" + text)
					}
					for _, name := range shared(t) {
						if !slices.Contains(before, name) {
							t.Errorf("left behind: %s", name)
						}
					}
				})
			}
		}
	}
	eachUCX(t, func(t *testing.T, u ucx) { deaths(t, u, "") })
	t.Run("apart", func(t *testing.T) { deaths(t, theUCX(t), " apart") })
	t.Run("device", func(t *testing.T) { deaths(t, theUCX(t), " direct="+librarytest.Emulated(t)) })
}

// latePart: PE 1 does not close in time. The others do not wait for ever.
func latePart(string) error {
	d, err := openTest(Options{CloseDeadline: 500 * time.Millisecond}, "")
	if err != nil {
		return err
	}
	if d.Caps().Rank == 1 {
		time.Sleep(3 * time.Second)
		os.Exit(0)
	}
	began := time.Now()
	err = d.Close()
	if took := time.Since(began); !errors.Is(err, transport.ErrPeerDied) || took > 2500*time.Millisecond {
		return fmt.Errorf("close: after %v: %v", took, err)
	}
	fmt.Println("gave up:", err)
	return nil
}

func TestCloseDeadline(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) { u.ok(t, 2, "late", "", "gave up: ") })
}

// floodedPart: PE 1 takes no headers, and dies with as many under way to it as there can be. The others go on.
func floodedPart(string) error {
	d, err := openTest(Options{CloseDeadline: 2 * time.Second}, "")
	if err != nil {
		return err
	}
	buf := make([]byte, d.Caps().MaxHeader)
	switch d.Caps().Rank {
	case 1:
		time.Sleep(2 * time.Second)
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case 2:
		for began := time.Now(); time.Since(began) < 20*time.Second; {
			if peer, _, ok, _ := d.RecvHeader(buf); ok && peer == 0 {
				_ = d.Close()
				return nil
			}
		}
		return errors.New("no header came")
	}
	full := false
	for began := time.Now(); err == nil && time.Since(began) < 10*time.Second; {
		var sent bool
		sent, err = d.SendHeader(1, buf)
		full = full || !sent
	}
	if !full || !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("full %v: %v", full, err)
	}
	for began := time.Now(); ; {
		sent, err := d.SendHeader(2, []byte("end"))
		if err != nil {
			return err
		}
		if sent {
			break
		}
		if time.Since(began) > 5*time.Second {
			return errors.New("the dead PE's headers leave no room for others'")
		}
	}
	_ = d.Close()
	fmt.Println("survived")
	return nil
}

func TestFlooded(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		j := u.start(t, 3, "flooded", "")
		if status := j.wait(t, time.Minute); status[0] != 0 || status[1] != -1 || status[2] != 0 {
			t.Errorf("status %d\n%s", status, j.text())
		}
	})
}

// firePart sends messages back and forth under collections and stops of the world.
func firePart(string) error {
	d, err := openTest(Options{}, "")
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	return transporttest.UnderFire(ep, 9000, gate.MaxLen) // across the limit of short crossings
}

func TestUnderFire(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) { u.ok(t, 2, "fire", "") })
}

func init() { parts["allocations"] = allocationsPart }

// allocationsPart: once pools have grown, messages allocate nothing in Go.
func allocationsPart(string) error {
	d, err := openTest(Options{}, "")
	if err != nil {
		return err
	}
	m := gpu.HostMemory(make([]byte, 8))
	ops := []transport.Op{{Kind: transport.OpRecv, Ctx: 1, Tag: 1, Buf: testBuffer(8, false)}, {Ctx: 1, Tag: 1, ID: 1, Buf: m}}
	done, h, buf := make([]transport.Completion, 2), make([]byte, 64), make([]byte, d.Caps().MaxHeader)
	n := testing.AllocsPerRun(1000, func() {
		for got, post := 0, ops; got < 2; post = nil {
			k, derr := d.Do(post, done, 100)
			got, err = got+k, errors.Join(err, derr)
		}
		if _, serr := d.SendHeader(0, h); serr != nil {
			err = serr
		}
		for ok := false; !ok && err == nil; {
			_, _, ok, err = d.RecvHeader(buf)
		}
	})
	if err != nil || n != 0 {
		return fmt.Errorf("%v allocations a message, %w", n, err)
	}
	return d.Close()
}

func TestAllocations(t *testing.T) { theUCX(t).ok(t, 1, "allocations", "") }
