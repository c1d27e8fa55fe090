// Which PE gets which device, and how near PEs are to each other: told to all, chosen alike by each, checked
// afterwards.

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/launch"
	"gpubench/internal/machine"
	"gpubench/internal/plan"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
)

// seatOf is what this PE brings to the choice of devices. What is wrong with the driver is said when the device is
// opened.
func seatOf(device string) (machine.Seat, error) {
	cpus, err := machine.AllowedCPUs()
	if err != nil {
		return machine.Seat{}, err
	}
	s := machine.Seat{PID: os.Getpid(), CPUs: cpus, Sockets: machine.Sockets(cpus)}
	if name := site().Name; name != nil {
		s.Host = *name
	}
	list, _ := gpu.List(gpu.Driver(device))
	for _, i := range list {
		v := machine.Visible{UUID: i.UUID, PCIBusID: i.PCIBusID, Distance: machine.NearNode}
		if gpu.Driver(device) == gpu.CUDA && !i.Emulated { // the others are in no slot
			v.Distance = site().DeviceDistance(cpus, machine.SlotNode(i.PCIBusID))
			s.MPS = machine.MPS(os.Getenv)
		}
		s.Devices = append(s.Devices, v)
	}
	return s, nil
}

// shareSeats tells all PEs of every PE's seat. all is an exchange in which each PE gets what each gave, by rank.
func shareSeats(device string, all func([]byte) ([][]byte, error)) ([]machine.Seat, error) {
	mine, err := seatOf(device)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	texts, err := all(text)
	if err != nil {
		return nil, err
	}
	seats := make([]machine.Seat, len(texts))
	for pe, text := range texts {
		if err := json.Unmarshal(text, &seats[pe]); err != nil {
			return nil, fmt.Errorf("what PE %d tells of itself: %w: the PEs are of different builds", pe, err)
		}
	}
	return seats, nil
}

// exchange is where the ranks of a job meet before they have a transport.
type exchange interface {
	Rank() int
	AllGather(data []byte, timeout time.Duration) ([][]byte, error)
}

// meetWithin bounds an exchange: ranks are started together, but not all nodes are equally fast.
const meetWithin = time.Minute

// chooseDevice returns the ordinal of this rank's device: what all ranks find alike where they can meet, else what is
// right as far as a rank alone can tell.
func chooseDevice(device string, job launch.Job, x exchange) (int, error) {
	if x != nil {
		seats, err := shareSeats(device, func(mine []byte) ([][]byte, error) { return x.AllGather(mine, meetWithin) })
		if err != nil {
			return -1, err
		}
		return machine.Assign(seats)[x.Rank()], nil
	}
	seat, err := seatOf(device)
	if err != nil {
		return -1, err
	}
	local := job.LocalRank
	if local < 0 {
		local = job.Rank
	}
	return machine.AssignAlone(seat.Devices, local), nil
}

// excluded is the mend where a device admits one process.
const excluded = "it is in compute mode exclusive-process, and may be another process's: start MPS (nvidia-cuda-mps-control -d) or fewer PEs, or give nvidia-smi -c DEFAULT"

// overControl is such an exchange over a driver's control context, which needs no device.
func overControl(d transport.Driver) func([]byte) ([][]byte, error) {
	return func(mine []byte) (all [][]byte, err error) {
		ep, err := transport.New(kept{d}, transport.Config{})
		if err != nil {
			return nil, err
		}
		defer ep.Close()
		c := bench.NewControl(ep)
		if all, err = c.Gather(mine); err != nil {
			return nil, err
		}
		text, err := json.Marshal(all)
		if err != nil {
			return nil, err
		}
		if text, err = c.Broadcast(text); err != nil {
			return nil, err
		}
		err = json.Unmarshal(text, &all)
		return all, err
	}
}

