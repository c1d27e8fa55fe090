// What decides how processes and devices of this host reach each other: limits, kernel modules, namespaces, PCI paths.

package machine

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Surroundings is what the system says of the ways between processes, GPUs and network cards. nil: not known.
type Surroundings struct {
	Memlock      *Limit      `json:"memlock"`
	Shm          *Space      `json:"shm"`           // of /dev/shm; nil: it is not there
	PtraceScope  *int64      `json:"ptrace_scope"`  // Yama's; nil: this kernel has no Yama
	Namespaces   []Namespace `json:"namespaces"`    // ipc, pid, user: those that could be read
	Container    *string     `json:"container"`     // what says that this is one; nil: nothing does
	Modules      []string    `json:"modules"`       // of those in knownModules that the kernel has
	DevGDRDrv    bool        `json:"dev_gdrdrv"`    // the device file of gdrcopy's module
	NvidiaDevice bool        `json:"nvidia_device"` // a GPU of NVIDIA's is on the PCI bus
	IOMMU        *bool       `json:"iommu"`
	PCI          []PCIDevice `json:"pci"` // GPUs of NVIDIA's and network cards
	Bridges      []Bridge    `json:"bridges"`
	MPS          *MPSDaemon  `json:"mps"` // nil: no control daemon's pipe
}

// Limit is a soft limit of the process.
type Limit struct {
	Unlimited bool  `json:"unlimited"`
	Bytes     int64 `json:"bytes"`
}

// Space is the room of a file system.
type Space struct {
	TotalBytes int64 `json:"total_bytes"`
	FreeBytes  int64 `json:"free_bytes"`
}

// Namespace is one of the kernel's that the process is in.
type Namespace struct {
	Kind    string `json:"kind"`
	ID      int64  `json:"id"`
	Initial bool   `json:"initial"` // the one that the kernel started with, so the host's
}

// Kinds of PCI devices.
const (
	KindGPU      = "gpu"
	KindRDMA     = "rdma"     // InfiniBand, RoCE: anything that the kernel lists as such
	KindEthernet = "ethernet" // network cards without RDMA
)

// PCIDevice is a device that data may travel to.
type PCIDevice struct {
	Kind       string   `json:"kind"`
	Name       string   `json:"name"`        // mlx5_0, eth0; of a GPU its bus id
	BusID      string   `json:"bus_id"`      // 0000:c1:00.0
	Path       []string `json:"path"`        // from the host bridge (pci0000:c0) down to the device
	NUMANode   *int     `json:"numa_node"`   //
	IOMMUGroup *string  `json:"iommu_group"` // its type: "identity" (passed through), "DMA", "DMA-FQ"
}

// Bridge is a PCI bridge above one of the devices.
type Bridge struct {
	BusID string `json:"bus_id"`
	// ACSRedirect says that traffic between devices below it goes up to the host first; nil: not known, reading it needs
	// root.
	ACSRedirect *bool `json:"acs_redirect"`
}

// knownModules are the kernel modules that the direct ways need.
var knownModules = []string{"nvidia", "nvidia_uvm", "nvidia_peermem", "nv_peer_mem", "gdrdrv", "ib_uverbs"}

// initialNamespaces are the numbers of those that the kernel starts with (include/linux/proc_ns.h).
var initialNamespaces = []struct {
	kind string
	id   int64
}{{"ipc", 0xEFFFFFFF}, {"pid", 0xEFFFFFFC}, {"user", 0xEFFFFFFD}}

// ReadSurroundings reads those of the machine and process that it runs in.
func ReadSurroundings() Surroundings {
	return ReadSurroundingsFrom(os.DirFS("/"), os.Getenv, spaceOf)
}

// ReadSurroundingsFrom is ReadSurroundings with the file system's root, the environment and the room of a file system
// given.
func ReadSurroundingsFrom(root fs.FS, getenv func(string) string, space func(path string) *Space) Surroundings {
	r := reader{root}
	s := Surroundings{
		Memlock:     r.memlock(),
		Shm:         space("/dev/shm"),
		PtraceScope: r.number("proc/sys/kernel/yama/ptrace_scope"),
		Namespaces:  r.namespaces(),
		Container:   r.container(getenv),
		DevGDRDrv:   r.exists("dev/gdrdrv"),
		IOMMU:       r.iommu(),
		MPS:         r.mps(getenv),
	}
	for _, m := range knownModules {
		if r.exists(path.Join("sys/module", m)) {
			s.Modules = append(s.Modules, m)
		}
	}
	s.PCI = r.pciDevices()
	s.NvidiaDevice = slices.ContainsFunc(s.PCI, func(d PCIDevice) bool { return d.Kind == KindGPU })
	s.Bridges = r.bridges(s.PCI)
	return s
}

