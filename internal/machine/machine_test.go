package machine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"gpubench/internal/machine/nvml"
	"gpubench/internal/machine/nvml/nvmltest"
)

// tree makes a root of "path: content".
func tree(files map[string]string) fstest.MapFS {
	root := make(fstest.MapFS)
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return root
}

// A node with two sockets of two cores with two threads each, the way Linux publishes it.
func node() map[string]string {
	files := map[string]string{
		"proc/sys/kernel/hostname":                                 "node7\n",
		"proc/sys/kernel/osrelease":                                "6.1.0-18-amd64\n",
		"proc/sys/kernel/numa_balancing":                           "1\n",
		"etc/os-release":                                           "NAME=\"Rocky\"\nPRETTY_NAME=\"Rocky Linux 9.4\"\n",
		"proc/cpuinfo":                                             "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nflags\t\t: fpu avx512f\n\nprocessor\t: 1\nmodel name\t: other\nflags\t: hypervisor\n",
		"proc/meminfo":                                             "MemTotal:       1000 kB\nMemAvailable:    400 kB\nHugePages_Total:       5\nHugepagesize:       2048 kB\n",
		"proc/loadavg":                                             "1.25 0.50 0.10 1/123 4567\n",
		"proc/self/cgroup":                                         "0::/slurm/job1\n",
		"sys/fs/cgroup/slurm/job1/cpu.max":                         "max 100000\n",
		"sys/fs/cgroup/slurm/cpu.max":                              "350000 100000\n",
		"sys/devices/system/cpu/online":                            "0-7\n",
		"sys/devices/system/cpu/smt/active":                        "1\n",
		"sys/devices/system/cpu/intel_pstate/no_turbo":             "0\n",
		"sys/devices/system/node/online":                           "0-1\n",
		"sys/devices/system/node/node0/cpulist":                    "0-1,4-5\n",
		"sys/devices/system/node/node0/distance":                   "10 21\n",
		"sys/devices/system/node/has_memory":                       "0\n",
		"sys/devices/system/node/node1/cpulist":                    "2-3,6-7\n",
		"sys/devices/system/node/node1/distance":                   "21 10\n",
		"sys/kernel/mm/transparent_hugepage/enabled":               "always [madvise] never\n",
		"sys/kernel/mm/transparent_hugepage/defrag":                "always defer [defer+madvise] madvise never\n",
		"sys/devices/system/cpu/cpu2/cpufreq/cpuinfo_max_freq":     "3500000\n",
		"sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq":     "2100000\n",
		"sys/devices/system/cpu/cpu2/cpufreq/scaling_governor":     "powersave\n",
		"sys/devices/system/cpu/cpu3/cpufreq/scaling_governor":     "performance\n",
		"sys/devices/system/cpu/cpu6/cpufreq/scaling_governor":     "powersave\n",
		"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor":     "ondemand\n",
		"sys/devices/system/cpu/cpu2/cache/index0/level":           "1\n",
		"sys/devices/system/cpu/cpu2/cache/index0/type":            "Data\n",
		"sys/devices/system/cpu/cpu2/cache/index0/size":            "48K\n",
		"sys/devices/system/cpu/cpu2/cache/index0/shared_cpu_list": "2,6\n",
		"sys/devices/system/cpu/cpu2/cache/index1/level":           "3\n",
		"sys/devices/system/cpu/cpu2/cache/index1/type":            "Unified\n",
		"sys/devices/system/cpu/cpu2/cache/index1/size":            "32M\n",
		"sys/devices/system/cpu/cpu2/cache/index1/shared_cpu_list": "2-3,6-7\n",
	}
	for cpu := range 8 { // cores 0 and 1 of sockets 0 and 1; 4 to 7 are the second threads
		files[cpuDir(cpu)+"/topology/physical_package_id"] = []string{"0", "0", "1", "1"}[cpu%4]
		files[cpuDir(cpu)+"/topology/core_id"] = []string{"0", "1"}[cpu%2]
	}
	return files
}

