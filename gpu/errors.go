// Errors: typed, and made from the binding's results and panics in one place, `failed`.

package gpu

import (
	"errors"
	"fmt"

	"github.com/barnex/cuda5/cu"
)

// ErrOutOfMemory matches (errors.Is) every error that says that device or host memory is used up.
var ErrOutOfMemory = errors.New("out of memory")

// Error is a driver call that failed: `cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2)`.
type Error struct {
	Call string // the driver's function, as NVIDIA's reference names it, without version suffix
	Code int    // CUresult
	Name string // its name, CUDA_ERROR_…
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%d)", e.Call, e.Name, e.Code) }

// Is lets errors.Is match ErrOutOfMemory and errors.ErrUnsupported.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrOutOfMemory:
		return e.Code == int(cu.ERROR_OUT_OF_MEMORY)
	case errors.ErrUnsupported:
		return e.Code == int(cu.ERROR_NOT_SUPPORTED)
	}
	return false
}

// UnsupportedError says what cannot be done here and what is missing. errors.Is(err, errors.ErrUnsupported) holds.
type UnsupportedError struct {
	Feature string // "peer access 0→1"
	Reason  string // what is missing
}

func (e *UnsupportedError) Error() string { return e.Feature + " is not supported: " + e.Reason }

// Is makes errors.Is(err, errors.ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// PinError is host memory that the driver would not pin. It says what the limit on locked memory is.
type PinError struct {
	Size  int    // bytes asked for
	Limit uint64 // RLIMIT_MEMLOCK in bytes, ^uint64(0) where there is none
	Err   error  // the driver's own words, an *Error
}

func (e *PinError) Error() string {
	limit := "unlimited"
	if e.Limit != ^uint64(0) {
		limit = fmt.Sprintf("%d KiB", e.Limit>>10)
	}
	return fmt.Sprintf("pin %d B: %v (the limit on locked memory is %s: `ulimit -l` shows it, `ulimit -l unlimited` or "+
		"the container's memlock setting raises it)", e.Size, e.Err, limit)
}

// Unwrap is the driver's error.
func (e *PinError) Unwrap() error { return e.Err }

var _, _, _ error = (*Error)(nil), (*UnsupportedError)(nil), (*PinError)(nil)

// failed makes the typed error for a result that is not SUCCESS.
func failed(call string, r cu.Result) error {
	return &Error{Call: call, Code: int(r), Name: r.String()}
}

// done is the error of a call of the binding that answers with a result: what the hot path calls.
func done(call string, r cu.Result) error {
	if r == cu.SUCCESS {
		return nil
	}
	return failed(call, r)
}

// catch is deferred around the other calls of the binding, which panics with a cu.Result where a call fails: it makes *err of
// that. Other panics go on. It costs about 4 ns where nothing failed. call is a pointer, so that a function with several
// calls can say which one it is at.
func catch(call *string, err *error) {
	switch r := recover().(type) {
	case nil:
	case cu.Result:
		*err = failed(*call, r)
	default:
		panic(r)
	}
}
