package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Bad input gets one clear line that names the flag or variable and the mend,
// exit status 2, and leaves what was there alone.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no library\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := os.Mkdir(fifo, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(fifo, resultsFile), 0o644); err != nil {
		t.Fatal(err)
	}
	stranger := filepath.Join(dir, "stranger")
	if err := os.WriteFile(stranger, []byte("#!/bin/sh\necho hello\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		env  string
		want string // all words, separated by |, are in the line
	}{
		{args: "runn", want: `unknown command "runn"|did you mean run?`},
		{args: "bogus", want: `unknown command "bogus"|run, list, report, doctor, version`},
		{args: "run pingpnog", want: `unknown benchmark "pingpnog"|did you mean pingpong?`},
		{args: "run xyz", want: "unknown benchmark|give pingpong, bandwidth, "},
		{args: "run stencil2d --phases true,false", want: `unknown benchmark "true,false"|--phases=true,false`},
		{args: "run --modle mpi", want: "unknown flag: --modle|--help"},
		{args: "run --model mpy", want: `--model: "mpy" is not known|did you mean mpi?`},
		{args: "run --model mpi,,charm", want: `--model: "" is not known`},
		{args: "run --transport tcp", want: `--transport: "tcp" is not known|inproc, mpi or ucx`},
		{args: "run --path sideways", want: `--path: "sideways" is not known|host, staged or direct`},
		{args: "run --device gpu0", want: `--device: "gpu0" is not known|auto, cuda, emulated or cpu`},
		{args: "run --device cpu --path staged", want: "--path: staged needs a device with memory of its own|--device emulated"},
		{args: "run --space texture", want: `--space: "texture" is no memory space|pageable, pinned, device or managed`},
		{args: "run --space device:", want: `--space: "" is no memory space`},
		{args: "run --path host --space device", want: "--space: device lies in device memory"},
		{args: "run --path staged --space pinned", want: "--space: pinned lies in host memory"},
		{args: "run --staging fast", want: `--staging: "fast" is not known|pipelined or simple`},
		{args: "run --staging-space gpu", want: `--staging-space: "gpu" is not known`},
		{args: "run --chunk big", want: `--chunk: "big" is no size|auto`},
		{args: "run --chunk 100", want: "--chunk: 100 is out of range: give 4K to 1G, or auto"},
		{args: "run --chunk -1", want: "--chunk: -1 is negative"},
		{args: "run --chunk=", want: "--chunk: the value is empty"},
		{args: "run --pages large", want: `--pages: "large" is not known|default or huge`},
		{args: "run --buffers new", want: `--buffers: "new" is not known`},
		{args: "run --field sines", want: `--field: "sines" is not known|modes or charm`},
		{args: "run --loop rust", want: `--loop: "rust" is not known`},
		{args: "run -n 0", want: "-n: 0 is out of range: give 1 to"},
		{args: "run -n two", want: `-n: "two" is no whole number`},
		{args: "run -n -3", want: "-n: -3 is out of range"},
		{args: "run pingpong -n 1", want: "-n: pingpong needs at least 2 PEs, got 1"},
		{args: "run barrier bcast reduce allreduce allgather alltoall reduce_scatter -n 1",
			want: "-n: at least 2 PEs are needed, got 1|(barrier, bcast, reduce, allreduce, allgather, alltoall, reduce_scatter)"},
		{args: "run allreduce --path host -m 1:4", want: "-m: allreduce adds up float64s: give multiples of 8"},
		{args: "run pic --model mpi --balance greedy,rotate --odf 2,4 --path host", want: "--balance: none of pic's cases takes it"},
		{args: "run pic --path host --distribution uniform --rho 0.5", want: "--rho: none of pic's cases takes it"},
		{args: "run metg --path host -i 5", want: "-i: none of metg's cases takes it"},
		{args: "run taskbench --path host --task-kernel empty --task-size 7", want: "--task-size: none of taskbench's cases takes it"},
		{args: "run -m -8", want: "-m: -8 is negative"},
		{args: "run -m eight", want: `-m: "eight" is no size`},
		{args: "run -m 64:8", want: "-m: 64:8 is an empty range"},
		{args: "run -m 1:", want: `-m: "" is no size`},
		{args: "run -m 8G", want: "-m: 8G is too large for one message"},
		{args: "run -m 99999999999999999999", want: "-m: |is no size"},
		{args: "run -i 0", want: "-i: 0 is out of range"},
		{args: "run -i 1e6", want: `-i: "1e6" is no whole number`},
		{args: "run -x -1", want: "-x: -1 is out of range"},
		{args: "run -W 0", want: "-W: 0 is out of range"},
		{args: "run --time 5", want: `--time: "5" is no duration|0.5s`},
		{args: "run --time 1s -i 5", want: "--time: -i fixes the count already"},
		{args: "run --timeout -1s", want: "--timeout: -1s is out of range"},
		{args: "run --timeout soon", want: `--timeout: "soon" is no duration`},
		{args: "run --trials 0", want: "--trials: 0 is out of range"},
		{args: "run --trial -1", want: "--trial: -1 is out of range"},
		{args: "run --trial 1 --trials 3", want: "--trial: --trials says which there are"},
		{args: "run --order sorted", want: `--order: "sorted" is not known|random or listed`},
		{args: "run --seed -1", want: "--seed: |is no whole number"},
		{args: "run --format xml", want: `--format: "xml" is not known|text, jsonl, csv or osu`},
		{args: "run jacobi3d --grid 64,64", want: `--grid: jacobi3d: "64,64" has 2 numbers`},
		{args: "run --grid 0,1,1", want: "--grid: 0 is out of range"},
		{args: "run --grid a,b,c", want: `--grid: "a" is no whole number`},
		{args: "run jacobi3d --grid 1,1,1", want: "--grid: 2 blocks do not fit into 1 × 1 × 1 cells"},
		{args: "run jacobi3d --grid 4,4,4 --blocks 8,1,1", want: "--blocks: 8 blocks along X, but the grid has 4 cells"},
		{args: "run jacobi3d --grid 8,8,8 --blocks 3,1,1", want: "--blocks: |do not divide over 2 PEs"},
		{args: "run --blocks 1,1,2 --odf 2", want: "--odf: --blocks says how many blocks"},
		{args: "run --odf 0", want: "--odf: 0 is out of range"},
		{args: "run --odf 1,,2", want: `--odf: "1,,2" has an empty place`},
		{args: "run --quick=perhaps", want: `invalid argument "perhaps"|give true or false`},
		{args: "version --quiet", want: "unknown flag: --quiet|gpubench version --help"},
		{args: "run --model=", want: "--model: the value is empty"},
		{args: "run --pes=", want: "--pes: the value is empty"},
		{args: "run --grid=", want: "--grid: the value is empty"},
		{args: "run -o", want: "flag needs an argument"},
		{args: "run --output=", want: "--output: the value is empty"},
		{args: "run pingpong --quick -o " + text, want: "-o: |not a directory|give a folder that can be written"},
		{args: "run pingpong --quick -o /proc/nowhere", want: "-o: |/proc/nowhere"},
		{args: "run --resume " + empty, want: "--resume: |no such file|begun with -o"},
		{args: "run --resume " + empty + " -o elsewhere", want: "--resume: a run goes on in its own folder"},
		{args: "run --resume " + fifo, want: "--resume: |not a regular file"},
		{args: "run pingpong", env: "TMPDIR=" + filepath.Join(dir, "nowhere"), want: "TMPDIR: |nowhere|name a folder that can be written"},
		{args: "run --device cuda", env: "GPUBENCH_LIBCUDA=" + text, want: "--device: cuda cannot be used here|" + text},
		{args: "run --device cuda", env: "GPUBENCH_LIBCUDA=/nonexistent/libcuda.so.1", want: "--device: cuda cannot be used here|/nonexistent/libcuda.so.1"},
		{args: "run pingpong --transport mpi", env: "GPUBENCH_MPIRUN=/nonexistent/mpirun", want: "transport mpi: /nonexistent/mpirun|GPUBENCH_MPIRUN"},
		{args: "run pingpong --transport mpi", env: "GPUBENCH_MPIRUN=" + stranger, want: "transport mpi: |neither Open MPI's nor MPICH's"},
		{args: "run pingpong --transport mpi", env: "PATH= GPUBENCH_TOOLCHAIN=" + empty, want: "transport mpi: no mpirun found|scripts/setup.sh"},
		{args: "run pingpong --transport mpi", env: "GPUBENCH_LIB=" + empty, want: "transport mpi: |libgpubench_mpi|scripts/build.sh"},
		{args: "run pingpong --transport mpi", env: "GPUBENCH_MPI_SHIM=" + text, want: "transport mpi: |" + text},
		{args: "run", env: "GPUBENCH_FAULT=explode:1", want: "GPUBENCH_FAULT: |explode"},
		{args: "run", env: "GPUBENCH_FAULT=flip:none", want: "GPUBENCH_FAULT: |none"},
		{args: "run", env: "GPUBENCH_SHORT_CALLS=x", want: "GPUBENCH_SHORT_CALLS: |neither 0 nor 1"},
		{args: "run", env: "GPUBENCH_EMU_DEVICES=many", want: "GPUBENCH_EMU_DEVICES|many"},
		{args: "run --device emulated", env: "GPUBENCH_EMU_DEVICES=0", want: "--device: |GPUBENCH_EMU_DEVICES is 0: unset it"},
		{args: "run --device emulated", env: "CUDA_VISIBLE_DEVICES=7", want: "--device: |CUDA_VISIBLE_DEVICES=\"7\" leaves none: unset it"},
		{args: "run", env: "GPUBENCH_EMU_FAIL=alloc:x:2", want: "GPUBENCH_EMU_FAIL"},
		{args: "run pingpong --device emulated --path staged -m 1M", env: "GPUBENCH_EMU_MEM=65536", want: "device memory"},
		{args: "list --format xml", want: `--format: "xml" is not known`},
		{args: "list extra", want: "extra"},
		{args: "version extra", want: "extra"},
	} {
		name := c.args
		if c.env != "" {
			name = c.env + " " + name
		}
		t.Run(strings.ReplaceAll(name, dir, "DIR"), func(t *testing.T) {
			if strings.Contains(c.args, "--transport mpi") && !strings.Contains(c.env, "GPUBENCH_MPIRUN=") && !strings.Contains(c.env, "PATH=") {
				needMPI(t)
			}
			for _, pair := range strings.Fields(c.env) {
				k, v, _ := strings.Cut(pair, "=")
				t.Setenv(k, v)
			}
			got := call(t, strings.Fields(c.args)...)
			if got.code != exitUsage {
				t.Errorf("exit %d, want %d; stderr %s", got.code, exitUsage, got.stderr)
			}
			oneLine(t, got.stderr)
			if strings.Contains(got.stdout, "#") {
				t.Errorf("stdout got %.300q", got.stdout)
			}
			for _, w := range strings.Split(c.want, "|") {
				if !strings.Contains(got.stderr, w) {
					t.Errorf("the line lacks %q:\n%s", w, got.stderr)
				}
			}
		})
	}
	if b, err := os.ReadFile(text); err != nil || string(b) != "no library\n" {
		t.Errorf("the file in the way was changed: %q, %v", b, err)
	}
}

