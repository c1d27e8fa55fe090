//go:build cgo

// table.def and cuda_types.h, held against lists made from NVIDIA's headers, and against a header where there is one.

package cu_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/cu/internal/fake"
)

// readTSV returns the rows of a table that do not begin with #.
func readTSV(t *testing.T, name string) [][]string {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows [][]string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

var tableLine = regexp.MustCompile(`(?m)^CU_FN\((\w+), (\w+), CU_(REQUIRED|OPTIONAL), \((.*)\)\)`)

func TestTable(t *testing.T) {
	type row struct{ function, use, version, args string }
	rows := make(map[string]row) // by symbol
	for _, f := range readTSV(t, "cuda-driver-symbols.tsv") {
		rows[f[2]] = row{f[1], f[4], f[5], f[6]}
	}
	source, err := os.ReadFile("table.def")
	if err != nil {
		t.Fatal(err)
	}
	lines := tableLine.FindAllStringSubmatch(string(source), -1)
	if calls := strings.Count(string(source), "\nCU_FN("); calls != len(lines) {
		t.Errorf("read %d of %d lines of table.def", len(lines), calls)
	}
	entries := cu.Entries(nil)
	if len(entries) != len(lines) {
		t.Fatalf("table.def has %d lines, the compiled table %d", len(lines), len(entries))
	}
	seen := make(map[string]bool)
	for i, l := range lines {
		name, symbol, need, args := l[1], l[2], l[3], l[4]
		r, ok := rows[symbol]
		if !ok {
			t.Errorf("%s: the list has no symbol %s", name, symbol)
			continue
		}
		if name != r.function && name != symbol {
			t.Errorf("%s: is neither the function %s nor the symbol %s", name, r.function, symbol)
		}
		if want := map[string]string{"yes": "REQUIRED", "optional": "OPTIONAL"}[r.use]; need != want {
			t.Errorf("%s: %s, but the list says %s (%s)", name, need, r.use, want)
		}
		if plain := strings.ReplaceAll(r.args, "* ", " *"); args != plain {
			t.Errorf("%s: arguments %q, the list has %q", name, args, plain)
		}
		if seen[name] {
			t.Errorf("%s: twice", name)
		}
		seen[name] = true
		if e := entries[i]; e.Name != name || e.Symbol != symbol || e.Required != (need == "REQUIRED") {
			t.Errorf("compiled as %+v, written as %v", e, l[1:4])
		}
	}
}

func TestStructSizes(t *testing.T) {
	have := fake.Sizes()
	compared := 0
	for _, f := range readTSV(t, "cuda-struct-sizes.tsv") {
		size, ok := have[f[0]]
		if !ok {
			continue
		}
		compared++
		for i, want := range f[1:] {
			if want != "-" && want != strconv.Itoa(size) {
				t.Errorf("sizeof %s is %d here, %s in column %d of the list", f[0], size, want, i+1)
			}
		}
	}
	if compared != len(have) {
		t.Errorf("compared %d of %d sizes", compared, len(have))
	}
}

// enumerators reads the constants of cuda_types.h.
func enumerators(t *testing.T) map[string]int {
	t.Helper()
	source, err := os.ReadFile("cuda_types.h")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	for _, m := range regexp.MustCompile(`(?m)^\t(CU\w+) = (\w+)(?: << (\d+))?,?$`).FindAllStringSubmatch(string(source), -1) {
		v, err := strconv.ParseInt(m[2], 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		if m[3] != "" {
			shift, _ := strconv.Atoi(m[3])
			v <<= shift
		}
		found[m[1]] = int(v)
	}
	return found
}

func TestConstants(t *testing.T) {
	have := enumerators(t)
	for _, f := range readTSV(t, "cuda-constants.tsv") {
		if v, ok := have[f[0]]; ok && strconv.Itoa(v) != f[1] {
			t.Errorf("%s is %d in cuda_types.h, %s in the list", f[0], v, f[1])
		} else if !ok && !strings.HasPrefix(f[0], "cuda") { // the runtime API's are no business of the driver's types
			t.Errorf("cuda_types.h has no %s", f[0])
		}
	}
	// Go's names follow the header's with these prefixes.
	constants := readAPI(t)
	names := map[string]string{
		"CUDA_": "", "CU_DEVICE_ATTRIBUTE_": "", "CU_FUNC_ATTRIBUTE_": "FUNC_A_", "CU_DEVICE_P2P_ATTRIBUTE_": "P2P_",
		"CU_POINTER_ATTRIBUTE_": "POINTER_", "CU_MEMPOOL_ATTR_": "MEMPOOL_", "CU_MEM_RANGE_ATTRIBUTE_": "MEM_RANGE_",
		"CU_": "",
	}
	compared := 0
	for name, value := range have {
		prefix := ""
		for p := range names {
			if strings.HasPrefix(name, p) && len(p) > len(prefix) {
				prefix = p
			}
		}
		line, ok := constants[names[prefix]+strings.TrimPrefix(name, prefix)]
		if !ok {
			if prefix == "CUDA_" {
				t.Errorf("Go has no Result for %s", name)
			}
			continue
		}
		compared++
		if !strings.HasSuffix(line, fmt.Sprintf(" = %d", value)) {
			t.Errorf("%s is %d in C, in Go: %s", name, value, line)
		}
	}
	if compared < 250 {
		t.Errorf("compared %d constants only", compared)
	}
}

func TestResultStrings(t *testing.T) {
	n := 0
	for name, value := range enumerators(t) {
		if strings.HasPrefix(name, "CUDA_SUCCESS") || strings.HasPrefix(name, "CUDA_ERROR_") {
			n++
			if got := cu.Result(value).String(); got != name {
				t.Errorf("Result(%d).String() = %q, want %q", value, got, name)
			}
		}
	}
	if n < 105 {
		t.Errorf("saw %d results only", n)
	}
	if got := cu.Result(12345).String(); got != "CUDA_ERROR_12345" {
		t.Errorf("an unknown result is called %q", got)
	}
}

// TestRealHeader compiles table.def and the constants against NVIDIA's cuda.h, where the machine has one.
func TestRealHeader(t *testing.T) {
	include := ""
	for _, dir := range []string{os.Getenv("GPUBENCH_CUDA_INCLUDE"), os.Getenv("CUDA_HOME") + "/include", "/usr/local/cuda/include"} {
		if _, err := os.Stat(filepath.Join(dir, "cuda.h")); dir != "" && err == nil {
			include = dir
			break
		}
	}
	if include == "" {
		t.Skip("no cuda.h in GPUBENCH_CUDA_INCLUDE, CUDA_HOME or /usr/local/cuda")
	}
	header, err := os.ReadFile(filepath.Join(include, "cuda.h"))
	if err != nil {
		t.Fatal(err)
	}
	// The plain names mean the oldest signatures then, as the symbols do.
	program := "#define __CUDA_API_VERSION_INTERNAL\n#include <cuda.h>\n"
	for name, value := range enumerators(t) {
		if regexp.MustCompile(`\b` + name + `\b`).Match(header) { // older headers have fewer
			program += fmt.Sprintf("_Static_assert((int)%s == %d, %q);\n", name, value, name)
		}
	}
	for name, size := range fake.Sizes() {
		program += fmt.Sprintf("_Static_assert(sizeof(%s) == %d, %q);\n", name, size, name)
	}
	program += "#define CU_FN(name, symbol, need, args) CUresult CUDAAPI symbol args;\n#include \"table.def\"\n"
	cmd := exec.Command("cc", "-std=c11", "-fsyntax-only", "-I", include, "-I", ".", "-x", "c", "-")
	cmd.Stdin = strings.NewReader(program)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
