// Errors: typed, and made from the binding's panics in one place.
package gpu

import (
	"errors"
	"fmt"
)

// ErrOutOfMemory matches (errors.Is) an *Error for device or host memory that is used up.
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
		return e.Code == codeOutOfMemory
	case errors.ErrUnsupported:
		return e.Code == codeNotSupported
	}
	return false
}

// CUresult values that this package decides by (cuda.h).
const (
	codeOutOfMemory  = 2
	codeNotSupported = 801
)

// UnsupportedError says what cannot be done here and what is missing. errors.Is(err, errors.ErrUnsupported) holds.
type UnsupportedError struct {
	Feature string // "peer access 0→1"
	Reason  string // what is missing
}

func (e *UnsupportedError) Error() string { return e.Feature + " is not supported: " + e.Reason }

// Is makes errors.Is(err, errors.ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

var _, _ error = (*Error)(nil), (*UnsupportedError)(nil)
