// The environment line: on what every PE ran.

package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"sync"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/launch"
	"gpubench/internal/machine"
	"gpubench/internal/result"
	"gpubench/internal/supervise"
)

// environment is the content of an environment line. Nothing in it changes
// from run to run on the same machine: equal machines share an id.
type environment struct {
	Program   programInfo   `json:"program"`
	Transport transportInfo `json:"transport"`
	machine.Environment
	Devices  []deviceInfo `json:"devices"`  // by PE
	Warnings []string     `json:"warnings"` // what is doubtful about the bindings, and the mend
}

type programInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

type transportInfo struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Library string `json:"library,omitempty"`
	// Short calls of MPI go without cgo; only for the mpi transport.
	ShortCalls bool `json:"short_calls,omitempty"`
	// Settings of MPI and UCX in PE 0's environment: they choose what carries messages.
	Settings map[string]string `json:"settings,omitempty"`
}

// settingsOf are the variables of an environment that MPI and UCX read.
func settingsOf(environ []string) map[string]string {
	m := map[string]string{}
	for _, kv := range launch.Detached(environ) { // less what a launcher wrote among them
		name, value, _ := strings.Cut(kv, "=")
		for _, prefix := range []string{"UCX_", "OMPI_MCA_", "PMIX_MCA_", "MPIR_CVAR_", "MPICH_", "I_MPI_"} {
			if strings.HasPrefix(name, prefix) {
				m[name] = value
			}
		}
	}
	return m
}

// deviceInfo is what a PE's device says of itself.
type deviceInfo struct {
	PE       int    `json:"pe"`
	Driver   string `json:"driver"`
	Ordinal  int    `json:"ordinal"`
	Name     string `json:"name"`
	*GPUInfo        // cpu has none: what its driver answers stands for no hardware
}

// GPUInfo is exported for encoding/json, which sets no embedded pointer to another.
type GPUInfo struct {
	UUID            string  `json:"uuid"`
	PCIBusID        string  `json:"pci_bus_id"`
	Capability      [2]int  `json:"compute_capability"`
	TotalMemory     int64   `json:"total_memory_bytes"`
	Multiprocessors int     `json:"multiprocessors"`
	MemoryBandwidth float64 `json:"memory_bandwidth"` // B/s, reads and writes; 0: not known
	DriverVersion   int     `json:"driver_version"`
	L2Bytes         int64   `json:"l2_bytes"`
}

// peReport is what a PE tells PE 0.
type peReport struct {
	PID      int              `json:"pid"`
	Snapshot machine.Snapshot `json:"snapshot"`
	Device   deviceInfo       `json:"device"`
}

// site reads the host's facts once in a process.
var site = sync.OnceValue(machine.ReadSite)

// ready gathers what the PEs say of themselves and reports it.
func (w *worker) ready(pe *bench.PE) error {
	text, err := json.Marshal(w.describe())
	if err != nil {
		return err
	}
	all, err := pe.Control.Gather(text)
	if err != nil {
		return err
	}
	if w.rank != 0 {
		id, err := pe.Control.Broadcast(nil)
		w.environment = string(id)
		return err
	}
	caps := pe.Endpoint.Caps()
	env := environment{Program: program(), Transport: transportInfo{Name: caps.Name, Version: caps.Version, Library: w.library, ShortCalls: w.shortCalls}}
	if w.library != "" {
		env.Transport.Settings = settingsOf(os.Environ())
	}
	var pids []int
	var snapshots []machine.Snapshot
	var reports []peReport
	for _, b := range all {
		var r peReport
		if err := json.Unmarshal(b, &r); err != nil {
			return err
		}
		snapshots, reports = append(snapshots, r.Snapshot), append(reports, r)
		env.Devices = append(env.Devices, r.Device)
		if r.PID != os.Getpid() {
			pids = append(pids, r.PID)
		}
	}
	env.Environment = machine.Merge(snapshots)
	w.found = findOut(w.o.Job, w.seats, reports)
	env.Warnings = w.found.warnings
	line, err := result.NewEnvironment(env)
	if err != nil {
		return err
	}
	w.environment = line.ID
	if _, err := pe.Control.Broadcast([]byte(line.ID)); err != nil {
		return err
	}
	w.emit(supervise.Event{Kind: supervise.Ready, PIDs: append(pids, os.Getpid()), Environment: &line})
	return nil
}

// describe is this PE's report.
func (w *worker) describe() peReport {
	i := w.dev.Info()
	r := peReport{PID: os.Getpid(), Snapshot: site().Bind(w.rank), Device: deviceInfo{
		PE: w.rank, Driver: string(w.dev.Driver()), Ordinal: w.dev.Ordinal(), Name: i.Name}}
	team, driver := w.budget.TeamThreads, string(w.dev.Driver())
	r.Snapshot.Binding.TeamThreads, r.Snapshot.Binding.Device = &team, &driver
	if w.dev.Driver() != gpu.CPU {
		uuid := i.UUID
		r.Device.GPUInfo = &GPUInfo{UUID: i.UUID, PCIBusID: i.PCIBusID, Capability: [2]int{i.ComputeMajor, i.ComputeMinor},
			TotalMemory: i.TotalMemory, Multiprocessors: i.Multiprocessors, MemoryBandwidth: i.MemoryBandwidth,
			DriverVersion: i.DriverVersion, L2Bytes: i.L2Bytes}
		r.Snapshot.Binding.GPU = &uuid
	}
	r.Snapshot.Binding.GOMAXPROCS = runtime.GOMAXPROCS(0)
	return r
}
