package machine

import (
	"encoding/binary"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
)

// gpuNode is a tree with two GPUs and three cards: mlx5_0 on the first GPU's switch, mlx5_1 at the first GPU's host
// bridge, eth0 on the other socket.
func gpuNode() fstest.MapFS {
	root := tree(map[string]string{
		"proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units\n" +
			"Max locked memory         8388608              unlimited            bytes\nMax file locks unlimited unlimited locks\n",
		"proc/sys/kernel/yama/ptrace_scope":          "1\n",
		"proc/self/cgroup":                           "0::/kubepods.slice/pod1\n",
		"sys/module/nvidia/version":                  "580\n",
		"sys/module/nvidia_peermem/version":          "580\n",
		"sys/module/ext4/version":                    "1\n",
		"dev/gdrdrv":                                 "",
		"sys/class/iommu/dmar0":                      "",
		"sys/kernel/iommu_groups/7/type":             "DMA-FQ\n",
		"tmp/nvidia-mps/control":                     "",
		"tmp/nvidia-mps/nvidia-cuda-mps-control.pid": "77\n",
		"proc/77/comm":                               "nvidia-cuda-mps\n",
	})
	device := func(id, below, class, vendor, node string) {
		dir := "sys/devices/" + below + "/" + id
		for file, content := range map[string]string{"class": class, "vendor": vendor, "numa_node": node} {
			root[dir+"/"+file] = &fstest.MapFile{Data: []byte(content + "\n")}
		}
		link(root, "sys/bus/pci/devices/"+id, "../../../devices/"+below+"/"+id)
	}
	const sw = "pci0000:c0/0000:c0:01.0/0000:c1:00.0"
	device("0000:c0:01.0", "pci0000:c0", "0x060400", "0x8086", "0")
	device("0000:c1:00.0", "pci0000:c0/0000:c0:01.0", "0x060400", "0x1000", "0")
	device("0000:c2:00.0", sw+"/0000:c2:01.0", "0x030200", "0x10de", "0") // a GPU
	device("0000:c3:00.0", sw+"/0000:c3:01.0", "0x020700", "0x15b3", "0")
	device("0000:c4:00.0", "pci0000:c0", "0x020700", "0x15b3", "0")
	device("0000:01:00.0", "pci0000:00", "0x030200", "0x10de", "1")
	device("0000:02:00.0", "pci0000:00", "0x020000", "0x8086", "-1")
	device("0000:03:00.0", "pci0000:00", "0x030000", "0x1234", "0") // another maker's graphics
	link(root, "sys/devices/"+sw+"/0000:c2:01.0/0000:c2:00.0/iommu_group", "../../../../../../../kernel/iommu_groups/7")
	link(root, "sys/class/infiniband/mlx5_0", "../../devices/"+sw+"/0000:c3:01.0/0000:c3:00.0/infiniband/mlx5_0")
	link(root, "sys/class/infiniband/mlx5_1", "../../devices/pci0000:c0/0000:c4:00.0/infiniband/mlx5_1")
	link(root, "sys/class/net/ib0", "../../devices/"+sw+"/0000:c3:01.0/0000:c3:00.0/net/ib0")
	link(root, "sys/class/net/eth0", "../../devices/pci0000:00/0000:02:00.0/virtio1/net/eth0")
	link(root, "sys/class/net/lo", "../../devices/virtual/net/lo")
	link(root, "proc/self/ns/ipc", "ipc:[4026531839]")
	link(root, "proc/self/ns/pid", "pid:[4026532000]")
	return root
}

func link(root fstest.MapFS, name, target string) {
	root[name] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
}

func noEnv(string) string { return "" }

func room(string) *Space { return &Space{TotalBytes: 64 << 20, FreeBytes: 1 << 20} }

func TestSurroundings(t *testing.T) {
	s := ReadSurroundingsFrom(gpuNode(), noEnv, room)
	if s.Memlock == nil || s.Memlock.Unlimited || s.Memlock.Bytes != 8<<20 {
		t.Errorf("memlock %+v", s.Memlock)
	}
	if s.Shm == nil || s.Shm.FreeBytes != 1<<20 || s.PtraceScope == nil || *s.PtraceScope != 1 {
		t.Errorf("shm %+v, ptrace scope %v", s.Shm, s.PtraceScope)
	}
	if want := []Namespace{{"ipc", 4026531839, true}, {"pid", 4026532000, false}}; !slices.Equal(s.Namespaces, want) {
		t.Errorf("namespaces %+v", s.Namespaces)
	}
	if s.Container == nil || *s.Container != "control group kubepods" {
		t.Errorf("container %v", s.Container)
	}
	if !s.HasModule("nvidia") || !s.HasModule("nvidia_peermem") || s.HasModule("gdrdrv") || s.HasModule("ext4") || !s.DevGDRDrv {
		t.Errorf("modules %v, device file %v", s.Modules, s.DevGDRDrv)
	}
	if s.IOMMU == nil || !*s.IOMMU || !s.NvidiaDevice {
		t.Errorf("IOMMU %v, GPU %v", s.IOMMU, s.NvidiaDevice)
	}
	if s.MPS == nil || s.MPS.Dir != "/tmp/nvidia-mps" || s.MPS.Running == nil || !*s.MPS.Running {
		t.Errorf("MPS %+v", s.MPS)
	}
	gpus, rdma, eth := s.Of(KindGPU), s.Of(KindRDMA), s.Of(KindEthernet)
	if len(gpus) != 2 || len(rdma) != 2 || len(eth) != 1 || eth[0].Name != "eth0" || eth[0].BusID != "0000:02:00.0" {
		t.Fatalf("GPUs %+v\nRDMA %+v\nEthernet %+v", gpus, rdma, eth)
	}
	near, far := gpus[1], gpus[0]
	if near.BusID != "0000:c2:00.0" || near.IOMMUGroup == nil || *near.IOMMUGroup != "DMA-FQ" || far.IOMMUGroup != nil {
		t.Errorf("IOMMU groups of %+v and %+v", near, far)
	}
	for _, c := range []struct {
		a, b PCIDevice
		want string
	}{{near, rdma[0], "PIX"}, {near, rdma[1], "PHB"}, {far, rdma[0], "SYS"}, {far, eth[0], "PHB"}, {near, eth[0], ""}} {
		if got := Near(c.a, c.b); got != c.want || Near(c.b, c.a) != got {
			t.Errorf("%s and %s: %q, want %q", c.a.Name, c.b.Name, got, c.want)
		}
	}
	var bridges []string
	for _, b := range s.Bridges {
		bridges = append(bridges, b.BusID)
		if b.ACSRedirect != nil {
			t.Errorf("ACS of %s is known from nothing", b.BusID)
		}
	}
	if want := []string{"0000:c0:01.0", "0000:c1:00.0", "0000:c2:01.0", "0000:c3:01.0"}; !slices.Equal(bridges, want) {
		t.Errorf("bridges %v", bridges)
	}
}

