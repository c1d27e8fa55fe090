//go:build cgo

// Every call goes to the function that it says, through the thread's driver, and fails the way it should.

package cu_test

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/cu/internal/fake"
)

var (
	ctx    = cu.Context(1)
	stream = cu.Stream(1)
	event  = cu.Event(1)
	module = cu.Module(1)
	graph  = cu.Graph(1)
	ready  = cu.GraphExec(1)
	word   uint64
	host   = unsafe.Pointer(&word)
	box    = &cu.CopyBox{Width: 8, Height: 1, Depth: 1}
)

// calls names for each function of table.def a call that ends there. Those that return a Result are wrapped by must.
var calls = map[string]func(){
	"cuInit":             func() { cu.Init(0) },
	"cuDriverGetVersion": func() { cu.Version() },

	"cuDeviceGet":               func() { cu.DeviceGet(0) },
	"cuDeviceGetCount":          func() { cu.DeviceGetCount() },
	"cuDeviceGetName":           func() { cu.Device(0).Name() },
	"cuDeviceGetUuid_v2":        func() { cu.DeviceGetUuid(0) },
	"cuDeviceTotalMem":          func() { cu.Device(0).TotalMem() },
	"cuDeviceGetAttribute":      func() { cu.Device(0).Attribute(cu.WARP_SIZE) },
	"cuDeviceGetPCIBusId":       func() { cu.DeviceGetPCIBusId(0) },
	"cuDeviceGetByPCIBusId":     func() { cu.DeviceGetByPCIBusId("0000:01:00.0") },
	"cuDeviceComputeCapability": func() { cu.Device(0).ComputeCapability() },
	"cuDeviceGetProperties":     func() { cu.Device(0).Properties() },

	"cuDevicePrimaryCtxRetain":   func() { cu.DevicePrimaryCtxRetain(0) },
	"cuDevicePrimaryCtxRelease":  func() { cu.DevicePrimaryCtxRelease(0) },
	"cuDevicePrimaryCtxReset":    func() { cu.DevicePrimaryCtxReset(0) },
	"cuDevicePrimaryCtxSetFlags": func() { cu.DevicePrimaryCtxSetFlags(0, 0) },
	"cuDevicePrimaryCtxGetState": func() { cu.DevicePrimaryCtxGetState(0) },

	"cuCtxCreate":                 func() { cu.CtxCreate(0, 0) },
	"cuCtxDestroy":                func() { c := ctx; c.Destroy() },
	"cuCtxGetCurrent":             func() { cu.CtxGetCurrent() },
	"cuCtxSetCurrent":             func() { ctx.SetCurrent() },
	"cuCtxPushCurrent":            func() { cu.CtxPushCurrent(ctx) },
	"cuCtxPopCurrent":             func() { cu.CtxPopCurrent() },
	"cuCtxGetDevice":              func() { cu.CtxGetDevice() },
	"cuCtxSynchronize":            func() { cu.CtxSynchronize() },
	"cuCtxGetApiVersion":          func() { ctx.ApiVersion() },
	"cuCtxGetFlags":               func() { cu.CtxGetFlags() },
	"cuCtxSetFlags":               func() { cu.CtxSetFlags(0) },
	"cuCtxGetId":                  func() { cu.CtxGetId(ctx) },
	"cuCtxGetLimit":               func() { cu.CtxGetLimit(cu.LIMIT_STACK_SIZE) },
	"cuCtxSetLimit":               func() { cu.CtxSetLimit(cu.LIMIT_STACK_SIZE, 1) },
	"cuCtxGetCacheConfig":         func() { cu.CtxGetCacheConfig() },
	"cuCtxSetCacheConfig":         func() { cu.CtxSetCacheConfig(cu.FUNC_CACHE_PREFER_L1) },
	"cuCtxGetStreamPriorityRange": func() { cu.CtxGetStreamPriorityRange() },

	"cuStreamCreate":             func() { cu.StreamCreate() },
	"cuStreamCreateWithPriority": func() { cu.StreamCreateWithPriority(0, 0) },
	"cuStreamDestroy":            func() { s := stream; s.Destroy() },
	"cuStreamSynchronize":        func() { stream.Synchronize(); must(cu.TryStreamSynchronize(stream)) },
	"cuStreamQuery":              func() { must(stream.Query()) },
	"cuStreamWaitEvent":          func() { cu.StreamWaitEvent(stream, event); must(cu.TryStreamWaitEvent(stream, event)) },
	"cuLaunchHostFunc":           func() { cu.LaunchHostFunc(stream, func() {}) },
	"cuStreamGetCtx":             func() { cu.StreamGetCtx(stream) },
	"cuStreamGetFlags":           func() { cu.StreamGetFlags(stream) },
	"cuStreamGetPriority":        func() { cu.StreamGetPriority(stream) },
	"cuStreamGetId":              func() { cu.StreamGetId(stream) },
	"cuStreamWaitValue32_v2":     func() { cu.StreamWaitValue32(stream, 8, 0, 0) },
	"cuStreamWriteValue32_v2":    func() { cu.StreamWriteValue32(stream, 8, 0, 0) },
	"cuStreamWaitValue64_v2":     func() { cu.StreamWaitValue64(stream, 8, 0, 0) },
	"cuStreamWriteValue64_v2":    func() { cu.StreamWriteValue64(stream, 8, 0, 0) },
	"cuStreamAttachMemAsync":     func() { cu.StreamAttachMemAsync(stream, 8, 8, cu.MEM_ATTACH_SINGLE) },

	"cuEventCreate":          func() { cu.EventCreate(0) },
	"cuEventRecord":          func() { cu.EventRecord(event, stream); must(cu.TryEventRecord(event, stream)) },
	"cuEventRecordWithFlags": func() { cu.EventRecordWithFlags(event, stream, 0) },
	"cuEventQuery":           func() { must(event.Query()) },
	"cuEventSynchronize":     func() { event.Synchronize(); must(cu.TryEventSynchronize(event)) },
	"cuEventDestroy":         func() { e := event; e.Destroy() },
	"cuEventElapsedTime":     func() { cu.EventElapsedTime(event, event) },

	"cuMemAlloc":                func() { cu.MemAlloc(8) },
	"cuMemAllocPitch":           func() { cu.MemAllocPitch(8, 8, 4) },
	"cuMemFree":                 func() { cu.DevicePtr(8).Free() },
	"cuMemGetInfo":              func() { cu.MemGetInfo() },
	"cuMemGetAddressRange":      func() { cu.DevicePtr(8).GetAddressRange() },
	"cuMemAllocAsync":           func() { cu.MemAllocAsync(8, stream) },
	"cuMemFreeAsync":            func() { cu.MemFreeAsync(8, stream) },
	"cuDeviceGetDefaultMemPool": func() { cu.DeviceGetDefaultMemPool(0) },
	"cuMemPoolTrimTo":           func() { cu.MemPoolTrimTo(1, 0) },
	"cuMemPoolSetAttribute":     func() { cu.MemPoolSetAttribute(1, cu.MEMPOOL_RELEASE_THRESHOLD, 1) },
	"cuMemPoolGetAttribute":     func() { cu.MemPoolGetAttribute(1, cu.MEMPOOL_RELEASE_THRESHOLD) },

	"cuMemAllocHost":            func() { cu.MemAllocHost(8) },
	"cuMemFreeHost":             func() { cu.MemFreeHost(host) },
	"cuMemHostAlloc":            func() { cu.MemHostAlloc(8, 0) },
	"cuMemHostGetDevicePointer": func() { cu.MemHostGetDevicePointer(host) },
	"cuMemHostGetFlags":         func() { cu.MemHostGetFlags(host) },
	"cuMemHostRegister":         func() { cu.MemHostRegister(host, 8, cu.MEMHOSTREGISTER_PORTABLE) },
	"cuMemHostUnregister":       func() { cu.MemHostUnregister(host) },

	"cuMemcpy":          func() { cu.Memcpy(8, 8, 8); must(cu.TryMemcpy(8, 8, 8)) },
	"cuMemcpyAsync":     func() { cu.MemcpyAsync(8, 8, 8, stream); must(cu.TryMemcpyAsync(8, 8, 8, stream)) },
	"cuMemcpyHtoD":      func() { cu.MemcpyHtoD(8, host, 8) },
	"cuMemcpyHtoDAsync": func() { cu.MemcpyHtoDAsync(8, host, 8, stream); must(cu.TryMemcpyHtoDAsync(8, 8, 8, stream)) },
	"cuMemcpyDtoH":      func() { cu.MemcpyDtoH(host, 8, 8) },
	"cuMemcpyDtoHAsync": func() { cu.MemcpyDtoHAsync(host, 8, 8, stream); must(cu.TryMemcpyDtoHAsync(8, 8, 8, stream)) },
	"cuMemcpyDtoD":      func() { cu.MemcpyDtoD(8, 8, 8) },
	"cuMemcpyDtoDAsync": func() { cu.MemcpyDtoDAsync(8, 8, 8, stream); must(cu.TryMemcpyDtoDAsync(8, 8, 8, stream)) },
	"cuMemcpyPeer":      func() { cu.MemcpyPeer(8, ctx, 8, ctx, 8) },
	"cuMemcpyPeerAsync": func() {
		cu.MemcpyPeerAsync(8, ctx, 8, ctx, 8, stream)
		must(cu.TryMemcpyPeerAsync(8, ctx, 8, ctx, 8, stream))
	},
	"cuMemcpy2D":          func() { cu.Memcpy2D(box) },
	"cuMemcpy2DAsync":     func() { cu.Memcpy2DAsync(box, stream); must(cu.TryMemcpy2DAsync(box, stream)) },
	"cuMemcpy3D":          func() { cu.Memcpy3D(box) },
	"cuMemcpy3DAsync":     func() { cu.Memcpy3DAsync(box, stream); must(cu.TryMemcpy3DAsync(box, stream)) },
	"cuMemcpy3DPeer":      func() { cu.Memcpy3DPeer(box) },
	"cuMemcpy3DPeerAsync": func() { cu.Memcpy3DPeerAsync(box, stream); must(cu.TryMemcpy3DPeerAsync(box, stream)) },

	"cuMemsetD8":         func() { cu.MemsetD8(8, 1, 1) },
	"cuMemsetD16":        func() { cu.MemsetD16(8, 1, 1) },
	"cuMemsetD32":        func() { cu.MemsetD32(8, 1, 1) },
	"cuMemsetD2D8":       func() { cu.MemsetD2D8(8, 8, 1, 1, 1) },
	"cuMemsetD2D16":      func() { cu.MemsetD2D16(8, 8, 1, 1, 1) },
	"cuMemsetD2D32":      func() { cu.MemsetD2D32(8, 8, 1, 1, 1) },
	"cuMemsetD8Async":    func() { cu.MemsetD8Async(8, 1, 1, stream); must(cu.TryMemsetD8Async(8, 1, 1, stream)) },
	"cuMemsetD16Async":   func() { cu.MemsetD16Async(8, 1, 1, stream) },
	"cuMemsetD32Async":   func() { cu.MemsetD32Async(8, 1, 1, stream); must(cu.TryMemsetD32Async(8, 1, 1, stream)) },
	"cuMemsetD2D8Async":  func() { cu.MemsetD2D8Async(8, 8, 1, 1, 1, stream) },
	"cuMemsetD2D16Async": func() { cu.MemsetD2D16Async(8, 8, 1, 1, 1, stream) },
	"cuMemsetD2D32Async": func() { cu.MemsetD2D32Async(8, 8, 1, 1, 1, stream) },

	"cuMemAllocManaged":      func() { cu.MemAllocManaged(8, cu.MEM_ATTACH_GLOBAL) },
	"cuMemPrefetchAsync":     func() { cu.MemPrefetchAsync(8, 8, cu.DeviceCPU, stream) },
	"cuMemAdvise":            func() { cu.MemAdvise(8, 8, cu.MEM_ADVISE_SET_READ_MOSTLY, 0) },
	"cuMemRangeGetAttribute": func() { cu.MemRangeGetAttribute(cu.MEM_RANGE_READ_MOSTLY, 8, 8) },

	"cuPointerGetAttribute":  func() { cu.DevicePtr(8).MemoryType() },
	"cuPointerGetAttributes": func() { cu.PointerGetAttributes(8) },
	"cuPointerSetAttribute":  func() { cu.PointerSetSyncMemops(8, true) },

	"cuIpcGetMemHandle":    func() { cu.IpcGetMemHandle(8) },
	"cuIpcOpenMemHandle":   func() { h := cu.IpcMemHandle{}; h[63] = 7; cu.IpcOpenMemHandle(h, 1) },
	"cuIpcCloseMemHandle":  func() { cu.IpcCloseMemHandle(8) },
	"cuIpcGetEventHandle":  func() { cu.IpcGetEventHandle(event) },
	"cuIpcOpenEventHandle": func() { cu.IpcOpenEventHandle(cu.IpcEventHandle{}) },

	"cuDeviceCanAccessPeer":   func() { cu.Device(0).CanAccessPeer(1) },
	"cuDeviceGetP2PAttribute": func() { cu.DeviceGetP2PAttribute(cu.P2P_ACCESS_SUPPORTED, 0, 1) },
	"cuCtxEnablePeerAccess":   func() { ctx.EnablePeerAccess() },
	"cuCtxDisablePeerAccess":  func() { ctx.DisablePeerAccess() },

	"cuModuleLoad":        func() { cu.ModuleLoad("x.cubin") },
	"cuModuleLoadData":    func() { cu.ModuleLoadData("image") },
	"cuModuleUnload":      func() { m := module; m.Unload() },
	"cuModuleGetFunction": func() { module.GetFunction("f") },
	"cuModuleGetGlobal":   func() { cu.ModuleGetGlobal(module, "g") },

	"cuFuncGetAttribute":   func() { cu.Function(1).GetAttribute(cu.FUNC_A_NUM_REGS) },
	"cuFuncSetAttribute":   func() { cu.FuncSetAttribute(cu.FUNC_A_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1, 1) },
	"cuFuncSetCacheConfig": func() { cu.FuncSetCacheConfig(1, cu.FUNC_CACHE_PREFER_L1) },
	"cuFuncGetName":        func() { cu.FuncGetName(1) },

	"cuLaunchKernel":            func() { cu.LaunchKernel(1, 1, 1, 1, 1, 1, 1, 0, stream, nil) },
	"cuLaunchCooperativeKernel": func() { must(cu.LaunchCooperativeKernel64(1, 1, 1, 1, 1, 1, 1, 0, stream, nil)) },

	"cuStreamBeginCapture":              func() { cu.StreamBeginCapture(stream, cu.STREAM_CAPTURE_MODE_RELAXED) },
	"cuStreamEndCapture":                func() { cu.StreamEndCapture(stream) },
	"cuStreamIsCapturing":               func() { cu.StreamIsCapturing(stream) },
	"cuThreadExchangeStreamCaptureMode": func() { cu.ThreadExchangeStreamCaptureMode(cu.STREAM_CAPTURE_MODE_RELAXED) },
	"cuGraphDestroy":                    func() { g := graph; cu.GraphDestroy(&g) },
	"cuGraphInstantiateWithFlags":       func() { cu.GraphInstantiate(graph) },
	"cuGraphLaunch":                     func() { cu.GraphLaunch(ready, stream); must(cu.TryGraphLaunch(ready, stream)) },
	"cuGraphUpload":                     func() { cu.GraphUpload(ready, stream) },
	"cuGraphExecDestroy":                func() { e := ready; cu.GraphExecDestroy(&e) },
	"cuGraphGetNodes":                   func() { cu.GraphGetNodeCount(graph) },

	"cuOccupancyMaxActiveBlocksPerMultiprocessor": func() { cu.OccupancyMaxActiveBlocksPerMultiprocessor(1, 128, 0) },
	"cuOccupancyMaxPotentialBlockSize":            func() { cu.OccupancyMaxPotentialBlockSize(1, 0, 0) },
	"cuOccupancyAvailableDynamicSMemPerBlock":     func() { cu.OccupancyAvailableDynamicSMemPerBlock(1, 1, 128) },
}

