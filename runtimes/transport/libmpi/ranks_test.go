// What ranks see of MPI: placement, errors, long messages, native loops.
package libmpi

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

func init() {
	parts["caps"] = capsPart
	parts["truncate"] = truncatePart
	parts["long"] = longPart
	parts["native"] = nativePart
	parts["native alone"] = nativeAlonePart
}

func capsPart(string) error {
	d, err := openTest(Options{})
	if err != nil {
		return err
	}
	c := d.Caps()
	var wrong []string
	check := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, what)
		}
	}
	check(c.Name == "mpi" && c.Contexts >= 8 && c.MaxHeader >= 1024, "limits")
	check(c.Version == d.Library().Version && c.Version != "" && !strings.Contains(c.Version, "\n"), "version "+c.Version)
	check(d.Library().Kind != "" && strings.Contains(d.Library().Full, "MPI"), "library")
	check(len(c.Places) == c.Size, "places")
	host, _ := os.Hostname()
	for i, p := range c.Places {
		check(p.Host == host && p.Node == 0 && p.LocalRank == i && p.LocalSize == c.Size, fmt.Sprint("placement ", p))
		check((p.PID == os.Getpid()) == (i == c.Rank), "process")
	}
	for _, s := range gpu.Spaces {
		host := s == gpu.Pageable || s == gpu.Pinned
		check(c.Spaces[s] == host, "space "+s.String())
		check(host == (c.Why[s] == ""), "reason of "+s.String())
		lane := d.Lane(transport.Op{Kind: transport.OpSend, Buf: gpu.Memory{Space: s}})
		check((lane.Name == transport.LaneHost) == host && lane.HowKnown != "", "lane of "+s.String())
	}
	check(strings.Contains(c.Why[gpu.OnDevice], "libuct_cuda is not loaded"), "reason "+c.Why[gpu.OnDevice])
	// Memory that the library must not be given comes back as an error, whatever Endpoint has let through.
	var done [1]transport.Completion
	ops := []transport.Op{{Kind: transport.OpSend, Ctx: 1, Peer: 0, Buf: gpu.Memory{Addr: 4096, Len: 8, Space: gpu.OnDevice}}}
	n, err := d.Do(ops, done[:], 10)
	check(n == 1 && err == nil && errors.Is(done[0].Err, transport.ErrUnsupported), fmt.Sprint("device memory: ", done[0].Err))
	if c.Rank == 0 {
		fmt.Println("why not device memory:", c.Why[gpu.OnDevice])
	}
	if wrong != nil {
		return fmt.Errorf("rank %d: %s", c.Rank, strings.Join(wrong, "; "))
	}
	return d.Close()
}

func TestCaps(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		for _, ranks := range []int{1, 3} {
			t.Log(m.ok(t, ranks, "caps", ""))
		}
	})
}

// exchange sends or receives one message at the driver.
func exchange(d *Driver, kind transport.OpKind, peer int, m gpu.Memory) (transport.Completion, error) {
	ops := []transport.Op{{Kind: kind, Ctx: 1, Peer: int32(peer), Tag: 1, ID: 7, Buf: m}}
	done := make([]transport.Completion, 1)
	n, err := d.Do(ops, done, 1000)
	for began := time.Now(); n == 0 && err == nil; n, err = d.Do(nil, done, 1000) {
		if time.Since(began) > 30*time.Second {
			return done[0], errors.New("nothing came")
		}
	}
	return done[0], err
}

func truncatePart(string) error {
	d, err := openTest(Options{Size: 2})
	if err != nil {
		return err
	}
	m := testBuffer(100000, false)
	for _, n := range []int{100, 100000} {
		if d.Caps().Rank == 0 {
			if c, err := exchange(d, transport.OpSend, 1, m.Slice(0, n)); err != nil || c.Err != nil {
				return fmt.Errorf("the sender of %d B: %v, %v", n, c.Err, err)
			}
			continue
		}
		c, err := exchange(d, transport.OpRecv, 0, m.Slice(0, n-1))
		var me *Error
		if err != nil || !errors.As(c.Err, &me) || !errors.Is(c.Err, transport.ErrTruncated) {
			return fmt.Errorf("the receiver of %d B: %v, %v", n, c.Err, err)
		}
		fmt.Println("truncated:", c.Err)
	}
	return d.Close()
}

func TestTruncationIsNamed(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		out := m.ok(t, 2, "truncate", "")
		if strings.Count(out, "truncated: MPI_Irecv: MPI_ERR_TRUNCATE: ") != 2 || strings.Contains(out, "stack") {
			t.Errorf("the error is not as it should be:\n%s", out)
		}
	})
}

