// What PEs that are processes play in the tests of each transport between them.

package transporttest

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// Main is a TestMain: it plays the part that the variable partEnv names, with what argEnv says, or else runs the tests and
// cleans up. A part returns nil, or the error that the process prints before it ends with status 1.
func Main(m *testing.M, parts map[string]func(arg string) error, partEnv, argEnv string, cleanup func()) {
	name := os.Getenv(partEnv)
	if name == "" {
		status := m.Run()
		cleanup()
		os.Exit(status)
	}
	part, ok := parts[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no part is called %q\n", name)
		os.Exit(1)
	}
	if err := part(os.Getenv(argEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Signals says whether a nil dereference is a panic that can be recovered, and signals reach Go.
func Signals() error {
	for range 3 {
		if err := nilDereference(); err == nil || !strings.Contains(err.Error(), "nil pointer") {
			return fmt.Errorf("a nil dereference gives %v", err)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGFPE, syscall.SIGCHLD} {
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, s)
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			return err
		}
		select {
		case <-ch:
		case <-time.After(5 * time.Second):
			return fmt.Errorf("%v does not reach Go", s)
		}
		signal.Stop(ch)
	}
	return nil
}

func nilDereference() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	var p *[4]int
	return fmt.Errorf("read %d", p[len(os.Args)%4])
}

// UnderFire has two PEs send messages of up to usual bytes back and forth under collections and stops of the world, and a
// few of about border bytes.
func UnderFire(ep *transport.Endpoint, usual, border int) error {
	debug.SetGCPercent(1)
	stop := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	defer close(stop)
	m := Mapped(border+2, false)
	h, buf := make([]byte, 100), make([]byte, ep.Caps().MaxHeader)
	for i := range 20000 {
		part := m.Slice(0, 1+i*7%usual)
		if i%4000 == 0 {
			part = m.Slice(0, border-2+i/4000)
		}
		b := part.Bytes()
		if ep.Rank() == 0 {
			b[0], b[len(b)-1] = byte(i), byte(i)
			if err := errors.Join(ep.Send(1, part, 1, 1), ep.SendHeader(1, append(h[:0], byte(i)))); err != nil {
				return err
			}
			if _, err := ep.Recv(1, m, 1, 2); err != nil {
				return err
			}
			continue
		}
		st, err := ep.Recv(1, m, 0, 1)
		if err != nil || st.Len != len(b) || b[0] != byte(i) || b[len(b)-1] != byte(i) {
			return fmt.Errorf("message %d: %+v, %d and %d, %w", i, st, b[0], b[len(b)-1], err)
		}
		for ok, n := false, 0; !ok; ep.Relax() {
			if _, n, ok, err = ep.RecvHeader(buf); err != nil || ok && (n != 1 || buf[0] != byte(i)) {
				return fmt.Errorf("header %d: %d B, %d, %w", i, n, buf[0], err)
			}
		}
		if err := ep.Send(1, m.Slice(0, 1), 0, 2); err != nil {
			return err
		}
	}
	return ep.Close()
}

// PingPong sends n messages from PE 0 to PE 1 and back.
func PingPong(ep *transport.Endpoint, send, recv gpu.Memory, n int) (err error) {
	peer := 1 - ep.Rank()
	for i := 0; i < n && err == nil; i++ {
		if ep.Rank() == 0 {
			err = ep.Send(1, send, peer, 1)
		}
		if err == nil {
			_, err = ep.Recv(1, recv, peer, 1)
		}
		if err == nil && ep.Rank() == 1 {
			err = ep.Send(1, send, peer, 1)
		}
	}
	return err
}

var headerBuf [1 << 16]byte

// HeaderPingPong is PingPong by headers that hold what send does.
func HeaderPingPong(ep *transport.Endpoint, send gpu.Memory, n int) (err error) {
	peer, ok := 1-ep.Rank(), false
	buf := headerBuf[:ep.Caps().MaxHeader]
	for i := 0; i < n && err == nil; i++ {
		if ep.Rank() == 0 {
			err = ep.SendHeader(peer, send.Bytes())
		}
		for ok = false; !ok && err == nil; {
			_, _, ok, err = ep.RecvHeader(buf)
		}
		if err == nil && ep.Rank() == 1 {
			err = ep.SendHeader(peer, send.Bytes())
		}
	}
	return err
}

// Number finds "name value" on a line of its own.
func Number(b *testing.B, out, name string) float64 {
	b.Helper()
	for _, line := range strings.Split(out, "\n") {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				b.Fatal(err)
			}
			return v
		}
	}
	b.Fatalf("no %s in:\n%s", name, out)
	return 0
}
