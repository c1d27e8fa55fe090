package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gpubench/internal/machine/nvml"
)

// boundOf takes the devices of seatsOf's words as Assign chooses them.
func boundOf(t *testing.T, words string) []Bound {
	seats := seatsOf(t, words)
	job := make([]Bound, len(seats))
	for pe, i := range Assign(seats) {
		job[pe] = Bound{Seat: seats[pe], Device: seats[pe].Devices[i].UUID}
	}
	return job
}

func TestDoubts(t *testing.T) {
	yes, no := true, false
	zero, one := 0, 1
	pci := "0000:c1:00.0"
	twoNodes := Host{Nodes: []Node{{ID: 0, CPUs: NewCPUSet(0, 1), Distances: []int{10, 21}}, {ID: 1, CPUs: NewCPUSet(2, 3), Distances: []int{21, 10}}}}
	each := func(f func(pe int, b *Bound)) func([]Bound) {
		return func(job []Bound) {
			for pe := range job {
				f(pe, &job[pe])
			}
		}
	}
	for _, c := range []struct {
		name, seats string
		change      func([]Bound)
		want        []string // each begins a line and goes on behind |
	}{
		{"a device each", "A,B A,B", nil, nil},
		{"one for all", "A A A", nil, nil},
		{"one visible each", "A B", nil, []string{"PEs 0 and 1 on a: not all of them see each other's devices|srun --gpus-per-node=2 --gpu-bind=none"}},
		{"one sees less", "A,B B", nil, []string{"PE 1 on a: not all of them see"}},
		{"one visible each, on hosts of their own", "a/A b/B", nil, nil},
		{"threads of one process", "A A", each(func(_ int, b *Bound) { b.PID, b.MPS = 7, &no }), nil},
		{"shared, another one seen", "A,B A,B", each(func(_ int, b *Bound) { b.Device = "A" }),
			[]string{"PEs 0 and 1 on a: up to 2 processes share a device while the job leaves 1 of the host's unused|srun --gpus-per-node=2 --gpu-bind=none"}},
		{"shared, another one hidden", "A A", each(func(_ int, b *Bound) {
			b.Site.GPUs = []GPU{{Device: nvml.Device{UUID: "A"}}, {Device: nvml.Device{UUID: "B"}}, {Device: nvml.Device{UUID: "C"}}}
		}), []string{"PEs 0 and 1 on a: up to 2 processes share a device while the job leaves 2 of the host's unused"}},
		{"shared, with UUIDs that the library does not know", "A A", each(func(_ int, b *Bound) {
			b.Site.GPUs = []GPU{{Device: nvml.Device{UUID: "parent"}}}
		}), nil},
		{"shared without MPS", "A A A", each(func(_ int, b *Bound) { b.MPS = &no }),
			[]string{"PEs 0, 1 and 2 on a: up to 3 processes share a device without MPS|nvidia-cuda-mps-control -d"}},
		{"shared with MPS", "A A A", each(func(_ int, b *Bound) { b.MPS = &yes }), nil},
		{"far", "A:21,B:21", nil, nil},
		{"far, a nearer one is taken", "A,B:21 A,B:21", nil, []string{"PE 1 on a: the device hangs on another NUMA node|--map-by numa"}},
		{"far, a nearer one is hidden", "A:21", each(func(_ int, b *Bound) {
			b.CPUs, b.Site.Host = NewCPUSet(0), twoNodes
			b.Site.GPUs = []GPU{{Device: nvml.Device{UUID: "A"}, NUMANode: &one}, {Device: nvml.Device{UUID: "B"}, NUMANode: &zero}}
		}), []string{"PE 0 on a: the device hangs on another NUMA node"}},
		{"far, and so are all", "A:21", each(func(_ int, b *Bound) {
			b.CPUs, b.Site.Host = NewCPUSet(0), twoNodes
			b.Site.GPUs = []GPU{{Device: nvml.Device{UUID: "A"}, NUMANode: &one}, {Device: nvml.Device{UUID: "C"}}}
		}), nil},
		{"partitioned", "A,B A,B", each(func(pe int, b *Bound) {
			b.Devices[pe].PCIBusID = pci
			b.Site.GPUs = []GPU{{Device: nvml.Device{UUID: "parent", PCIBusID: &pci, MIG: &yes}}}
		}), []string{"PEs 0 and 1 on a: the GPU is partitioned (MIG)|nvidia-smi -mig 0"}},
		{"partitioned, one process", "A", each(func(pe int, b *Bound) {
			b.Devices[pe].PCIBusID = pci
			b.Site.GPUs = []GPU{{Device: nvml.Device{UUID: "parent", PCIBusID: &pci, MIG: &yes}}}
		}), nil},
		{"not partitioned", "A,B A,B", each(func(pe int, b *Bound) {
			b.Devices[pe].PCIBusID = pci
			b.Site.GPUs = []GPU{{Device: nvml.Device{UUID: "A", PCIBusID: &pci, MIG: &no}}}
		}), nil},
		{"by host", "a/A a/B b/A,B b/A,B c/C c/D", nil, []string{"PEs 0 and 1 on a: not all", "PEs 4 and 5 on c: not all"}},
		{"many", strings.Join([]string{"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"}, " "), nil,
			[]string{"PEs 0, 1, 2, 3, 4, 5, 6, 7 and 2 more on a: not all|--gpus-per-node=10"}},
	} {
		job := boundOf(t, c.seats)
		if c.change != nil {
			c.change(job)
		}
		got := Doubts(job)
		matches := slices.EqualFunc(got, c.want, func(line, want string) bool {
			begin, in, _ := strings.Cut(want, "|")
			return strings.HasPrefix(line, begin) && strings.Contains(line, in)
		})
		if !matches {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A daemon is there if the process that its folder names is one.
func TestMPS(t *testing.T) {
	dir := t.TempDir()
	ask := func() string {
		got := MPS(func(name string) string { return map[string]string{MPSPipeEnv: dir}[name] })
		if got == nil {
			return "not known"
		}
		return strconv.FormatBool(*got)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(); got != "false" {
		t.Errorf("an empty folder: %s", got)
	}
	write("control", "")
	if got := ask(); got != "not known" {
		t.Errorf("a socket alone: %s", got)
	}
	const pidFile = "nvidia-cuda-mps-control.pid"
	write(pidFile, strconv.Itoa(os.Getpid())+"\n")
	if got := ask(); got != "false" {
		t.Errorf("another process has its number: %s", got)
	}
	write(pidFile, "no number")
	if got := ask(); got != "not known" {
		t.Errorf("no number: %s", got)
	}
	daemon := filepath.Join(dir, "nvidia-cuda-mps-control") // a script's process has its name
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\nread line\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write(pidFile, strconv.Itoa(cmd.Process.Pid))
	if got := ask(); got != "true" {
		t.Errorf("a daemon: %s", got)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if got := ask(); got != "not known" {
		t.Errorf("a daemon that is gone, or in another PID namespace: %s", got)
	}
	dir = filepath.Join(dir, "nowhere")
	if got := ask(); got != "false" {
		t.Errorf("no folder: %s", got)
	}
}
