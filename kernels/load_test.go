package kernels

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/library"
)

// Load gives a device one set, and after Unload another.
func TestLoadOnce(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		again, err := Load(e.dev)
		if err != nil || again != e.set {
			t.Fatalf("second Load: %p, %v; want %p", again, err, e.set)
		}
		if e.set.Device() != e.dev {
			t.Error("the set belongs to another device")
		}
		check(t, Unload(e.dev))
		check(t, Unload(e.dev)) // nothing to do
		if e.set, err = Load(e.dev); err != nil || e.set == again {
			t.Fatalf("Load after Unload: %p, %v", e.set, err)
		}
	})
}

// fatbin makes one with entries of (kind, architecture), as Architectures reads it.
func fatbin(entries ...[2]int) []byte {
	le := binary.LittleEndian
	var payload []byte
	for _, e := range entries {
		h := make([]byte, 64)
		le.PutUint16(h, uint16(e[0]))
		le.PutUint32(h[4:], 64)
		le.PutUint64(h[8:], 24)
		le.PutUint16(h[24:], 3) // version 8.3
		le.PutUint16(h[26:], 8)
		le.PutUint32(h[28:], uint32(e[1]))
		payload = append(append(payload, h...), make([]byte, 24)...)
	}
	head := make([]byte, 16)
	le.PutUint32(head, 0xba55ed50)
	le.PutUint16(head[4:], 1)
	le.PutUint16(head[6:], 16)
	le.PutUint64(head[8:], uint64(len(payload)))
	return append(head, payload...)
}

func TestArchitectures(t *testing.T) {
	image := fatbin([2]int{2, 80}, [2]int{2, 90}, [2]int{2, 90}, [2]int{1, 75})
	have, err := Architectures(image)
	if err != nil || !slices.Equal(have, []string{"sm_80", "sm_90", "compute_75"}) {
		t.Errorf("%v, %v", have, err)
	}
	code, err := Contents(image)
	if want := []Code{{Arch: 80}, {Arch: 90}, {Arch: 90}, {PTX: true, Arch: 75, ISA: [2]int{8, 3}}}; err != nil || !slices.Equal(code, want) {
		t.Errorf("contents %v, %v", code, err)
	}
	if _, err := Architectures([]byte("\x7fELF and more than sixteen bytes")); err == nil {
		t.Error("an ELF file was taken for a fatbin")
	}
	for n := range image { // cut short anywhere: an error or fewer entries, never a crash
		if h, err := Architectures(image[:n]); err == nil && len(h) > 3 {
			t.Errorf("%d bytes: %v", n, h)
		}
	}
	for i := 6; i < len(image); i++ { // damaged anywhere
		damaged := slices.Clone(image)
		damaged[i] = 0xff
		_, _ = Architectures(damaged)
	}
}

// What CMake built, where it has: every kernel of the table in a fatbin with every generation.
func TestBuiltFatbins(t *testing.T) {
	dir := os.Getenv(library.EnvDir)
	if dir == "" {
		dir = "../build/lib/gpubench"
	}
	for _, e := range table {
		image, err := os.ReadFile(filepath.Join(dir, e.file+".fatbin"))
		if errors.Is(err, os.ErrNotExist) {
			t.Skipf("no fatbins in %s: built where there is nvcc", dir)
		}
		check(t, err)
		have, err := Contents(image)
		if err != nil || len(have) == 0 {
			t.Errorf("%s: %v, %v", e.file, have, err)
		}
		for _, c := range have {
			if c.Arch < 50 || c.Arch > 200 || c.PTX && (c.ISA[0] < 6 || c.ISA[0] > 20 || c.ISA[1] > 20) {
				t.Errorf("%s: %v of PTX version %v makes no sense", e.file, c, c.ISA)
			}
		}
		if !strings.Contains(string(image), e.name) {
			t.Errorf("%s.fatbin has no kernel %s", e.file, e.name)
		}
	}
}

// The emulated driver takes the fatbins of a real GPU as images: the way of loading is the same.
func TestFatbinsOnEmulated(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		if e.dev.Driver() == gpu.CUDA {
			t.Skip("cuda loads them anyway")
		}
		if _, err := os.Stat("../build/lib/gpubench/jacobi3d.fatbin"); err != nil && os.Getenv(library.EnvDir) == "" {
			t.Skip("no fatbins: built where there is nvcc")
		}
		if os.Getenv(library.EnvDir) == "" {
			t.Setenv(library.EnvDir, "../build/lib/gpubench")
		}
		for _, k := range table {
			m, err := e.set.module(k.file, gpu.Info{})
			check(t, err)
			if _, err := m.Function(k.name); err != nil {
				t.Error(err)
			}
			if _, err := m.Function("nonesuch"); err == nil {
				t.Error("a kernel that is not there was found")
			}
			check(t, m.Close())
		}
	})
}

func TestErrorsSayWhatToDo(t *testing.T) {
	driver := &gpu.Error{Call: "cuModuleLoadData", Code: codeNoBinaryForGPU, Name: "CUDA_ERROR_NO_BINARY_FOR_GPU"}
	err := error(&ArchitectureError{File: "x.fatbin", GPU: "Tesla V100 (sm_70)", Have: []string{"sm_80", "compute_75"}, Err: driver})
	for _, w := range []string{"x.fatbin", "sm_70", "sm_80 compute_75", "scripts/build.sh", "NO_BINARY"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q lacks %q", err, w)
		}
	}
	if e := (*gpu.Error)(nil); !errors.As(err, &e) || e != driver {
		t.Error("the driver's error is not kept")
	}
	t.Setenv(library.EnvDir, t.TempDir())
	if _, err := (&Set{}).module("jacobi3d", gpu.Info{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "jacobi3d.fatbin") {
		t.Errorf("missing fatbin: %v", err)
	}
}

func TestLargestCache(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]string{"index0": "48K\n", "index3": "32768K\n", "index2": "2M\n", "index9": "odd"} {
		check(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name, "size"), []byte(size), 0o644))
	}
	if n := largestCache(dir); n != 32<<20 {
		t.Errorf("%d B", n)
	}
	if n := largestCache(filepath.Join(dir, "none")); n != 0 {
		t.Errorf("no folder: %d B", n)
	}
	if n := lastCache(); n < 1<<16 {
		t.Errorf("the last cache has %d B", n)
	}
}