// HasModule reports whether the kernel has a module loaded or built in.
func (s Surroundings) HasModule(name string) bool { return slices.Contains(s.Modules, name) }

// Of returns the PCI devices of a kind.
func (s Surroundings) Of(kind string) []PCIDevice {
	var list []PCIDevice
	for _, d := range s.PCI {
		if d.Kind == kind {
			list = append(list, d)
		}
	}
	return list
}

// Near says how close two PCI devices are, in the words of `nvidia-smi topo -m`: PIX (at most one bridge between them),
// PXB (several bridges), PHB (the host bridge), NODE (one NUMA node), SYS (between nodes), "" for what is not known.
func Near(a, b PCIDevice) string {
	if len(a.Path) < 2 || len(b.Path) < 2 {
		return ""
	}
	shared := 0
	for shared < len(a.Path) && shared < len(b.Path) && a.Path[shared] == b.Path[shared] {
		shared++
	}
	// A switch has a bridge upwards and one for each device below it: two devices on one switch share all but their own.
	between := len(a.Path) - 1 - shared + len(b.Path) - 1 - shared
	switch {
	case shared > 1 && between <= 2:
		return "PIX"
	case shared > 1:
		return "PXB"
	case shared == 1:
		return "PHB"
	case a.NUMANode != nil && b.NUMANode != nil && *a.NUMANode == *b.NUMANode:
		return "NODE"
	case a.NUMANode != nil && b.NUMANode != nil:
		return "SYS"
	}
	return ""
}

func (r reader) exists(name string) bool {
	_, err := fs.Stat(r.root, name)
	return err == nil
}

// link returns what a symbolic link holds.
func (r reader) link(name string) *string {
	s, err := fs.ReadLink(r.root, name)
	if err != nil {
		return nil
	}
	return &s
}