// Functions whose failure is no panic, or that only serve where a newer one is missing.
var otherwise = map[string]string{
	"cuGetErrorName":       "the names are known here",
	"cuGetErrorString":     "ErrorString never fails",
	"cuDeviceGetUuid":      "cuDeviceGetUuid_v2",
	"cuStreamWaitValue32":  "cuStreamWaitValue32_v2",
	"cuStreamWriteValue32": "cuStreamWriteValue32_v2",
	"cuStreamWaitValue64":  "cuStreamWaitValue64_v2",
	"cuStreamWriteValue64": "cuStreamWriteValue64_v2",
	"cuGraphInstantiate":   "cuGraphInstantiateWithFlags",
	"cuMemcpy2DUnaligned":  "for pitches that cuMemcpy2D refuses; not called",
	"cuModuleLoadDataEx":   "ModuleLoadDataLog returns its result",
}

var olderServes = func() map[string]bool {
	newer := make(map[string]bool)
	for _, name := range otherwise {
		newer[name] = true
	}
	return newer
}()

func must(r cu.Result) {
	if r != cu.SUCCESS {
		panic(r)
	}
}

func TestEveryFunction(t *testing.T) {
	known := make(map[string]bool)
	for _, e := range cu.Entries(nil) {
		known[e.Name] = true
		if _, ok := calls[e.Name]; !ok && otherwise[e.Name] == "" {
			t.Errorf("no call is tested for %s", e.Name)
		}
	}
	for name, call := range calls {
		if !known[name] {
			t.Errorf("%s is not in table.def", name)
			continue
		}
		without := fake.New(name)
		onThread(t, fake.New(""), func() {
			fake.Reset()
			cu.CtxSetCurrent(1000)
			before := fake.Calls(name)
			if p := try(call); p != nil {
				t.Errorf("%s: panics with %v", name, p)
			}
			if fake.Calls(name) == before {
				t.Errorf("%s: was not called", name)
			}
			fake.Answer(name, cu.ERROR_ILLEGAL_ADDRESS)
			expectPanic(t, name, cu.ERROR_ILLEGAL_ADDRESS, call)

			if olderServes[name] {
				return // TestOptionalFunctions
			}
			without.MakeCurrent()
			expectPanic(t, name+" (missing)", cu.ERROR_NOT_SUPPORTED, call)
		})
	}
	fake.Reset()
}

