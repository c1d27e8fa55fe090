// GPUs: what NVIDIA's management library says of them, and where they sit in the host.

package machine

import (
	"io/fs"
	"os"
	"path"

	"gpubench/internal/machine/nvml"
)

// GPU is a GPU of the host, whether or not this process sees it. CUDA's device is the one with the same UUID.
type GPU struct {
	nvml.Device
	NUMANode  *int    `json:"numa_node"` // of the host, that its slot hangs on
	LocalCPUs *CPUSet `json:"local_cpus"`
}

// ReadGPUs returns the host's GPUs. The error matches errors.ErrUnsupported where the management library is not there.
func ReadGPUs() ([]GPU, error) {
	l, err := nvml.Open()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	devices, err := l.Devices()
	if err != nil {
		return nil, err
	}
	return placeGPUs(os.DirFS("/"), devices), nil
}

// GPUNow is a GPU with what it does at the moment.
type GPUNow struct {
	GPU
	State nvml.State `json:"state"`
}

// Management is all that the management library tells.
type Management struct {
	Driver  string   `json:"driver"` // version of the kernel's driver, "" where it is not known
	Library string   `json:"library"`
	GPUs    []GPUNow `json:"gpus"`
}

// ReadManagement asks the management library for everything. The error is as ReadGPUs'.
func ReadManagement() (Management, error) {
	l, err := nvml.Open()
	if err != nil {
		return Management{}, err
	}
	defer l.Close()
	devices, err := l.Devices()
	if err != nil {
		return Management{}, err
	}
	m := Management{GPUs: []GPUNow{}}
	m.Driver, m.Library = l.Versions()
	for _, g := range placeGPUs(os.DirFS("/"), devices) {
		now := GPUNow{GPU: g}
		now.State, _ = l.State(g.UUID) // what cannot be asked stays unknown
		m.GPUs = append(m.GPUs, now)
	}
	return m, nil
}

// placeGPUs adds what the kernel says about the slots.
func placeGPUs(root fs.FS, devices []nvml.Device) []GPU {
	r := reader{root}
	list := make([]GPU, len(devices))
	for i, d := range devices {
		list[i].Device = d
		if d.PCIBusID == nil {
			continue
		}
		list[i].NUMANode = r.slotNode(*d.PCIBusID)
		if cpus, ok := r.cpuSet(path.Join(slotDir(*d.PCIBusID), "local_cpulist")); ok {
			list[i].LocalCPUs = &cpus
		}
	}
	return list
}

func slotDir(pciBusID string) string { return path.Join("sys/bus/pci/devices", pciBusID) }

func (r reader) slotNode(pciBusID string) *int {
	n := r.number(path.Join(slotDir(pciBusID), "numa_node"))
	if n == nil || *n < 0 { // -1: the firmware does not say
		return nil
	}
	node := int(*n)
	return &node
}

// SlotNode returns the NUMA node that a PCI slot hangs on; nil: not known.
func SlotNode(pciBusID string) *int { return reader{os.DirFS("/")}.slotNode(pciBusID) }
