// What the machine has, found out in a child process: a broken driver or
// library costs that child, not the run.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gpubench/gpu"
	"gpubench/internal/doctor"
	"gpubench/internal/machine"
	"gpubench/internal/plan"
)

func newProbe() *cobra.Command {
	return &cobra.Command{
		Use: "_probe", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			part := probeOne(args[0])
			return json.NewEncoder(c.OutOrStdout()).Encode(part)
		},
	}
}

// probed is what one probe found.
type probed struct {
	Device     *plan.Device        `json:"device,omitempty"`
	Transport  *plan.Transport     `json:"transport,omitempty"`
	Driver     *doctor.Driver      `json:"driver,omitempty"`
	Management *machine.Management `json:"management,omitempty"`
	MPI        *doctor.MPI         `json:"mpi,omitempty"`
	Shim       *doctor.Shim        `json:"shim,omitempty"`
	Why        string              `json:"why,omitempty"`    // where there is nothing
	Broken     bool                `json:"broken,omitempty"` // it is there, and cannot be used
}

// probeOne answers KIND:NAME.
func probeOne(what string) (p probed) {
	kind, name, _ := strings.Cut(what, ":")
	var err error
	switch kind {
	case "transport":
		t := probeTransport(transportOf(name))
		p.Transport = &t
	case "driver":
		p.Driver, err = probeDriver(gpu.Driver(name))
	case "management":
		p.Management, err = probeManagement()
	case "mpi":
		p.MPI, err = probeLibrary()
		p.Broken = err != nil && !absent(err)
	case "shim":
		p.Shim = probeShim(name)
	default:
		d := probeDevice(gpu.Driver(name))
		p.Device = &d
	}
	if err != nil {
		p.Why = err.Error()
	}
	return p
}

func probeTransport(t transportEntry) plan.Transport {
	shim, err := t.shimHere()
	if err != nil {
		return availability(err)
	}
	return t.probe(shim)
}

func probeDevice(d gpu.Driver) plan.Device {
	n, err := gpu.Count(d)
	if err == nil && n == 0 {
		err = fmt.Errorf("the driver has no device")
	}
	if err != nil {
		return plan.Device{Availability: plan.Availability{Reason: err.Error()}}
	}
	out := plan.Device{Availability: plan.Availability{OK: true}, Count: n}
	dev, err := gpu.Open(d, 0, gpu.Options{})
	if err != nil {
		return plan.Device{Availability: plan.Availability{Reason: err.Error()}}
	}
	defer dev.Close()
	if d != gpu.CPU {
		out.MemBytes, out.Private = dev.Info().TotalMemory, mayBePrivate(os.Getenv, n)
		out.CacheBytes = dev.Info().L2Bytes
	} else {
		out.CacheBytes = lastCache(machine.ReadHost().Caches)
	}
	return out
}

// probeLimit bounds a probe: a driver that hangs is a driver that does not work.
const probeLimit = 30 * time.Second

// probe asks what is needed of the machine, each thing in a child.
func probe(ctx context.Context, transports []string) plan.Machine {
	return probeWithin(ctx, probeLimit, transports)
}

// probeWithin is probe with another limit for each thing.
func probeWithin(ctx context.Context, limit time.Duration, transports []string) plan.Machine {
	m := plan.Machine{Devices: map[string]plan.Device{}, Transports: map[string]plan.Transport{}, MemBytes: memAvailable(), CPUs: cpusAllowed(), Hosts: hostsOf(os.Getenv)}
	type answer struct {
		what string
		p    probed
		err  error
	}
	var asks []string
	for _, d := range gpu.Drivers {
		asks = append(asks, "device:"+string(d))
	}
	for _, t := range transports {
		asks = append(asks, "transport:"+t)
	}
	answers := make(chan answer)
	for _, what := range asks {
		go func() {
			p, err := ask(ctx, limit, what)
			answers <- answer{what, p, err}
		}()
	}
	for range asks {
		a := <-answers
		kind, name, _ := strings.Cut(a.what, ":")
		if kind == "device" {
			d := plan.Device{}
			if a.err != nil {
				d.Reason = a.err.Error()
			} else if a.p.Device != nil {
				d = *a.p.Device
			}
			m.Devices[name] = d
			continue
		}
		t := plan.Transport{}
		if a.err != nil {
			t.Reason = a.err.Error()
		} else if a.p.Transport != nil {
			t = *a.p.Transport
		}
		m.Transports[name] = t
	}
	return m
}

// ask has a child answer one question.
func ask(ctx context.Context, limit time.Duration, what string) (p probed, err error) {
	exe, err := os.Executable()
	if err != nil {
		return p, err
	}
	words := strings.Replace(what, ":", " ", 1)
	out, err := output(ctx, limit, exec.Command(exe, "_probe", what))
	if err != nil {
		return p, fmt.Errorf("the probe of %s failed: %w", words, err)
	}
	p, ok := readAnswer(out)
	if !ok {
		return p, fmt.Errorf("the probe of %s answered nonsense", words)
	}
	return p, nil
}

// readAnswer reads a probe's last line: libraries that it asks print to stdout too.
func readAnswer(out []byte) (p probed, ok bool) {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	err := json.Unmarshal([]byte(lines[len(lines)-1]), &p)
	return p, err == nil
}

// output runs a command that may crash or hang, and returns its stdout. What it has started is ended with it. The error
// says how it ended and what it said first.
func output(ctx context.Context, limit time.Duration, cmd *exec.Cmd) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	limited := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	limited.Env = cmd.Env
	limited.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a group of its own, with what it starts
	end := func() error { return syscall.Kill(-limited.Process.Pid, syscall.SIGKILL) }
	limited.Cancel = end
	limited.WaitDelay = time.Second
	out, err := limited.Output()
	if limited.Process != nil {
		_ = end() // what it has left
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() == context.DeadlineExceeded:
		return nil, fmt.Errorf("no answer within %v", limit)
	case errors.As(err, &exit):
		if line := telling(string(exit.Stderr)); line != "" {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
	}
	return nil, err
}

// telling is the line of what a program said at its end that says most: the first that is called fatal, else the first.
func telling(text string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "fatal") {
			return strings.TrimSpace(line)
		}
	}
	return firstLine(text)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}

// memAvailable is the memory that processes may take, in bytes; 0: not known.
func memAvailable() int64 {
	if n := machine.ReadLoad().MemoryAvailableBytes; n != nil {
		return *n
	}
	return 0
}

// cpusAllowed is how many CPUs this process may use.
func cpusAllowed() int {
	set, err := machine.AllowedCPUs()
	if err != nil {
		return 1
	}
	return max(set.Count(), 1)
}