func TestThreadWithoutDriver(t *testing.T) {
	t.Setenv(cu.LibcudaEnv, "/nowhere")
	onThread(t, nil, func() {
		for name, call := range calls {
			if name == "cuInit" {
				continue
			}
			expectPanic(t, name, "cu: no driver is current on this thread", call)
		}
		if cu.Current() != nil {
			t.Errorf("current: %v", cu.Current())
		}
	})
}

func TestCurrentIsOfTheThread(t *testing.T) {
	a, b := fake.New(""), fake.New("cuMemGetInfo")
	if a == b || a.Name() != "fake" || !a.Has("cuMemGetInfo") || b.Has("cuMemGetInfo") {
		t.Fatal("two tables, one driver")
	}
	entered := fake.Entered()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			d := []*cu.Driver{a, b}[i%2]
			onThread(t, d, func() {
				for range 200 {
					runtime.Gosched()
					if cu.Current() != d {
						t.Errorf("thread %d: current is not its own", i)
						return
					}
				}
				got := try(func() { cu.MemGetInfo() })
				if (got != nil) != (d == b) {
					t.Errorf("thread %d: the other's driver answered: %v", i, got)
				}
				cu.ClearCurrent()
				if cu.Current() != nil {
					t.Errorf("thread %d: ClearCurrent left a driver", i)
				}
			})
		})
	}
	all.Wait()
	if got := fake.Entered() - entered; got != 8 {
		t.Errorf("enter was called %d times for 8 threads", got)
	}
}

