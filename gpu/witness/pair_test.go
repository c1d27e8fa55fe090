// Real UCX on the emulated driver: two processes send each other device memory, and what carried it is learnt from UCX's
// own report, from the driver's count of calls, and from the witness, which must agree.

package witness_test

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpubench/gpu/witness"
	"gpubench/internal/library/librarytest"
)

// ucx is the folder of a UCX with CUDA: GPUBENCH_UCX (scripts/setup.sh gets one). With GPUBENCH_REQUIRE_UCX=1 it must be
// there.
func ucx(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("GPUBENCH_UCX")
	reason := "GPUBENCH_UCX names no UCX (scripts/setup.sh gets one)"
	if dir != "" {
		_, err := os.Stat(filepath.Join(dir, "lib", "ucx", "libuct_cuda.so.0"))
		if err == nil {
			return dir
		}
		reason = fmt.Sprintf("the UCX of GPUBENCH_UCX was built without CUDA: %v", err)
	}
	if os.Getenv("GPUBENCH_REQUIRE_UCX") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// pair is the program of testdata/pair.c and the libraries that it is given.
type pair struct{ program, body, libcuda, nvml, witness string }

func newPair(t *testing.T) pair {
	ucx := ucx(t)
	dir := t.TempDir()
	source := filepath.Join("testdata", "pair.c")
	p := pair{program: filepath.Join(dir, "pair"), body: filepath.Join(dir, "body.so"), libcuda: librarytest.Emulated(t), witness: librarytest.Witness(t)}
	p.nvml = filepath.Join(filepath.Dir(p.libcuda), "libnvidia-ml.so.1")
	librarytest.CC(t, "-std=c11", "-O1", source, "-o", p.program, "-ldl")
	lib := filepath.Join(ucx, "lib")
	librarytest.Compile(t, p.body, "-std=c11", "-O1", "-DBODY", "-fvisibility=hidden", "-isystem", filepath.Join(ucx, "include"),
		source, "-L"+lib, "-lucp", "-lucs", "-Wl,-rpath,"+lib)
	return p
}

// rank is what one process of a pair did.
type rank struct {
	messages, bytes uint64
	report          string            // UCX's, of the protocols used
	witness         witness.Counts    // while armed
	calls           map[string]uint64 // of the driver, by whom ever
}

// run runs the pair with more environment and options.
func (p pair) run(t *testing.T, env, options []string) [2]rank {
	t.Helper()
	calls := filepath.Join(t.TempDir(), "calls")
	argv := append([]string{p.body, "libcuda=" + p.libcuda, "nvml=" + p.nvml, "witness=" + p.witness}, options...)
	c := exec.CommandContext(t.Context(), p.program, argv...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GPUBENCH_EMU_") && !strings.HasPrefix(e, "CUDA_VISIBLE_DEVICES=") && !strings.HasPrefix(e, "UCX_") &&
			!strings.HasPrefix(e, "LD_LIBRARY_PATH=") { // the libraries were opened by path: that must do
			c.Env = append(c.Env, e)
		}
	}
	c.Env = append(append(c.Env, "UCX_PROTO_INFO=used", "UCX_LOG_LEVEL=diag", "UCX_MEM_LOG_LEVEL=info", "GPUBENCH_EMU_CALLS="+calls), env...)
	before := shared(t)
	text, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	left(t, before)
	var ranks [2]rank
	for i := range ranks {
		ranks[i] = parse(t, string(text), i, calls)
	}
	if complaint := complaints.FindString(string(text)); complaint != "" {
		t.Errorf("UCX is not content: %s", complaint)
	}
	if !hooked.Match(text) {
		t.Errorf("UCX did not install its hooks of allocations:\n%s", text)
	}
	return ranks
}

// What UCX says about the driver where something is missing: it goes on without, in silence but for these levels.
var (
	complaints = regexp.MustCompile(`(?i).*UCX  (DIAG|WARN|ERROR) .*(cuda|nvml|memtype|rcache|ucm).*`)
	hooked     = regexp.MustCompile(`bistro: installed [1-9]\d* on driver API`)
)

func parse(t *testing.T, text string, number int, calls string) rank {
	t.Helper()
	r := rank{calls: map[string]uint64{}}
	var pid int
	var w [10]uint64
	for line := range strings.Lines(text) {
		_, _ = fmt.Sscanf(line, fmt.Sprintf("rank %d pid %%d messages %%d bytes %%d", number), &pid, &r.messages, &r.bytes)
		_, _ = fmt.Sscanf(line, fmt.Sprintf("rank %d witness %%d %%d %%d %%d %%d %%d %%d %%d %%d %%d", number),
			&w[0], &w[1], &w[2], &w[3], &w[4], &w[5], &w[6], &w[7], &w[8], &w[9])
	}
	at := func(i int) witness.Count { return witness.Count{Copies: w[i], Bytes: w[i+1]} }
	r.witness = witness.Counts{DeviceToDevice: at(0), ToHost: at(2), ToDevice: at(4), HostToHost: at(6), Undecided: at(8)}
	for line := range strings.Lines(text) {
		if strings.Contains(line, fmt.Sprintf(":%d:", pid)) {
			r.report += line
		}
	}
	counts, err := os.ReadFile(fmt.Sprintf("%s.%d", calls, pid))
	if err != nil || r.messages == 0 || r.bytes == 0 {
		t.Fatalf("rank %d, process %d: %v\n%s", number, pid, err, text)
	}
	for line := range strings.Lines(string(counts)) {
		name, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		r.calls[name], err = strconv.ParseUint(n, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// reported is a table of UCX's report. Now and then a process of tests gets none from any of its pairs.
var reported = regexp.MustCompile(`\| Count \|`)

// used is how often UCX's report says that a way was taken, after it was decided (no "(?)").
func (r rank) used(way, lane string) (n uint64) {
	row := regexp.MustCompile(`\| +(\d+) \|[^|]*\| ` + way + ` +\| ` + lane + ` +\|`)
	for _, m := range row.FindAllStringSubmatch(r.report, -1) {
		k, _ := strconv.ParseUint(m[1], 10, 64)
		n += k
	}
	return n
}

const (
	get = "zero-copy read from remote"
	put = "zero-copy flushed write to remote"
)

// direct: the rank `by` copied every message from device to device, and nothing went through a host.
func direct(by int, way string) func(*testing.T, [2]rank) {
	return func(t *testing.T, ranks [2]rank) {
		for i, r := range ranks {
			var want witness.Counts
			if i == by {
				want.DeviceToDevice = witness.Count{Copies: r.messages, Bytes: r.bytes}
			}
			if r.witness != want {
				t.Errorf("rank %d: the witness counted %+v, not %+v", i, r.witness, want)
			}
			if got := r.calls["cuMemcpyDtoDAsync_v2"]; got != want.DeviceToDevice.Copies || r.calls["cuMemcpyAsync"] != 0 {
				t.Errorf("rank %d: the driver was called %v", i, r.calls)
			}
			if !reported.MatchString(ranks[0].report + ranks[1].report) {
				t.Logf("rank %d: UCX printed no report of what it used; the driver's count and the witness's agree", i)
				continue
			}
			if got := r.used(way, "cuda_ipc/cuda"); got != want.DeviceToDevice.Copies {
				t.Errorf("rank %d: UCX says that it took cuda_ipc %d times, want %d:\n%s", i, got, want.DeviceToDevice.Copies, r.report)
			}
		}
	}
}

// staged: the sender copied every byte to its host, the receiver from its host, and cuda_ipc carried nothing.
func staged(t *testing.T, ranks [2]rank) {
	want := [2]witness.Counts{}
	want[0].ToHost = witness.Count{Copies: ranks[0].witness.ToHost.Copies, Bytes: ranks[0].bytes}
	want[1].ToDevice = witness.Count{Copies: ranks[1].witness.ToDevice.Copies, Bytes: ranks[1].bytes}
	for i, r := range ranks {
		if r.witness != want[i] || r.witness.ToHost.Copies+r.witness.ToDevice.Copies < r.messages {
			t.Errorf("rank %d: the witness counted %+v, want %+v, with no fewer copies than messages", i, r.witness, want[i])
		}
		if n := r.used(get, "cuda_ipc/cuda") + r.used(put, "cuda_ipc/cuda"); n != 0 || r.calls["cuMemcpyDtoDAsync_v2"] != 0 {
			t.Errorf("rank %d: cuda_ipc %d times, calls %v", i, n, r.calls)
		}
	}
}

func TestUCXOnTheEmulatedDriver(t *testing.T) {
	p := newPair(t)
	for _, c := range []struct {
		name, env, options string
		want               func(*testing.T, [2]rank)
	}{
		{"get", "", "", direct(1, get)},
		{"put", "GPUBENCH_EMU_NVLINKS=0", "", direct(0, put)},
		{"two devices", "", "devices=0,1", direct(1, get)},
		{"all visible, swapped", "", "visible=0,1:1,0", direct(1, get)},
		{"one visible each", "", "visible=0:1", direct(1, get)},
		{"type detected", "", "type=detected", direct(1, get)},
		{"memory before ucp_init", "", "early=1 type=detected", direct(1, get)},
		{"slow streams", "GPUBENCH_EMU_DELAY_US=2000", "", direct(1, get)},
		{"without cuda_ipc", "UCX_TLS=^cuda_ipc", "", staged},
		{"managed", "", "memory=managed", staged},
		{"managed, type detected", "", "memory=managed type=detected", staged},
	} {
		t.Run(c.name, func(t *testing.T) { c.want(t, p.run(t, strings.Fields(c.env), strings.Fields(c.options))) })
	}
}

// shared lists the files of shared memory.
func shared(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("/dev/shm/*")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// left fails where there are files of shared memory that were not there before and that no process has mapped; other
// programs come and go, so it looks for a while.
func left(t *testing.T, before []string) {
	t.Helper()
	var more []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		more = slices.DeleteFunc(shared(t), func(name string) bool { return slices.Contains(before, name) || mapped(name) })
		if len(more) == 0 {
			return
		}
	}
	t.Errorf("left in shared memory: %v", more)
}

func mapped(name string) bool {
	maps, _ := filepath.Glob("/proc/[0-9]*/maps")
	for _, m := range maps {
		if text, err := os.ReadFile(m); err == nil && strings.Contains(string(text), name) {
			return true
		}
	}
	return false
}

// TestUCXFindsEveryName: what UCX's CUDA libraries are linked against is in our libraries.
func TestUCXFindsEveryName(t *testing.T) {
	dir := filepath.Join(ucx(t), "lib", "ucx")
	libcuda := librarytest.Emulated(t)
	have := map[string]bool{}
	for _, file := range []string{libcuda, filepath.Join(filepath.Dir(libcuda), "libnvidia-ml.so.1")} {
		for _, s := range dynamic(t, file) {
			have[s.Name] = s.Section != elf.SHN_UNDEF
		}
	}
	n := 0
	for _, file := range []string{"libuct_cuda.so.0", "libucm_cuda.so.0"} {
		for _, s := range dynamic(t, filepath.Join(dir, file)) {
			if s.Section != elf.SHN_UNDEF || !regexp.MustCompile(`^(cu|nvml)[A-Z]`).MatchString(s.Name) {
				continue
			}
			n++
			if !have[s.Name] {
				t.Errorf("%s needs %s", file, s.Name)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d names: the test sees too little", n)
	}
}

func dynamic(t *testing.T, file string) []elf.Symbol {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	return symbols
}
