// Can device memory be given to a transport here? Two throw-away ranks try it: a library that cannot take it ends with a
// segmentation fault, and so does the rank.

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/library"
	"gpubench/internal/plan"
	"gpubench/internal/supervise"
	"gpubench/runtimes/transport"
)

// said is a line that rank 0 of the try prints: first what the library tells, then how it went.
type said struct {
	Tells string `json:"tells,omitempty"` // of CUDA
	Ranks int    `json:"ranks,omitempty"`
	OK    bool   `json:"ok,omitempty"`
	Why   string `json:"why,omitempty"` // not
}

// probeDirect finds out whether device memory can be given to a transport, and notes it in m.
func probeDirect(ctx context.Context, m plan.Machine, transport, device string) {
	t := m.Transports[transport]
	if _, known := t.Direct[device]; known || device == string(gpu.CPU) || !t.OK || !m.Devices[device].OK {
		return
	}
	if t.Direct == nil {
		t.Direct = map[string]plan.Availability{}
	}
	a := tryDirect(ctx, transportOf(transport), device)
	if mend := transportOf(transport).mend; !a.OK && mend != nil {
		a.Reason += ": " + mend()
	}
	t.Direct[device] = a
	m.Transports[transport] = t
}

// tryDirect starts the ranks and reads what became of them.
func tryDirect(ctx context.Context, t transportEntry, device string) plan.Availability {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, probeLimit) // the caller's may be nearer
	defer cancel()
	for again := false; ; again = true {
		cmd, err := directRanks(ctx, t, device)
		if err != nil {
			return plan.Availability{Reason: err.Error()}
		}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
		stdin, err := cmd.StdinPipe() // held open: ranks end when it closes
		if err != nil {
			return plan.Availability{Reason: err.Error()}
		}
		err = cmd.Run()
		_ = stdin.Close()
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		if ctx.Err() == context.DeadlineExceeded {
			err = fmt.Errorf("no answer within %v", time.Since(began).Round(time.Second))
		}
		if err == nil || again || !launch.NeverStarted(stderr.String()) {
			return verdict(&stdout, stderr.String(), err)
		}
	}
}

// directRanks is the command of the try: two ranks, or one alone where those of the library cannot be started here.
func directRanks(ctx context.Context, t transportEntry, device string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l, shim, err := t.launcher()
	if job, joined := launch.Joined(os.Getenv); joined {
		var own string
		if own, err = t.shim(job); err == nil && own != shim {
			l = launch.Launcher{} // another MPI's
			shim = own
		}
	}
	if err != nil {
		return nil, err
	}
	argv := []string{exe, "_direct", t.name, device, shim}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) // alone, sending to itself
	env := os.Environ()
	if l.Path != "" {
		c := l.Command(2, argv...)
		cmd.Path, cmd.Args, env = c.Path, c.Args, c.Env
	}
	cmd.Env = launch.Detached(env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}                                // with what it starts
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } // a launcher leaves nothing then
	return cmd, nil
}

// verdict reads what the try's rank 0 said, and how it ended.
func verdict(stdout io.Reader, stderr string, ended error) plan.Availability {
	var all said
	for sc := bufio.NewScanner(stdout); sc.Scan(); {
		var line said
		if json.Unmarshal(sc.Bytes(), &line) != nil {
			continue
		}
		if line.Tells != "" {
			all.Tells, all.Ranks = line.Tells, line.Ranks
		}
		all.OK = all.OK || line.OK
		if all.Why == "" { // where each rank says the same, it is said once
			all.Why = line.Why
		}
	}
	tells := ""
	if all.Tells != "" {
		tells = " (" + all.Tells + ")"
	}
	switch {
	case all.Why != "":
		return plan.Availability{Reason: all.Why}
	case all.OK && ended == nil && all.Ranks > 1:
		return plan.Availability{OK: true, Reason: "tried: device memory went both ways between two ranks and was right" + tells}
	case all.OK && ended == nil:
		return plan.Availability{OK: true, Reason: "tried: device memory went from a rank to itself and was right" + tells}
	case ended == nil:
		ended = errors.New("it said nothing")
	}
	how := supervise.Ending(ended, stderr)
	return plan.Availability{Reason: fmt.Sprintf("it does not take device memory: given some, a rank of a try ended with %s%s", how, tells)}
}

