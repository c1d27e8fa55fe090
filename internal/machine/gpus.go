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