func TestLaunchParameters(t *testing.T) {
	onThread(t, fake.New(""), func() {
		a, b, c := uint64(0x1122334455667788), math.Float64bits(2.5), uint64(7)
		fake.ExpectWords(3)
		cu.LaunchKernel(5, 2, 3, 4, 32, 8, 1, 1024, 9, []unsafe.Pointer{unsafe.Pointer(&a), unsafe.Pointer(&b), unsafe.Pointer(&c)})
		want := fake.Launch{Function: 5, Stream: 9, Grid: [3]int{2, 3, 4}, Block: [3]int{32, 8, 1}, Shared: 1024, Words: []uint64{a, b, c}}
		same := func(what string) {
			t.Helper()
			got := fake.LastLaunch()
			if got.Function != want.Function || got.Stream != want.Stream || got.Grid != want.Grid || got.Block != want.Block ||
				got.Shared != want.Shared || !slices.Equal(got.Words, want.Words) {
				t.Errorf("%s: the driver saw %+v, want %+v", what, got, want)
			}
		}
		same("LaunchKernel")

		long := make([]uint64, 64) // more than LaunchKernel has room for on its stack
		pointers := make([]unsafe.Pointer, len(long))
		for i := range long {
			long[i] = uint64(i * i)
			pointers[i] = unsafe.Pointer(&long[i])
		}
		fake.ExpectWords(len(long))
		want.Words = long
		cu.LaunchKernel(5, 2, 3, 4, 32, 8, 1, 1024, 9, pointers)
		same("LaunchKernel with 64 parameters")
		must(cu.LaunchKernel64(5, 2, 3, 4, 32, 8, 1, 1024, 9, long))
		same("LaunchKernel64")
		must(cu.LaunchCooperativeKernel64(5, 2, 3, 4, 32, 8, 1, 1024, 9, long))
		same("LaunchCooperativeKernel64")
		if r := cu.LaunchKernel64(5, 1, 1, 1, 1, 1, 1, 0, 0, make([]uint64, 5000)); r != cu.ERROR_INVALID_VALUE {
			t.Errorf("5000 parameters: %v", r)
		}
	})
}