func TestNoSurroundings(t *testing.T) {
	s := ReadSurroundingsFrom(tree(nil), noEnv, func(string) *Space { return nil })
	if s.Memlock != nil || s.Shm != nil || s.PtraceScope != nil || s.Namespaces != nil || s.Container != nil || s.Modules != nil ||
		s.IOMMU != nil || s.PCI != nil || s.Bridges != nil || s.MPS != nil || s.NvidiaDevice || s.DevGDRDrv {
		t.Errorf("known from nothing: %+v", s)
	}
}

// What is of another form is not known.
func TestBrokenSurroundings(t *testing.T) {
	root := gpuNode()
	root["proc/self/limits"] = &fstest.MapFile{Data: []byte("Max locked memory\n")}
	link(root, "proc/self/ns/ipc", "ipc:?")
	link(root, "sys/bus/pci/devices/0000:c2:00.0", "nowhere")
	s := ReadSurroundingsFrom(root, noEnv, room)
	if s.Memlock != nil || len(s.Namespaces) != 1 || len(s.Of(KindGPU)) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestContainerSigns(t *testing.T) {
	for want, root := range map[string]fstest.MapFS{
		"APPTAINER_NAME=hpc.sif": tree(nil),
		"/.dockerenv":            tree(map[string]string{".dockerenv": ""}),
		"/run/.containerenv":     tree(map[string]string{"run/.containerenv": ""}),
		"control group docker":   tree(map[string]string{"proc/self/cgroup": "0::/docker/0123\n"}),
	} {
		env := noEnv
		if len(root) == 0 {
			env = func(name string) string { return map[string]string{"APPTAINER_NAME": "hpc.sif"}[name] }
		}
		if s := ReadSurroundingsFrom(root, env, room); s.Container == nil || *s.Container != want {
			t.Errorf("%v, want %s", s.Container, want)
		}
	}
}

// Configuration space of 4096 bytes: a list of capabilities, ACS the second of them.
func TestACS(t *testing.T) {
	config := func(control uint16) []byte {
		b := make([]byte, 4096)
		binary.LittleEndian.PutUint32(b[0x100:], 0x1|1<<16|0x140<<20) // error reporting, the next at 0x140
		binary.LittleEndian.PutUint32(b[0x140:], 0xd|1<<16)
		binary.LittleEndian.PutUint16(b[0x146:], control)
		return b
	}
	loop := config(0)
	binary.LittleEndian.PutUint32(loop[0x140:], 0x1|0x100<<20)
	yes, no := true, false
	for name, c := range map[string]struct {
		config []byte
		want   *bool
	}{
		"redirects requests":    {config(0b00101), &yes},
		"redirects completions": {config(0b01000), &yes},
		"only validates":        {config(0b10011), &no},
		"no list":               {make([]byte, 4096), &no},
		"a list in a ring":      {loop, &no},
		"cut short":             {config(0b100)[:0x142], &no},
		"without root":          {config(0b100)[:64], nil},
		"no file":               {nil, nil},
	} {
		root := tree(nil)
		if c.config != nil {
			root[slotDir("0000:00:01.0")+"/config"] = &fstest.MapFile{Data: c.config}
		}
		got := reader{root}.acsRedirect("0000:00:01.0")
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestStaleMPS(t *testing.T) {
	root := tree(map[string]string{"run/mps/control": "", "run/mps/nvidia-cuda-mps-control.pid": "78\n", "proc/78/comm": "bash\n"})
	env := func(name string) string { return map[string]string{"CUDA_MPS_PIPE_DIRECTORY": "/run/mps"}[name] }
	s := ReadSurroundingsFrom(root, env, room)
	if s.MPS == nil || s.MPS.Dir != "/run/mps" || s.MPS.Running == nil || *s.MPS.Running {
		t.Errorf("%+v", s.MPS)
	}
	delete(root, "proc/78/comm") // another PID namespace's, perhaps
	if s := ReadSurroundingsFrom(root, env, room); s.MPS == nil || s.MPS.Running != nil {
		t.Errorf("%+v", s.MPS)
	}
}