func TestHost(t *testing.T) {
	h := ReadHostFrom(tree(node()), NewCPUSet(2, 3, 6))
	h.Architecture, h.PageBytes = "", 0 // of the machine that tests
	got, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"node7","system":"Rocky Linux 9.4","kernel":"6.1.0-18-amd64","architecture":"","virtual":false,` +
		`"cpu":"Some CPU @ 2.0GHz","sockets":2,"cores":4,"cpus_online":"0-7","cpus_allowed":"2-3,6","cpus_allowed_count":3,` +
		`"cpu_quota":3.5,"smt":true,"governors":["performance","powersave"],"max_clock_hz":3500000000,"boost":true,` +
		`"caches":[{"level":1,"type":"data","bytes":49152,"shared_cpus":"2,6"},` +
		`{"level":3,"type":"unified","bytes":33554432,"shared_cpus":"2-3,6-7"}],` +
		`"numa_nodes":[{"id":0,"cpus":"0-1,4-5","has_memory":true,"distances":[10,21]},` +
		`{"id":1,"cpus":"2-3,6-7","has_memory":false,"distances":[21,10]}],"numa_balancing":true,"memory_bytes":1024000,` +
		`"page_bytes":0,"transparent_huge_pages":"madvise","transparent_huge_pages_defrag":"defer+madvise","huge_pages":5,` +
		`"huge_page_bytes":2097152}`
	if string(got) != want {
		t.Errorf("host:\n have %s\n want %s", got, want)
	}
	var back Host
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, h) {
		t.Errorf("there and back: %+v, %v", back, err)
	}
	if h.UsableCPUs() != 3 {
		t.Errorf("usable CPUs: %d", h.UsableCPUs())
	}
	if nodes := h.NodesOf(NewCPUSet(1, 2)); !slices.Equal(nodes, []int{0, 1}) {
		t.Errorf("nodes of CPUs 1 and 2: %v", nodes)
	}
	l := ReadLoadFrom(tree(node()), NewCPUSet(2))
	if *l.MemoryAvailableBytes != 409600 || *l.LoadAverage1 != 1.25 || *l.ClockHz != 2100000000 {
		t.Errorf("load: %+v", l)
	}
}

// TestEmptyRoot: where nothing is published nothing is known, and nothing fails.
func TestEmptyRoot(t *testing.T) {
	h := ReadHostFrom(tree(nil), NewCPUSet(0, 1))
	v := reflect.ValueOf(h)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if v.Field(i).Kind() == reflect.Pointer && !v.Field(i).IsNil() {
			t.Errorf("%s is known from nothing", f.Name)
		}
	}
	if h.CPUsAllowedN != 2 || h.Nodes != nil || h.UsableCPUs() != 2 {
		t.Errorf("%+v", h)
	}
	if l := ReadLoadFrom(tree(nil), CPUSet{}); l != (Load{}) {
		t.Errorf("load: %+v", l)
	}
}

// TestBrokenFiles: content of another form is as good as none.
func TestBrokenFiles(t *testing.T) {
	files := node()
	for name := range files {
		files[name] = "?\n"
	}
	h := ReadHostFrom(tree(files), CPUSet{})
	if h.CPUQuota != nil || h.THP != nil || h.Caches != nil || h.MemoryBytes != nil || h.CPUsOnline.Count() != 0 || h.Cores != nil {
		t.Errorf("%+v", h)
	}
	ReadLoadFrom(tree(files), NewCPUSet(2))
}

func TestCPUQuota(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  float64 // 0: none
	}{
		"v2, own root":   {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000"}, 0.5},
		"v2, none":       {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000"}, 0},
		"v2, least wins": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "100000 100000", "sys/fs/cgroup/a/b/cpu.max": "400000 100000"}, 1},
		"v1": {map[string]string{"proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/x\n0::/\n",
			"sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "250000", "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000"}, 2.5},
		"path outside": {map[string]string{"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/cpu.max": "100000 100000"}, 1},
	} {
		got := reader{tree(c.files)}.cpuQuota()
		if (got == nil) != (c.want == 0) || got != nil && *got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestCPUSet(t *testing.T) {
	for list, want := range map[string][]int{"": {}, "0": {0}, "0-2,5": {0, 1, 2, 5}, "63-64,200": {63, 64, 200}, " 3\n": {3}} {
		s, err := ParseCPUSet(list)
		if err != nil || !slices.Equal(s.CPUs(), want) || s.Count() != len(want) || s.String() != strings.TrimSpace(list) {
			t.Errorf("%q: %v (%q), %v", list, s.CPUs(), s, err)
		}
	}
	for _, bad := range []string{"a", "3-1", "-1", "1,,2", "0-99999", "1-", "0x3"} {
		if s, err := ParseCPUSet(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, s)
		}
	}
	a, b := NewCPUSet(1, 70), NewCPUSet(1, 2)
	if got := a.Intersect(b); !got.Equal(NewCPUSet(1)) {
		t.Errorf("intersection: %v", got)
	}
	if got := b.Union(a); got.String() != "1-2,70" || !a.Has(70) || a.Has(2) || a.Has(-1) || a.Has(5000) {
		t.Errorf("union: %v", got)
	}
	if b.Count() != 2 {
		t.Error("a union changed its operand")
	}
}

func TestBudget(t *testing.T) {
	for _, c := range []struct {
		cpus, pes, threads, busy int
		want                     Budget
	}{
		{16, 2, 0, 0, Budget{8, 3, false}},
		{16, 3, 0, 0, Budget{5, 4, false}},
		{16, 3, 0, 2, Budget{4, 4, false}}, // teams have what busy threads leave
		{16, 3, 3, 2, Budget{3, 4, false}},
		{2, 1, 0, 1, Budget{1, 2, false}}, // an emulated device's
		{2, 2, 0, 2, Budget{1, 3, true}},
		{1, 1, 0, 1, Budget{1, 2, true}},
		{2, 2, 0, 0, Budget{1, 3, false}},
		{2, 3, 0, 0, Budget{1, 4, true}},
		{4, 2, 4, 0, Budget{2, 3, false}},
		{1, 1, 0, 0, Budget{1, 2, false}},
	} {
		if got := NewBudget(c.cpus, c.pes, c.threads, c.busy); got != c.want {
			t.Errorf("%d CPUs, %d PEs, %d threads, %d busy: %+v, want %+v", c.cpus, c.pes, c.threads, c.busy, got, c.want)
		}
	}
	half := 0.5
	if n := (Host{CPUsAllowedN: 8, CPUQuota: &half}).UsableCPUs(); n != 1 {
		t.Errorf("half a CPU: %d", n)
	}
}

func TestOversubscribed(t *testing.T) {
	set := func(lists ...string) []CPUSet {
		var sets []CPUSet
		for _, l := range lists {
			s, err := ParseCPUSet(l)
			if err != nil {
				t.Fatal(err)
			}
			sets = append(sets, s)
		}
		return sets
	}
	for _, c := range []struct {
		allowed []CPUSet
		threads int
		want    bool
		team0   int
	}{
		{set("0-1", "0-1"), 1, false, 1},
		{set("0", "1"), 1, false, 1},
		{set("0", "0"), 1, true, 1},
		{set("0", "0-1"), 1, false, 1},      // the second must make room
		{set("0-1", "0", "1"), 1, true, 1},  // three on two
		{set("0-2", "0", "1"), 1, false, 1}, // along a path of two
		{set("0-3", "0-3"), 2, false, 2},
		{set("0-3", "0-3"), 3, true, 2},
		{set("0-3", "4-7"), 4, false, 4},
		{set("0-7"), 0, false, 8},
	} {
		if got := Oversubscribed(c.allowed, c.threads); got != c.want {
			t.Errorf("%v with %d threads: oversubscribed %v", c.allowed, c.threads, got)
		}
		if got := TeamThreads(c.allowed, 0, 0); got != c.team0 {
			t.Errorf("%v: a team of %d, want %d", c.allowed, got, c.team0)
		}
		if got := TeamThreads(c.allowed, 0, 1); got != max(1, c.team0-1) {
			t.Errorf("%v beside a busy thread each: a team of %d of %d", c.allowed, got, c.team0)
		}
	}
}

func TestPinThread(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no pinning here")
	}
	before, err := AllowedCPUs()
	if err != nil || before.Count() == 0 {
		t.Fatalf("allowed: %v, %v", before, err)
	}
	done := make(chan struct{})
	go func() { // the thread ends with the goroutine
		defer close(done)
		runtime.LockOSThread()
		last := NewCPUSet(before.CPUs()[before.Count()-1])
		if err := PinThread(last); err != nil {
			t.Error(err)
			return
		}
		if got, err := ThreadCPUs(); err != nil || !got.Equal(last) {
			t.Errorf("pinned to %v: the kernel says %v, %v", last, got, err)
		}
		if b := (Site{}).Bind(3).Binding; !b.CPUs.Equal(last) || b.PE != 3 {
			t.Errorf("binding: %+v", b)
		}
		if err := PinThread(CPUSet{}); err == nil {
			t.Error("a thread was pinned to no CPU")
		}
	}()
	<-done
	if after, _ := AllowedCPUs(); !after.Equal(before) {
		t.Errorf("a pinned thread changed what the process was allowed: %v, %v", before, after)
	}
}

func TestPlaceGPUs(t *testing.T) {
	id, other := "0000:c1:00.0", "0000:01:00.0"
	root := tree(map[string]string{
		"sys/bus/pci/devices/0000:c1:00.0/numa_node":     "1\n",
		"sys/bus/pci/devices/0000:c1:00.0/local_cpulist": "2-3,6-7\n",
		"sys/bus/pci/devices/0000:01:00.0/numa_node":     "-1\n",
	})
	g := placeGPUs(root, []nvml.Device{{UUID: "GPU-a", PCIBusID: &id}, {UUID: "GPU-b", PCIBusID: &other}, {UUID: "GPU-c"}})
	if len(g) != 3 || *g[0].NUMANode != 1 || g[0].LocalCPUs.String() != "2-3,6-7" {
		t.Errorf("%+v", g)
	}
	for _, x := range g[1:] {
		if x.NUMANode != nil || x.LocalCPUs != nil {
			t.Errorf("%s: a place is known that the kernel does not tell", x.UUID)
		}
	}
}

// TestSiteWithGPU goes the whole way: a management library made by the C compiler, to JSON.
func TestSiteWithGPU(t *testing.T) {
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip(err)
	}
	t.Setenv(nvml.LibraryEnv, nvmltest.Library(t))
	s := ReadSite()
	if s.GPUsWhy != nil && strings.Contains(*s.GPUsWhy, "cgo") {
		t.Skip(*s.GPUsWhy)
	}
	if len(s.GPUs) != 2 || s.GPUs[0].UUID != "GPU-a" || s.GPUsWhy != nil {
		t.Errorf("GPUs %+v, %v", s.GPUs, s.GPUsWhy)
	}
	t.Setenv(nvml.LibraryEnv, "/nowhere")
	s = ReadSite()
	if s.GPUs != nil || s.GPUsWhy == nil || !strings.Contains(*s.GPUsWhy, "/nowhere") {
		t.Errorf("without a library: %+v, %v", s.GPUs, s.GPUsWhy)
	}
	if _, err := ReadGPUs(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a library: %v", err)
	}
}

func TestMerge(t *testing.T) {
	snapshot := func(pe int, host, cpus string) Snapshot {
		set, _ := ParseCPUSet(cpus)
		return Snapshot{
			Site:    Site{Host: Host{Name: &host, CPUsAllowed: set, CPUsAllowedN: set.Count()}},
			Binding: Binding{PE: pe, Host: host, CPUs: set},
		}
	}
	in := []Snapshot{snapshot(2, "b", "0"), snapshot(1, "a", "1"), snapshot(0, "a", "0")}
	e := Merge(in)
	if len(e.Hosts) != 2 || *e.Hosts[0].Name != "a" || e.Hosts[0].CPUsAllowed.String() != "0-1" || e.Hosts[0].CPUsAllowedN != 2 ||
		e.Hosts[1].CPUsAllowed.String() != "0" {
		t.Errorf("hosts: %+v", e.Hosts)
	}
	if len(e.PEs) != 3 || e.PEs[0].CPUs.String() != "0" || e.PEs[2].Host != "b" {
		t.Errorf("PEs: %+v", e.PEs)
	}
	if in[0].Binding.PE != 2 || in[2].CPUsAllowed.String() != "0" {
		t.Error("Merge changed what it was given")
	}
	// The same machine gives the same environment.
	a, _ := json.Marshal(Merge([]Snapshot{ReadSite().Bind(0)}))
	b, _ := json.Marshal(Merge([]Snapshot{ReadSite().Bind(0)}))
	if string(a) != string(b) {
		t.Errorf("two readings differ:\n%s\n%s", a, b)
	}
	var back Environment
	if err := json.Unmarshal(a, &back); err != nil {
		t.Fatal(err)
	}
	if c, _ := json.Marshal(back); string(c) != string(a) {
		t.Errorf("there and back:\n%s\n%s", a, c)
	}
}

// TestThisMachine: what every Linux publishes is known here.
func TestThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not Linux")
	}
	h := ReadHost()
	if h.Name == nil || h.Kernel == nil || h.MemoryBytes == nil || h.CPUsAllowedN < 1 || h.CPUsAllowedN != h.CPUsAllowed.Count() {
		t.Errorf("%+v", h)
	}
	if _, err := fs.Stat(os.DirFS("/"), "sys/devices/system/cpu/online"); err == nil && h.CPUsOnline.Count() < h.CPUsAllowedN {
		t.Errorf("allowed %v of %v", h.CPUsAllowed, h.CPUsOnline)
	}
	if l := ReadLoad(); l.MemoryAvailableBytes == nil || *l.MemoryAvailableBytes > *h.MemoryBytes {
		t.Errorf("load: %+v", l)
	}
}