// TestCopyBoxes looks at the structures that the driver gets, as 8-byte words in the order of its header.
func TestCopyBoxes(t *testing.T) {
	onThread(t, fake.New(""), func() {
		b := &cu.CopyBox{
			Dst:   cu.CopySide{Addr: 0x1000, Type: cu.MemoryTypeHost, X: 1, Y: 2, Z: 3, Pitch: 64, Height: 10, Context: 77},
			Src:   cu.CopySide{Addr: 0x2000, Type: cu.MemoryTypeDevice, X: 4, Y: 5, Z: 6, Context: 88},
			Width: 16, Height: 7, Depth: 9,
		}
		cu.Memcpy2DAsync(b, stream)
		cu.Memcpy3DAsync(b, stream)
		cu.Memcpy3DPeerAsync(b, stream)
		got2D, got3D, gotPeer := fake.Copies()
		// The source's pitch and height, 0, are the box's own: 4+16 bytes, 5+7 rows.
		want2D := []uint64{4, 5, 2, 0, 0x2000, 0, 20, 1, 2, 1, 0x1000, 0, 0, 64, 16, 7}
		want3D := []uint64{4, 5, 6, 0, 2, 0, 0x2000, 0, 0, 20, 12, 1, 2, 3, 0, 1, 0x1000, 0, 0, 0, 64, 10, 16, 7, 9}
		wantPeer := slices.Clone(want3D)
		wantPeer[8], wantPeer[19] = 88, 77
		for _, c := range []struct {
			name      string
			got, want []uint64
		}{{"2D", got2D, want2D}, {"3D", got3D, want3D}, {"3D peer", gotPeer, wantPeer}} {
			if !slices.Equal(c.got, c.want) {
				t.Errorf("%s:\n have %v\n want %v", c.name, c.got, c.want)
			}
		}
		cu.Memcpy2DAsync(&cu.CopyBox{Width: 1, Height: 1}, stream)
		if got, _, _ := fake.Copies(); got[2] != uint64(cu.MemoryTypeUnified) {
			t.Errorf("a side without a type is %v", cu.MemoryType(got[2]))
		}
	})
}