// needMPI skips where there is no MPI, unless it must be there.
func needMPI(t *testing.T) {
	t.Helper()
	if m := probeTransport(transportOf("mpi")); !m.OK {
		if os.Getenv("GPUBENCH_REQUIRE_MPI") != "" {
			t.Fatalf("MPI is required: %s", m.Reason)
		}
		t.Skip(m.Reason)
	}
}

// An output folder that may not be written to. Root may write anywhere, so a
// read-only file system stands in for it.
func TestUnwritableOutput(t *testing.T) {
	got := call(t, "run", "pingpong", "--quick", "--path", "host", "--model", "mpi", "-m", "8", "-o", "/sys/gpubench")
	if got.code != exitUsage || !strings.Contains(got.stderr, "give a folder that can be written") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	oneLine(t, got.stderr)
}

// A full disk ends the run with status 1 and keeps what was finished.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("needs a file system of its own (root): %s", out)
	}
	defer exec.Command("umount", dir).Run()
	if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, 12<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	got := call(t, "run", "pingpong", "--path", "host", "-m", "1:4K", "-i", "20000", "-o", dir) // 26 records of about 1 KiB
	if got.code != exitFailed || !strings.Contains(got.stderr, "no space left on device") || !strings.Contains(got.stderr, dir) {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(got.stderr, "\n"), "\n")
	oneLine(t, lines[len(lines)-1]+"\n") // behind what tells of progress
	c := readResults(t, dir)
	if len(c.Records) == 0 || len(c.Damaged) > 0 {
		t.Errorf("%d records, damaged %v: finished cases were lost", len(c.Records), c.Damaged)
	}
}