// longPart sends more than MPI can count in an int.
func longPart(string) error {
	d, err := openTest(Options{Size: 2})
	if err != nil {
		return err
	}
	const n = 1<<31 + 12345
	m := untouched(n)
	b := m.Bytes()
	marks := []int{0, 1<<30 - 1, 1 << 30, 1<<31 - 1, 1 << 31, n - 1}
	if d.Caps().Rank == 0 {
		for i, at := range marks {
			b[at] = byte(i + 1)
		}
		if c, err := exchange(d, transport.OpSend, 1, m); err != nil || c.Err != nil || c.Len != n {
			return fmt.Errorf("sender: %+v, %v", c, err)
		}
		return d.Close()
	}
	for began, ok := time.Now(), false; !ok; {
		var st transport.Status
		if st, ok, err = d.Probe(1, 0, 1); err != nil || ok && st.Len != n || time.Since(began) > time.Minute {
			return fmt.Errorf("probed: %+v, %v, %v", st, ok, err)
		}
	}
	c, err := exchange(d, transport.OpRecv, 0, m)
	if err != nil || c.Err != nil || c.Len != n || c.Peer != 0 || c.Tag != 1 {
		return fmt.Errorf("receiver: %+v, %v", c, err)
	}
	for i, at := range marks {
		if b[at] != byte(i+1) {
			return fmt.Errorf("byte %d is %d, not %d", at, b[at], i+1)
		}
	}
	return d.Close()
}

// TestLongMessage takes 4 GiB and some seconds: by itself only where GPUBENCH_TEST_LONG=1.
func TestLongMessage(t *testing.T) {
	if os.Getenv("GPUBENCH_TEST_LONG") != "1" {
		t.Skip("takes 4 GiB: GPUBENCH_TEST_LONG=1 runs it")
	}
	eachMPI(t, func(t *testing.T, m mpi) { m.ok(t, 2, "long", "") })
}

// nativePart runs both loops and looks at what arrived.
func nativePart(string) error {
	d, err := openTest(Options{Size: 2})
	if err != nil {
		return err
	}
	rank := d.Caps().Rank
	for _, n := range []int{0, 8, 5000, 200000} {
		send, recv := testBuffer(n, false), testBuffer(n, false)
		for i := range send.Bytes() {
			send.Bytes()[i] = byte(i + rank)
		}
		l := transport.Loop{Ctx: 1, Peer: 1 - rank, Tag: 5, First: rank == 0, Send: send, Recv: recv, Bytes: n, Iterations: 100, Window: 16}
		took, err := d.NativePingpong(l)
		if err != nil || took <= 0 {
			return fmt.Errorf("ping-pong of %d B: %v, %w", n, took, err)
		}
		for i, b := range recv.Bytes() {
			if b != byte(i+1-rank) {
				return fmt.Errorf("ping-pong of %d B: byte %d is %d", n, i, b)
			}
		}
		clear(recv.Bytes())
		if took, err = d.NativeBandwidth(l); err != nil || took <= 0 {
			return fmt.Errorf("bandwidth at %d B: %v, %w", n, took, err)
		}
		for i, b := range recv.Bytes() {
			if want := byte(i + 1 - rank); rank == 1 && b != want || rank == 0 && b != 0 {
				return fmt.Errorf("bandwidth at %d B: rank %d: byte %d is %d", n, rank, i, b)
			}
		}
	}
	return d.Close()
}

// nativeAlonePart: a peer that does not take part costs the deadline, no more; one that is gone costs less.
func nativeAlonePart(string) error {
	d, err := openTest(Options{Size: 2})
	if err != nil {
		return err
	}
	if d.Caps().Rank == 1 {
		buf := make([]byte, d.Caps().MaxHeader)
		for {
			if _, _, ok, err := d.RecvHeader(buf); ok || err != nil {
				return errors.Join(err, d.Close())
			}
		}
	}
	m, big := testBuffer(8, false), testBuffer(100000, false)
	wait := func(loop func(transport.Loop) (time.Duration, error), first bool, m gpu.Memory, tag int, kind error) error {
		began := time.Now()
		_, err := loop(transport.Loop{Ctx: 1, Peer: 1, Tag: tag, First: first, Send: m, Recv: m, Bytes: m.Len, Iterations: 1, Window: 2, Deadline: 200 * time.Millisecond})
		if took := time.Since(began); !errors.Is(err, kind) || took > 5*time.Second {
			return fmt.Errorf("%d B, first %v, tag %d: after %v: %v", m.Len, first, tag, took, err)
		}
		return nil
	}
	err = errors.Join(
		wait(d.NativePingpong, false, m, 1, transport.ErrDeadline),
		wait(d.NativeBandwidth, false, m, 2, transport.ErrDeadline),
		wait(d.NativeBandwidth, true, big, 3, transport.ErrDeadline),
		wait(d.NativePingpong, true, big, 4, transport.ErrDeadline),
		wait(d.NativePingpong, true, gpu.Memory{Addr: 4096, Len: 8, Space: gpu.OnDevice}, 5, transport.ErrUnsupported),
	)
	if err != nil {
		return err
	}
	if sent, err := d.SendHeader(1, []byte("end")); !sent || err != nil {
		return fmt.Errorf("header: %v, %w", sent, err)
	}
	// Rank 1 closes now. The deadline could pass first on a loaded machine, so it is a long one.
	_, err = d.NativePingpong(transport.Loop{Ctx: 1, Peer: 1, Tag: 6, Send: m, Recv: m, Bytes: 8, Iterations: 1})
	if !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("a closed peer: %v", err)
	}
	return d.Close()
}

func TestNative(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		m.ok(t, 2, "native", "")
		m.ok(t, 2, "native alone", "")
	})
}
