// What the library tells of CUDA. Given a device pointer, a library that is not CUDA-aware ends with a segmentation fault.
package libmpi

// #include "world.h"
import "C"

import (
	"bufio"
	"os"
	"strings"
)

// CUDA is what an opened library tells of CUDA. It proves that the library is not CUDA-aware, or nothing: Open MPI with a
// CUDA-aware UCX under it answers 0, and the answer is about how it was built, not about what it uses.
type CUDA struct {
	Text string // all of it, in a line
	None bool   // it says that it is not, and nothing it stands on could be
}

// CUDA asks the library.
func (d *Driver) CUDA() CUDA {
	var text [2048]C.char
	query := C.gb_w_cuda(&text[0], C.int(len(text))) // MPIX_Query_cuda_support, -1 where there is none
	var parts []string
	if s := C.GoString(&text[0]); s != "" {
		parts = append(parts, s)
	}
	ucx := mapped("libuct_cuda")
	if ucx {
		parts = append(parts, "UCX's libuct_cuda is loaded")
	} else {
		parts = append(parts, "UCX's libuct_cuda is not loaded")
	}
	return CUDA{Text: strings.Join(parts, ", "), None: query == 0 && !ucx}
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
