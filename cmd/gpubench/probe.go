// What the machine has, found out in a child process: a broken driver or
// library costs that child, not the run.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpubench/gpu"
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
	Device    *plan.Device    `json:"device,omitempty"`
	Transport *plan.Transport `json:"transport,omitempty"`
}

func probeOne(what string) probed {
	kind, name, _ := strings.Cut(what, ":")
	if kind == "transport" {
		t := probeTransport(transportOf(name))
		return probed{Transport: &t}
	}
	d := probeDevice(gpu.Driver(name))
	return probed{Device: &d}
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
	}
	return out
}

// probeLimit bounds a probe: a driver that hangs is a driver that does not work.
const probeLimit = 30 * time.Second

// probe asks what is needed of the machine, each thing in a child.
func probe(ctx context.Context, transports []string) plan.Machine {
	m := plan.Machine{Devices: map[string]plan.Device{}, Transports: map[string]plan.Transport{}, MemBytes: memAvailable(), Hosts: hostsOf(os.Getenv)}
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
			p, err := ask(ctx, what)
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

func ask(ctx context.Context, what string) (p probed, err error) {
	exe, err := os.Executable()
	if err != nil {
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "_probe", what)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		how := err.Error()
		if ctx.Err() == context.DeadlineExceeded {
			how = fmt.Sprintf("no answer within %v", probeLimit)
		}
		return p, fmt.Errorf("the probe of %s failed: %s", strings.Replace(what, ":", " ", 1), how)
	}
	if err := json.Unmarshal(out, &p); err != nil {
		return p, fmt.Errorf("the probe of %s answered nonsense", what)
	}
	return p, nil
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