func newDirect() *cobra.Command {
	return &cobra.Command{
		Use: "_direct", Hidden: true, Args: cobra.ExactArgs(3),
		RunE: func(c *cobra.Command, args []string) error {
			endWithParent(c.InOrStdin())
			out := json.NewEncoder(c.OutOrStdout())
			if err := direct(transportOf(args[0]), args[1], args[2], func(s said) { _ = out.Encode(s) }); err != nil {
				return fail(exitFailed, "%v", err)
			}
			return nil
		},
	}
}

// direct is one rank of the try.
func direct(t transportEntry, device, shim string, say func(said)) error {
	runtime.LockOSThread()
	met := &meeting{}
	dev, err := holdDevice(device, met, t.meets)
	if err != nil {
		say(said{Why: err.Error()})
		return err
	}
	d, err := t.open(shim, openOptions{device: true, met: met})
	if err != nil {
		say(said{Why: err.Error()})
		return err
	}
	caps := d.Caps()
	if caps.Rank != 0 {
		say = func(said) {}
	}
	say(said{Tells: d.cuda, Ranks: caps.Size})
	_, absent := library.Find(emulatedLibrary) // then the emulated driver is none that UCX and MPI can find
	switch {
	case d.noCUDA:
		say(said{Why: fmt.Sprintf("%s takes no device memory (%s)", caps.Version, d.cuda)})
	case device == string(gpu.Emulated) && absent != nil:
		say(said{Why: fmt.Sprintf("no other library sees the emulated driver inside gpubench: %v", absent)})
	case !caps.Spaces[gpu.OnDevice]:
		say(said{Why: caps.Why[gpu.OnDevice]})
	default:
		ep, err := transport.New(kept{d.Driver}, transport.Config{Device: dev.dev, Deadline: tryDeadline, Yield: true})
		if err != nil {
			return err
		}
		if err := exchangeOnDevice(ep); err != nil {
			say(said{Why: fmt.Sprintf("device memory does not get through: %v (%s)", err, d.cuda)})
			return err
		}
		if err := ep.Close(); err != nil {
			return err
		}
		say(said{OK: true})
	}
	return errors.Join(d.Close(), dev.Close(), met.Close())
}

// tryDeadline is for one wait of the try.
const tryDeadline = 10 * time.Second

// trySizes are below and above where libraries change to another way of sending.
var trySizes = []int{8, 1 << 20}

// exchangeOnDevice sends device memory both ways and checks what comes.
func exchangeOnDevice(ep *transport.Endpoint) error {
	if err := ep.SetPath(transport.PathConfig{Path: transport.Direct}); err != nil {
		return err
	}
	dev, peer := ep.Device(), (ep.Rank()+1)%ep.Size()
	stream, err := dev.NewStream()
	if err != nil {
		return err
	}
	defer stream.Close()
	for _, n := range trySizes {
		err := func() error {
			var m [3]gpu.Memory // send, receive, host
			for i, space := range []gpu.Space{gpu.OnDevice, gpu.OnDevice, gpu.Pinned} {
				b, err := dev.Alloc(space, n, gpu.DefaultPages)
				if err != nil {
					return err
				}
				defer b.Free()
				m[i] = b.Memory()
			}
			host := m[2].Bytes()
			for i := range host {
				host[i] = tryByte(i, ep.Rank())
			}
			if err := errors.Join(stream.Copy(m[0], m[2]), stream.Sync()); err != nil {
				return err
			}
			r, err := ep.Irecv(transport.CtxModel, m[1], peer, 1)
			if err != nil {
				return err
			}
			if err := ep.Send(transport.CtxModel, m[0], peer, 1); err != nil {
				return err
			}
			if _, err := ep.Wait(r); err != nil {
				return err
			}
			clear(host)
			if err := errors.Join(stream.Copy(m[2], m[1]), stream.Sync()); err != nil {
				return err
			}
			for i, b := range host {
				if want := tryByte(i, peer); b != want {
					return fmt.Errorf("%d B, offset %d: expected %#02x, found %#02x", n, i, want, b)
				}
			}
			return nil
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

func tryByte(i, rank int) byte { return byte(i*31+i>>8) ^ byte(rank*85+1) }
