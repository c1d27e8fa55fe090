// Package cu binds the CUDA driver interface: one Go function for a driver function, under the driver's name.
//
// # Whose work this is
//
// The project was asked to stand on github.com/barnex/cuda5, which has no licence, no go.mod, and does not compile with
// the headers of CUDA 13. This package is our own implementation of the public interface of that module's package cu:
// the same names and signatures and the same habits, written from a list of names and signatures alone
// (testdata/api.txt; a test compares). It contains no upstream code. Of the names of package cu none is left out; of
// the module's other packages (cuda, cufft, curand, safe) there is none here.
//
// # Habits
//
// A call that fails panics with a Result; only what returns a Result does not. Result has String and no Error.
// CTX_BLOCKING_SYNC is 2 (see there), and LaunchKernel reads 8 bytes behind every parameter pointer. The extensions
// (events, graphs, IPC, primary contexts and so on) keep these habits: what destroys a thing takes its address and sets
// it to 0. Functions that begin with Try, and LaunchKernel64, are for measured loops: they return a Result instead of
// panicking, cost one crossing to C, and allocate nothing; nor do their panicking namesakes.
//
// # Drivers
//
// Calls go through a table of C function pointers (table.h, table.def) that is current on the calling thread, as
// CUDA's context is. LoadCUDA makes a Driver of the machine's libcuda.so.1, with dlopen and dlsym: no CUDA header or
// library is needed to build, and any driver from CUDA 11 on will do. NewDriver makes one of a table in C, such as an
// emulated driver's.
//
//	runtime.LockOSThread()
//	d, err := cu.LoadCUDA()
//	if err != nil {
//		return err // says what was looked for and what to do
//	}
//	d.MakeCurrent()
//	cu.Init(0)
//	ctx := cu.DevicePrimaryCtxRetain(cu.DeviceGet(0))
//	ctx.SetCurrent()
//
// A function that the driver lacks panics with ERROR_NOT_SUPPORTED (Driver.Has asks first); a call on a thread without
// a driver panics with a string, since that is our bug and not the machine's. Init is the exception: it loads the
// machine's driver where the thread has none, so that programs written for upstream run.
//
// # Runtime API
//
// Upstream's package has some functions of the runtime API beside the driver's: Malloc, MallocHost, FreeHost, MemCpy,
// SetDevice, SetDeviceFlags, DeviceReset. All are here, expressed by driver calls on primary contexts
// (runtimeapi.go); libcudart is never loaded. They fail with the driver's Result, not with a cudaError.
//
// Without cgo (CGO_ENABLED=0) the package compiles, LoadCUDA says why there is no driver, and the calls panic.
package cu
