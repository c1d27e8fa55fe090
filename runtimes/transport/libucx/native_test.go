package libucx

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/library/librarytest"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["native"] = nativePart
	parts["native alone"] = nativeAlonePart
	parts["native mixed"] = nativeMixedPart
}

// nativePart runs both loops, by tags and by active messages, and looks at what arrived.
func nativePart(arg string) error {
	dev, err := transporttest.OpenDevice(arg, newFiles().rank)
	if err != nil {
		return err
	}
	d, err := openTest(Options{Device: dev != nil}, arg)
	if err != nil {
		return err
	}
	rank := d.Caps().Rank
	for _, am := range []bool{false, true} {
		for _, n := range []int{0, 8, 5000, 200000, 1 << 20} {
			if err := nativeLoops(d, dev, transport.Loop{Ctx: 1, Peer: 1 - rank, Tag: 5, First: rank == 0, Bytes: n,
				Iterations: 100, Window: 16, AM: am}); err != nil {
				return fmt.Errorf("%d B, active messages %v, PE %d: %w", n, am, rank, err)
			}
		}
	}
	return d.Close()
}

func nativeLoops(d *Driver, dev *gpu.Device, l transport.Loop) (err error) {
	rank := 1 - l.Peer
	mine, theirs := make([]byte, l.Bytes), make([]byte, l.Bytes)
	for i := range mine {
		mine[i], theirs[i] = byte(i+rank), byte(i+1-rank)
	}
	if l.Send, err = place(dev, mine); err != nil {
		return err
	}
	for _, name := range []string{"ping-pong", "bandwidth"} {
		loop := map[string]func(transport.Loop) (time.Duration, error){"ping-pong": d.NativePingpong, "bandwidth": d.NativeBandwidth}[name]
		if l.Recv, err = place(dev, make([]byte, l.Bytes)); err != nil {
			return err
		}
		took, err := loop(l)
		if err != nil || took <= 0 {
			return fmt.Errorf("%s: %v, %w", name, took, err)
		}
		got, err := fetch(dev, l.Recv)
		if err != nil {
			return err
		}
		want := theirs
		if name == "bandwidth" && rank == 0 {
			want = make([]byte, l.Bytes)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s: wrong bytes", name)
		}
	}
	return nil
}

// nativeAlonePart: a peer that does not take part costs the deadline, no more; one that is gone costs less.
func nativeAlonePart(string) error {
	d, err := openTest(Options{}, "")
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
	wait := func(loop func(transport.Loop) (time.Duration, error), first, am bool, m gpu.Memory, tag int, kind error) error {
		began := time.Now()
		_, err := loop(transport.Loop{Ctx: 1, Peer: 1, Tag: tag, First: first, Send: m, Recv: m, Bytes: m.Len, Iterations: 1, Window: 2,
			Deadline: 200 * time.Millisecond, AM: am})
		if took := time.Since(began); !errors.Is(err, kind) || took > 5*time.Second {
			return fmt.Errorf("%d B, first %v, tag %d: after %v: %v", m.Len, first, tag, took, err)
		}
		return nil
	}
	for _, am := range []bool{false, true} {
		err = errors.Join(err,
			wait(d.NativePingpong, false, am, m, 1, transport.ErrDeadline),
			wait(d.NativeBandwidth, false, am, m, 2, transport.ErrDeadline),
			wait(d.NativeBandwidth, true, am, big, 3, transport.ErrDeadline),
			wait(d.NativePingpong, true, am, big, 4, transport.ErrDeadline),
			wait(d.NativePingpong, true, am, gpu.Memory{Addr: 4096, Len: 8, Space: gpu.OnDevice}, 5, transport.ErrUnsupported),
		)
	}
	if err != nil {
		return err
	}
	if sent, err := d.SendHeader(1, []byte("end")); !sent || err != nil {
		return fmt.Errorf("header: %v, %w", sent, err)
	}
	// PE 1 closes now. The deadline could pass first on a loaded machine, so it is a long one.
	_, err = d.NativePingpong(transport.Loop{Ctx: 1, Peer: 1, Tag: 6, Send: m, Recv: m, Bytes: 8, Iterations: 1})
	if !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("a closed peer: %v", err)
	}
	return d.Close()
}

// nativeMixedPart: an active message from host memory comes eagerly, and cannot be copied into a device's: that is an error
// where it arrives.
func nativeMixedPart(arg string) error {
	dev, err := transporttest.OpenDevice(arg, newFiles().rank)
	if err != nil {
		return err
	}
	d, err := openTest(Options{Device: true}, arg)
	if err != nil {
		return err
	}
	rank := d.Caps().Rank
	on := dev
	if rank == 1 {
		on = nil // its buffers are the host's
	}
	m, err := place(on, make([]byte, 8))
	if err != nil {
		return err
	}
	_, err = d.NativePingpong(transport.Loop{Ctx: 1, Peer: 1 - rank, Tag: 5, First: rank == 1, Send: m, Recv: m, Bytes: 8, Iterations: 1,
		Deadline: time.Second, AM: true})
	var failed *Error
	if rank == 0 && !errors.As(err, &failed) {
		return fmt.Errorf("from the host to the device: %v", err)
	}
	return d.Close()
}

func TestNative(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		u.ok(t, 2, "native", "")
		u.ok(t, 2, "native", "cgo")
		u.ok(t, 2, "native alone", "")
	})
	t.Run("device", func(t *testing.T) {
		theUCX(t).ok(t, 2, "native", "direct="+librarytest.Emulated(t))
		// What the other side had begun when the loop ended is left to UCX, which may warn of it at its end.
		t.Setenv("UCX_LOG_LEVEL", "error")
		theUCX(t).ok(t, 2, "native mixed", "direct="+librarytest.Emulated(t))
	})
}