func TestValues(t *testing.T) {
	onThread(t, fake.New(""), func() {
		if got := cu.MemAlloc(64); got != 0x7000000040 || got.String() != "0x7000000040" {
			t.Errorf("MemAlloc: %v", got)
		}
		if bytes, base := cu.DevicePtr(0x7fff1234).GetAddressRange(); bytes != 4096 || base != 0x7fff1000 {
			t.Errorf("GetAddressRange: %d, %v", bytes, base)
		}
		if got := cu.EventElapsedTime(1, 2); got != 1.5 {
			t.Errorf("EventElapsedTime: %v", got)
		}
		if got := cu.DeviceGetName(0); got != "Fake device" {
			t.Errorf("DeviceGetName: %q", got)
		}
		if got := cu.DeviceGetAttribute(cu.WARP_SIZE, 0); got != -10 {
			t.Errorf("a negative attribute: %d", got)
		}
		fake.New("cuDeviceGetUuid_v2").MakeCurrent()
		if got := cu.DeviceGetUuid(0).String(); got != "GPU-00112233-4455-6677-8899-aabbccddeeff" {
			t.Errorf("DeviceGetUuid: %s", got)
		}
		if got := cu.IpcOpenMemHandle(cu.IpcGetMemHandle(0xabc000), 1); got != 0xabc000 {
			t.Errorf("a memory handle there and back: %v", got)
		}
		want := cu.PointerInfo{Type: cu.MemoryTypeDevice, Device: 3, Managed: true, RangeBytes: 4096, BufferID: 42}
		if got := cu.PointerGetAttributes(8); got != want {
			t.Errorf("PointerGetAttributes: %+v", got)
		}
		if got := cu.ErrorString(cu.ERROR_NOT_READY); got != "a fake error" {
			t.Errorf("ErrorString: %q", got)
		}
		if _, log, err := cu.ModuleLoadDataLog([]byte("x")); log != "ptxas fatal: fake" || err != cu.ERROR_INVALID_PTX {
			t.Errorf("ModuleLoadDataLog: %q, %v", log, err)
		}
		if cu.MemoryTypeUnified.String() != "MemoryTypeUnified" || cu.MemoryType(9).String() != "MemoryType(9)" {
			t.Error("MemoryType.String")
		}
		s, e, c, m := stream, event, ctx, module
		s.Destroy()
		e.Destroy()
		c.Destroy()
		m.Unload()
		if s != 0 || e != 0 || c != 0 || m != 0 {
			t.Error("a destroyed handle is not 0")
		}
	})
}

