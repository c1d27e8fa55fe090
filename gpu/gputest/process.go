// Processes: memory and events shared with a child, which is this test's binary started again.

package gputest

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
)

func init() {
	add(test{"ipc", ipc})
	if spec := os.Getenv(childEnv); spec != "" {
		if err := child(spec); err != nil {
			fmt.Printf("error %v\n", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// childEnv, "driver ordinal", makes a test's binary the suite's second process.
const childEnv = "GPUBENCH_GPUTEST_CHILD"

// n is odd on purpose, the second buffer is not the first of its driver's block.
const ipcLen = 100_001

func ipc(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	first, b := alloc(t, d, gpu.OnDevice, 1000), alloc(t, d, gpu.OnDevice, ipcLen)
	defer free(t, s, first, b)
	write(t, d, s, b.Memory(), 21)
	h, err := d.Export(b)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	e, err := d.NewIPCEvent()
	must(t, err)
	defer free(t, e)
	eh, eventErr := d.ExportEvent(e)

	c := start(t, d)
	line, err := h.AppendBinary(nil)
	must(t, err)
	c.send("memory %x", line)
	c.expect("sees 21")
	holds(t, d, s, b.Memory(), 22, "what the child wrote")

	if errors.Is(eventErr, errors.ErrUnsupported) {
		t.Logf("events between processes: %v", eventErr)
		c.send("end")
		c.expect("bye")
		return
	}
	must(t, eventErr)
	// The child must see the event as not reached while the stream is held, and the bytes behind it afterwards.
	open := func() {}
	if !synchronous(d) {
		open = held(t, s)
	}
	must(t, s.Fill(b.Memory(), 23))
	must(t, s.Record(e))
	c.send("event %x", eh[:])
	if synchronous(d) {
		c.expect("reached true")
	} else {
		c.expect("reached false")
	}
	open()
	c.expect("sees 23")
	c.send("end")
	c.expect("bye")
}

func child(spec string) (err error) {
	name, number, _ := strings.Cut(spec, " ")
	ordinal, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	d, err := gpu.Open(gpu.Driver(name), ordinal, gpu.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Bind(); err != nil {
		return err
	}
	defer d.Unbind()
	c := &childState{d: d}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		word, arg, _ := strings.Cut(lines.Text(), " ")
		data, err := hex.DecodeString(arg)
		if err == nil {
			switch word {
			case "memory":
				err = c.memory(data)
			case "event":
				err = c.event(data)
			case "end":
				return c.end()
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	return errors.Join(lines.Err(), io.ErrUnexpectedEOF)
}

type childState struct {
	d    *gpu.Device
	s    *gpu.Stream
	b    *gpu.Buffer
	host *gpu.Buffer
	e    *gpu.Event
}

func (c *childState) memory(data []byte) (err error) {
	var h gpu.IPCHandle
	if err := h.UnmarshalBinary(data); err != nil {
		return err
	}
	if c.b, err = c.d.Import(h); err != nil {
		return err
	}
	if c.s, err = c.d.NewStream(); err != nil {
		return err
	}
	if c.host, err = c.d.Alloc(gpu.Pinned, ipcLen, gpu.DefaultPages); err != nil {
		return err
	}
	if err := errors.Join(c.s.Copy(c.host.Memory(), c.b.Memory()), c.s.Sync()); err != nil {
		return err
	}
	bytes := c.host.Memory().Bytes()
	for i, b := range bytes {
		if b != pattern(21, i) {
			return fmt.Errorf("byte %d is %#x, not %#x", i, b, pattern(21, i))
		}
		bytes[i] = pattern(22, i)
	}
	if err := errors.Join(c.s.Copy(c.b.Memory(), c.host.Memory()), c.s.Sync()); err != nil {
		return err
	}
	fmt.Println("sees 21")
	return nil
}

func (c *childState) event(data []byte) (err error) {
	if len(data) != len(gpu.IPCEventHandle{}) {
		return fmt.Errorf("%d B", len(data))
	}
	if c.e, err = c.d.ImportEvent(gpu.IPCEventHandle(data)); err != nil {
		return err
	}
	done, err := c.e.Query()
	if err != nil {
		return err
	}
	fmt.Printf("reached %v\n", done)
	if err := errors.Join(c.s.WaitEvent(c.e), c.s.Copy(c.host.Memory(), c.b.Memory()), c.s.Sync(), c.e.Sync()); err != nil {
		return err
	}
	for i, b := range c.host.Memory().Bytes() {
		if b != 23 {
			return fmt.Errorf("byte %d behind the event is %d", i, b)
		}
	}
	fmt.Println("sees 23")
	return nil
}

func (c *childState) end() error {
	err := errors.Join(c.b.Free(), c.host.Free(), c.s.Close())
	if c.e != nil {
		err = errors.Join(err, c.e.Close())
	}
	if err == nil {
		fmt.Println("bye")
	}
	return err
}

// process is the child as its parent sees it.
type process struct {
	t     *testing.T
	in    io.Writer
	lines *bufio.Scanner
}

func start(t *testing.T, d *gpu.Device) *process {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", childEnv, d.Driver(), d.Ordinal()))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		defer cancel()
		in.Close()
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("the child: %v", err)
		}
	})
	return &process{t: t, in: in, lines: bufio.NewScanner(out)}
}

func (p *process) send(format string, args ...any) {
	p.t.Helper()
	_, err := fmt.Fprintf(p.in, format+"\n", args...)
	must(p.t, err)
}

func (p *process) expect(want string) {
	p.t.Helper()
	if !p.lines.Scan() || p.lines.Text() != want {
		p.t.Fatalf("the child says %q (%v), not %q", p.lines.Text(), p.lines.Err(), want)
	}
}