func (r reader) names(dir string) []string {
	entries, err := fs.ReadDir(r.root, dir)
	if err != nil {
		return nil
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list
}

// memlock reads "Max locked memory  SOFT  HARD  bytes".
func (r reader) memlock() *Limit {
	s := r.text("proc/self/limits")
	if s == nil {
		return nil
	}
	for line := range strings.Lines(*s) {
		rest, ok := strings.CutPrefix(line, "Max locked memory")
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		if len(words) == 0 {
			return nil
		}
		if words[0] == "unlimited" {
			return &Limit{Unlimited: true}
		}
		if n := parseInt(words[0]); n != nil {
			return &Limit{Bytes: *n}
		}
	}
	return nil
}

// namespaces reads links of the form "ipc:[4026531839]".
func (r reader) namespaces() []Namespace {
	var list []Namespace
	for _, k := range initialNamespaces {
		target := r.link("proc/self/ns/" + k.kind)
		if target == nil {
			continue
		}
		number, ok := strings.CutPrefix(*target, k.kind+":[")
		if id := parseInt(strings.TrimSuffix(number, "]")); ok && id != nil {
			list = append(list, Namespace{Kind: k.kind, ID: *id, Initial: *id == k.id})
		}
	}
	return list
}

// container names the first sign of a container.
func (r reader) container(getenv func(string) string) *string {
	for _, v := range []string{"APPTAINER_NAME", "SINGULARITY_NAME", "ENROOT_PID", "container"} {
		if value := getenv(v); value != "" {
			s := v + "=" + value
			return &s
		}
	}
	for _, file := range []string{".dockerenv", "run/.containerenv"} {
		if r.exists(file) {
			s := "/" + file
			return &s
		}
	}
	groups := r.text("proc/self/cgroup")
	for _, word := range []string{"docker", "kubepods", "libpod", "containerd", "lxc"} {
		if groups != nil && strings.Contains(*groups, word) {
			s := "control group " + word
			return &s
		}
	}
	return nil
}

// iommu: a kernel that uses one lists it.
func (r reader) iommu() *bool {
	if !r.exists("sys/class/iommu") && !r.exists("sys/kernel/iommu_groups") {
		return nil
	}
	on := len(r.names("sys/class/iommu")) > 0 || len(r.names("sys/kernel/iommu_groups")) > 0
	return &on
}

// pciDevices lists NVIDIA's GPUs and the network cards.
func (r reader) pciDevices() []PCIDevice {
	var list []PCIDevice
	seen := make(map[string]bool)
	for _, id := range r.names(slotDir("")) {
		vendor, class := r.text(path.Join(slotDir(id), "vendor")), r.text(path.Join(slotDir(id), "class"))
		if vendor != nil && class != nil && *vendor == "0x10de" && strings.HasPrefix(*class, "0x03") { // a display controller
			list = append(list, r.pciDevice(KindGPU, id, id))
		}
	}
	for _, c := range []struct{ kind, dir string }{{KindRDMA, "sys/class/infiniband"}, {KindEthernet, "sys/class/net"}} {
		for _, name := range r.names(c.dir) {
			id := r.slotOf(path.Join(c.dir, name))
			if id == "" || seen[id] { // an RDMA card's network interface is the same card
				continue
			}
			seen[id] = c.kind == KindRDMA
			list = append(list, r.pciDevice(c.kind, name, id))
		}
	}
	return list
}

// slotOf returns the bus id of a class's device: its link goes by ".../0000:c1:00.0/net/eth0". "" where it is on no
// PCI bus.
func (r reader) slotOf(entry string) string {
	target := r.link(entry)
	if target == nil {
		return ""
	}
	for _, part := range slices.Backward(strings.Split(*target, "/")) {
		if isBusID(part) {
			return part
		}
	}
	return ""
}

func isBusID(s string) bool {
	domain, rest, ok := strings.Cut(s, ":")
	_, err := strconv.ParseUint(domain, 16, 32)
	return ok && err == nil && len(rest) == len("c1:00.0") && rest[2] == ':' && rest[5] == '.'
}

func (r reader) pciDevice(kind, name, id string) PCIDevice {
	d := PCIDevice{Kind: kind, Name: name, BusID: id}
	if target := r.link(slotDir(id)); target != nil { // "../../../devices/pci0000:c0/0000:c0:01.1/0000:c1:00.0"
		for part := range strings.SplitSeq(*target, "/") {
			if isBusID(part) || strings.HasPrefix(part, "pci") {
				d.Path = append(d.Path, part)
			}
		}
	}
	d.NUMANode = r.slotNode(id)
	if group := r.link(path.Join(slotDir(id), "iommu_group")); group != nil {
		d.IOMMUGroup = r.text(path.Join("sys/kernel/iommu_groups", path.Base(*group), "type"))
	}
	return d
}

// bridges lists those above the GPUs and the RDMA cards: where ACS on them redirects, peer traffic takes the long way.
func (r reader) bridges(devices []PCIDevice) []Bridge {
	var list []Bridge
	seen := make(map[string]bool)
	for _, d := range devices {
		if d.Kind == KindEthernet || len(d.Path) < 2 {
			continue
		}
		for _, id := range d.Path[1 : len(d.Path)-1] {
			if !seen[id] {
				seen[id] = true
				list = append(list, Bridge{BusID: id, ACSRedirect: r.acsRedirect(id)})
			}
		}
	}
	return list
}

// acsRedirect reads the ACS capability of a bridge out of its extended configuration space: P2P request redirect (bit 2)
// or completion redirect (bit 3) of the control register (PCI Express base specification, 7.7.8). Without root the kernel
// gives only the first 64 bytes: nil.
func (r reader) acsRedirect(id string) *bool {
	b, err := fs.ReadFile(r.root, path.Join(slotDir(id), "config"))
	const extended, capabilityACS = 0x100, 0xd
	if err != nil || len(b) <= 256 {
		return nil
	}
	redirect := false
	for at, steps := extended, 0; at >= extended && at+8 <= len(b) && steps < 960; steps++ { // 960: as many as fit
		header := binary.LittleEndian.Uint32(b[at:])
		if header&0xffff == capabilityACS {
			redirect = binary.LittleEndian.Uint16(b[at+6:])&0b1100 != 0
			break
		}
		at = int(header >> 20)
	}
	return &redirect
}