func TestHostFunc(t *testing.T) {
	onThread(t, fake.New(""), func() {
		n := 0
		cu.LaunchHostFunc(0, func() { n++ })
		if n != 1 {
			t.Errorf("the function ran %d times", n)
		}
		fake.Answer("cuLaunchHostFunc", cu.ERROR_INVALID_HANDLE)
		expectPanic(t, "LaunchHostFunc", cu.ERROR_INVALID_HANDLE, func() { cu.LaunchHostFunc(0, func() { n++ }) })
		fake.Reset()
		if n != 1 {
			t.Error("a function ran that was refused")
		}
	})
}

func TestRuntimeAPI(t *testing.T) {
	onThread(t, fake.New(""), func() {
		fake.Reset()
		if cu.Malloc(0) != 0 || fake.Calls("cuMemAlloc") != 0 || cu.CtxGetCurrent() != 1000 {
			t.Errorf("Malloc(0) on a fresh thread: context %v", cu.CtxGetCurrent())
		}
		cu.SetDevice(2)
		cu.SetDevice(2)
		if cu.CtxGetCurrent() != 1002 || fake.Calls("cuDevicePrimaryCtxRetain") != 2 {
			t.Errorf("SetDevice(2): context %v, %d retained", cu.CtxGetCurrent(), fake.Calls("cuDevicePrimaryCtxRetain"))
		}
		if cu.Malloc(8) != 0x7000000008 {
			t.Error("Malloc(8)")
		}
		cu.FreeHost(nil)
		cu.MallocHost(0)
		if fake.Calls("cuMemFreeHost")+fake.Calls("cuMemAllocHost") != 0 {
			t.Error("nothing was allocated or freed")
		}
		for flags, function := range []string{cu.HtoH: "cuMemcpy", cu.HtoD: "cuMemcpyHtoD", cu.DtoH: "cuMemcpyDtoH", cu.DtoD: "cuMemcpyDtoD"} {
			cu.MemCpy(host, host, 8, uint(flags))
			if fake.Calls(function) != 1 {
				t.Errorf("MemCpy with flags %d does not call %s", flags, function)
			}
		}
		cu.MemCpy(host, host, 8, cu.Virt)
		expectPanic(t, "MemCpy", cu.ERROR_INVALID_VALUE, func() { cu.MemCpy(host, host, 8, 5) })
		cu.SetDeviceFlags(cu.DeviceMapHost | cu.DeviceYield)
		cu.DeviceReset()
		cu.DeviceReset()
		if cu.CtxGetCurrent() != 0 || fake.Calls("cuDevicePrimaryCtxReset") != 1 || fake.Calls("cuDevicePrimaryCtxRelease") != 1 {
			t.Errorf("DeviceReset: context %v", cu.CtxGetCurrent())
		}
		cu.SetDevice(2)
		if fake.Calls("cuDevicePrimaryCtxRetain") != 3 {
			t.Error("after a reset the context is not retained anew")
		}
		fake.Reset()
	})
}
