// Does this library take device pointers? Until a probe has shown that it does: no. Given one by mistake, a library
// that is not CUDA-aware ends with a segmentation fault.
package libmpi

// #include "world.h"
import "C"

import (
	"bufio"
	"os"
	"strings"
)

// CUDAReport is what the library tells of CUDA. It proves nothing either way: Open MPI with a CUDA-aware UCX under it
// answers 0, and the answer is about how it was built, not about what it uses.
func (d *Driver) CUDAReport() string {
	var text [2048]C.char
	C.gb_w_cuda(&text[0], C.int(len(text)))
	parts := []string{}
	if s := C.GoString(&text[0]); s != "" {
		parts = append(parts, s)
	}
	if mapped("libuct_cuda") {
		parts = append(parts, "UCX's libuct_cuda is loaded")
	} else {
		parts = append(parts, "UCX's libuct_cuda is not loaded")
	}
	return strings.Join(parts, ", ")
}

// mapped reports whether a library whose file name contains name is in this process.
func mapped(name string) bool {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return false
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if strings.Contains(sc.Text(), name) {
			return true
		}
	}
	return false
}
