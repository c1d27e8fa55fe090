// Package shims loads the C shims of MPI and UCX at run time.
package shims

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "shims.h"
*/
import "C"

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"gpubench/internal/signals"
)

// Load opens a shim and asks its entry for the table of that ABI and size, whose first two words say both. Nothing of
// the library behind it is started. reason is one line where it cannot be used, else empty. The library is never unloaded.
func Load(path, entry string, abi uint32, size uintptr) (table unsafe.Pointer, reason string) {
	if _, err := os.Stat(path); err != nil {
		return nil, "no such file: build it with scripts/build.sh"
	}
	cpath, centry := C.CString(path), C.CString(entry)
	defer C.free(unsafe.Pointer(cpath))
	defer C.free(unsafe.Pointer(centry))
	var text [4096]C.char
	var result C.int
	quiet()
	signals.Keep(func() { // UCX changes them as soon as it is loaded
		table = C.gb_shim_open(cpath, centry, C.uint32_t(abi), C.uint32_t(size), &result, &text[0], C.int(len(text)))
	})
	switch result {
	case 1:
		reason = strings.ReplaceAll(C.GoString(&text[0]), "\n", " ")
	case 2:
		reason = "it is no gpubench shim (it has no " + entry + ")"
	case 3:
		reason = fmt.Sprintf("it was built for another gpubench (not ABI %d): build it again with scripts/build.sh", abi)
	}
	return table, reason
}

// quiet tells Open MPI and UCX to leave signals alone; their handlers would turn a nil dereference in Go into the end of
// the process. UCX reads this when its library is loaded. What they install all the same package signals
// undoes. A user's own setting stays.
func quiet() {
	for _, kv := range [][2]string{{"UCX_HANDLE_ERRORS", "none"}, {"UCX_ERROR_SIGNALS", ""}, {"OMPI_MCA_opal_signal", ""}} {
		if _, set := os.LookupEnv(kv[0]); !set {
			os.Setenv(kv[0], kv[1]) // with cgo this sets C's environment too
		}
	}
}
