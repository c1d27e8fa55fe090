//go:build cgo

// Start and version of the driver.

package cu

/*
#include "call.h"
static CUresult go_init(unsigned flags) { return CALL(cuInit, flags); }
static cu_out go_version(void) {
	int v = 0;
	CUresult r = CALL(cuDriverGetVersion, &v);
	return (cu_out){r, (uint64_t)v, 0};
}
static CUresult go_error_text(CUresult e, const char **s) { return CALL(cuGetErrorString, e, s); }
*/
import "C"

// Init initializes the driver; it must be the first call. On a thread where no driver is current it loads the
// machine's (LoadCUDA) and makes it current; if there is none it panics with the *LoadError. flags must be 0.
func Init(flags int) {
	if currentTable() == nil {
		d, err := LoadCUDA()
		if err != nil {
			panic(err)
		}
		d.MakeCurrent()
	}
	check(C.go_init(C.uint(flags)))
}

// Version returns the newest CUDA version that the driver supports, as 1000 × major + 10 × minor: 12040 is 12.4.
func Version() int {
	o := C.go_version()
	check(o.r)
	return int(o.a)
}

// ErrorString returns the driver's own description of err, "" where it has none.
func ErrorString(err Result) string {
	var s *C.char
	if r := result(C.go_error_text(C.CUresult(err), &s)); r != SUCCESS || s == nil {
		return ""
	}
	return C.GoString(s)
}