// rankBudget divides the CPUs of a rank's host among the ranks there, which a launcher may have bound each to its own. Each
// has busy threads beside its team. Where the run has jobs of more PEs on this host, each has as many CPUs as it would have
// among those.
func rankBudget(seats []machine.Seat, rank, most, busy int) (b machine.Budget) {
	var here []machine.CPUSet
	me := 0
	for r, s := range seats {
		if s.Host != seats[rank].Host {
			continue
		}
		if r == rank {
			me = len(here)
		}
		here = append(here, s.CPUs)
	}
	b.TeamThreads = machine.TeamThreads(here, me, busy)
	if most > len(seats) {
		b.TeamThreads = min(b.TeamThreads, machine.Cores(here[me].Count(), most))
	}
	b.Oversubscribed = machine.Oversubscribed(here, b.TeamThreads+busy)
	b.GOMAXPROCS = 2
	return b
}

// found is what PE 0 learns about where the PEs are: once their devices are open, and nothing can change any more.
type found struct {
	mps       *bool
	placement string
	warnings  []string
}

// findOut checks what was planned against the PEs' reports.
func findOut(job plan.Job, seats []machine.Seat, reports []peReport) found {
	f := found{warnings: []string{}}
	hosts, devices := make([]string, len(seats)), make([]string, len(seats))
	bound := make([]machine.Bound, len(seats))
	for pe, s := range seats {
		hosts[pe] = s.Host
		bound[pe] = machine.Bound{Seat: s, Site: reports[pe].Snapshot.Site}
		if g := reports[pe].Device.GPUInfo; g != nil {
			bound[pe].Device, devices[pe] = g.UUID, s.Host+" "+g.UUID
		}
	}
	path := "direct"
	if job.Device == string(gpu.CPU) {
		path = "host"
	} else {
		f.warnings = append(f.warnings, machine.Doubts(bound)...)
		f.mps = servedByMPS(seats)
	}
	f.placement = result.Placement(path, result.SpreadOf(hosts), result.SpreadOf(devices))
	if len(job.Cases) > 0 {
		planned, known := job.Cases[0].Params["placement"].(string) // one for a job, which has one device
		if known && planned != f.placement {
			is := f.placement
			if is == "" {
				is = "no one placement"
			}
			f.warnings = append(f.warnings, fmt.Sprintf("the PEs over %s on %s were planned as %s and are %s: go by placement_found in the records",
				job.Transport, job.Device, planned, is))
		}
	}
	return f
}

// servedByMPS is what all seats agree on.
func servedByMPS(seats []machine.Seat) *bool {
	first := seats[0].MPS
	for _, s := range seats {
		if first == nil || s.MPS == nil || *s.MPS != *first {
			return nil
		}
	}
	return first
}

// hostsOf tells how the PEs of a run lie over hosts, as far as the environment of rank 0 tells it: gpubench itself
// starts them on this one.
func hostsOf(getenv func(string) string) result.Spread {
	job, joined := launch.Joined(getenv)
	if !joined {
		return result.Together
	}
	here := 0 // ranks on this host
	switch job.Kind {
	case launch.OpenMPI:
		here, _ = strconv.Atoi(getenv("OMPI_COMM_WORLD_LOCAL_SIZE"))
	case launch.MPICH:
		here, _ = strconv.Atoi(getenv("MPI_LOCALNRANKS"))
	default: // srun; other launchers' ranks inherit these from a step of daemons
		tasks := getenv("SLURM_STEP_TASKS_PER_NODE") // "2(x3),1"
		if strings.HasPrefix(tasks, "1(x") && strings.HasSuffix(tasks, ")") && !strings.Contains(tasks, ",") {
			return result.Apart
		}
		here, _ = strconv.Atoi(tasks)
	}
	switch {
	case here > 0 && here == job.Size:
		return result.Together
	case here == 1 && job.Size == 2:
		return result.Apart
	}
	return result.Unclear
}

// mayBePrivate tells that a launcher may have shown each of its ranks another device: to one that is shown a single
// one, by a list of its own.
func mayBePrivate(getenv func(string) string, devices int) bool {
	_, joined := launch.Joined(getenv)
	return joined && devices == 1 && getenv("CUDA_VISIBLE_DEVICES") != ""
}
