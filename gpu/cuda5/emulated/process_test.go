//go:build cgo

// What takes more than one process: a host that touches device memory, visible devices, memory and events shared.

package emulated_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
)

// at is a device address as a host pointer, which no program should make of it.
func at(p cu.DevicePtr) *int64 { return (*int64)(unsafe.Add(unsafe.Pointer(nil), uintptr(p))) }

func init() {
	children["check"] = func() { fmt.Println(emulated.CheckEnv()) }
	children["touch"] = func() {
		open(0)
		p := cu.MemAlloc(1 << 22)
		fmt.Printf("%#x\n", uintptr(p))
		fmt.Println("read", *at(p))
	}
	children["touchwrite"] = func() {
		open(0)
		p := cu.MemAlloc(64)
		fmt.Printf("%#x\n", uintptr(p))
		*at(p + 8) = 1
		fmt.Println("written")
	}
	children["cpu"] = func() {
		emulated.CPU().MakeCurrent()
		open(0)
		p := cu.MemAlloc(64)
		*at(p) = 42
		cu.MemcpyDtoD(p+8, p, 8)
		fmt.Println(*at(p + 8))
	}
	children["devices"] = func() {
		if r := fails(func() { cu.Init(0) }); r != cu.SUCCESS {
			fmt.Print(int(r))
			return
		}
		for i := range cu.DeviceGetCount() {
			d := cu.Device(i)
			bus := cu.DeviceGetPCIBusId(d)
			if cu.DeviceGetByPCIBusId(bus) != d {
				fmt.Print("bad bus ")
			}
			fmt.Print(bus[5:7], "=", cu.DeviceGetUuid(d), " ")
		}
	}
	children["importer"] = importer
}

func TestHostCannotTouchDeviceMemory(t *testing.T) {
	for _, name := range []string{"touch", "touchwrite"} {
		out, err := child(t, name)
		var exit *exec.ExitError
		address, rest, _ := strings.Cut(out, "\n")
		if !errors.As(err, &exit) || strings.Contains(out, "written") || strings.Contains(out, "\nread") ||
			!strings.Contains(rest, "fault") || !strings.Contains(rest, address[:len(address)-1]) {
			t.Errorf("%s: %v, %.300s", name, err, out)
		}
	}
	prints(t, "42", "cpu")
}

func devices(t *testing.T, env ...string) (bus, uuid []string) {
	out, err := child(t, "devices", env...)
	if err != nil {
		t.Fatal(out, err)
	}
	for _, f := range strings.Fields(out) {
		b, u, _ := strings.Cut(f, "=")
		bus, uuid = append(bus, b), append(uuid, u)
	}
	return bus, uuid
}

func TestVisibleDevices(t *testing.T) {
	bus, uuid := devices(t)
	if len(bus) != 2 || bus[0] == bus[1] || uuid[0] == uuid[1] {
		t.Fatalf("by default: %v %v, want two different devices", bus, uuid)
	}
	bus, uuid = devices(t, "GPUBENCH_EMU_DEVICES=4")
	if len(bus) != 4 {
		t.Fatalf("%d devices, want 4", len(bus))
	}
	_, node := devices(t, "GPUBENCH_EMU_DEVICES=4", "GPUBENCH_EMU_NODE=b")
	for i := range node {
		if node[i] == uuid[i] {
			t.Errorf("device %d has the same UUID on two nodes", i)
		}
	}
	gpu := func(i int) string { return "GPU-" + strings.TrimPrefix(uuid[i], "GPU-") }
	for visible, want := range map[string]string{
		"0,1,2,3": "0123", "2": "2", "3,1": "31", "": "", "-1": "", "1,-1,2": "1", "1,9,2": "1", "1,1": "1", "x": "",
		gpu(2): "2", gpu(3) + "," + gpu(0): "30", gpu(1)[:12]: "1", "GPU-": "", gpu(2) + ",nonsense": "2", "0," + gpu(2): "02",
	} {
		out, err := child(t, "devices", "GPUBENCH_EMU_DEVICES=4", "CUDA_VISIBLE_DEVICES="+visible)
		got := ""
		for _, f := range strings.Fields(out) {
			b, _, _ := strings.Cut(f, "=")
			for i := range bus {
				if bus[i] == b {
					got += fmt.Sprint(i)
				}
			}
		}
		if err != nil || got != want || (want == "" && out != "100") {
			t.Errorf("CUDA_VISIBLE_DEVICES=%q: devices %q (%q, %v), want %q", visible, got, out, err, want)
		}
	}
	prints(t, "100", "devices", "GPUBENCH_EMU_DEVICES=0")
}

// importer opens what its parent exports. Each line is a command; see TestIpc.
func importer() {
	open(0)
	var opened []cu.DevicePtr
	var event cu.Event
	s := cu.StreamCreate()
	lines(func(line string) string {
		cmd, arg, _ := strings.Cut(line, " ")
		raw, _ := hex.DecodeString(arg)
		switch cmd {
		case "open":
			var p cu.DevicePtr
			if r := fails(func() { p = cu.IpcOpenMemHandle(cu.IpcMemHandle(raw), cu.IPC_MEM_LAZY_ENABLE_PEER_ACCESS) }); r != cu.SUCCESS {
				return r.String()
			}
			opened = append(opened, p)
			n, base := cu.MemGetAddressRange(p)
			info := cu.PointerGetAttributes(p)
			return fmt.Sprint(n, " ", base == p, " ", info.LegacyIPC, " ", info.Type, " ", p == opened[0])
		case "read":
			x := make([]int64, 4)
			cu.MemcpyDtoH(ptr(x), opened[0], 32)
			return fmt.Sprint(x)
		case "write":
			x := []int64{10, 20, 30, 40}
			cu.MemcpyHtoD(opened[0], ptr(x), 32)
			return "ok"
		case "event":
			event = cu.IpcOpenEventHandle(cu.IpcEventHandle(raw))
			return "ok"
		case "query":
			return event.Query().String()
		case "wait": // a stream waits for the other process, then reads
			cu.StreamWaitEvent(s, event)
			h := cu.MemHostAlloc(32, 0)
			cu.MemcpyDtoHAsync(h, opened[0], 32, s)
			before := s.Query()
			fmt.Println(before)
			s.Synchronize()
			return fmt.Sprint(unsafe.Slice((*int64)(h), 4))
		case "close":
			p := opened[len(opened)-1]
			opened = opened[:len(opened)-1]
			return fails(func() { cu.IpcCloseMemHandle(p) }).String()
		}
		return "?"
	})
}

func TestIpc(t *testing.T) {
	with(t, double, func() {
		before := cu.MemAlloc(100) // so that the next one begins inside a page
		p := cu.MemAlloc(100000)
		small := cu.MemAlloc(32)
		defer func() { before.Free(); p.Free(); small.Free() }()
		for _, x := range []cu.DevicePtr{p, small} {
			bytes, _ := cu.MemGetAddressRange(x)
			h := cu.IpcGetMemHandle(x + 8) // any address of the allocation
			c := startPeer(t, "importer")
			in := []int64{1, 2, 3, 4}
			cu.MemcpyHtoD(x, ptr(in), 32)
			if got, want := c.ask("open "+hex.EncodeToString(h[:])), fmt.Sprint(bytes, " true false ", cu.MemoryTypeDevice, " true"); got != want {
				t.Errorf("opened: %s, want %s", got, want)
			}
			if got := c.ask("read"); got != "[1 2 3 4]" {
				t.Errorf("the other process read %s", got)
			}
			c.ask("write")
			out := make([]int64, 4)
			cu.MemcpyDtoH(ptr(out), x, 32)
			if fmt.Sprint(out) != "[10 20 30 40]" {
				t.Errorf("the other process wrote, read here: %v", out)
			}
			if got := c.ask("open " + hex.EncodeToString(h[:])); !strings.HasSuffix(got, " true") {
				t.Errorf("opened twice: %s, want the same address", got)
			}
			for _, want := range []cu.Result{cu.SUCCESS, cu.SUCCESS} {
				if got := c.ask("close"); got != want.String() {
					t.Errorf("close: %s", got)
				}
			}
			want(t, "open in the exporting process", func() { cu.IpcOpenMemHandle(h, cu.IPC_MEM_LAZY_ENABLE_PEER_ACCESS) }, cu.ERROR_INVALID_CONTEXT)
			want(t, "open nonsense", func() { cu.IpcOpenMemHandle(cu.IpcMemHandle{1}, cu.IPC_MEM_LAZY_ENABLE_PEER_ACCESS) }, cu.ERROR_INVALID_VALUE)
		}
		host := cu.MemHostAlloc(64, 0)
		defer cu.MemFreeHost(host)
		want(t, "export host memory", func() { cu.IpcGetMemHandle(cu.DevicePtr(uintptr(host))) }, cu.ERROR_INVALID_VALUE)
	})
}

// A freed allocation's handle opens nothing, though descriptors and addresses are used again.
func TestIpcStale(t *testing.T) {
	with(t, double, func() {
		p := cu.MemAlloc(8 << 20)
		h := cu.IpcGetMemHandle(p)
		p.Free()
		q := cu.MemAlloc(8 << 20)
		defer q.Free()
		c := startPeer(t, "importer")
		if got := c.ask("open " + hex.EncodeToString(h[:])); got != cu.ERROR_MAP_FAILED.String() {
			t.Errorf("a stale handle: %s", got)
		}
	})
}

func TestIpcSwitchedOff(t *testing.T) {
	prints(t, cu.ERROR_NOT_SUPPORTED.String()+" false", "ipcoff", "GPUBENCH_EMU_IPC=0")
}

func init() {
	children["ipcoff"] = func() {
		open(0)
		p := cu.MemAlloc(64)
		fmt.Print(fails(func() { cu.IpcGetMemHandle(p) }), " ", cu.PointerGetAttributes(p).LegacyIPC)
	}
}

func TestIpcEvent(t *testing.T) {
	with(t, double, func() {
		p := cu.MemAlloc(32)
		defer p.Free()
		e := cu.EventCreate(cu.EVENT_INTERPROCESS | cu.EVENT_DISABLE_TIMING)
		defer cu.EventDestroy(&e)
		s := cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
		defer cu.StreamDestroy(&s)
		cu.MemsetD8(p, 0, 32)
		cu.CtxSynchronize()
		hm, he := cu.IpcGetMemHandle(p), cu.IpcGetEventHandle(e)
		c := startPeer(t, "importer")
		c.ask("open " + hex.EncodeToString(hm[:]))
		c.ask("event " + hex.EncodeToString(he[:]))
		if got := c.ask("query"); got != cu.SUCCESS.String() {
			t.Errorf("never recorded: %s", got)
		}
		gate := make(chan bool)
		cu.LaunchHostFunc(s, func() { <-gate })
		cu.MemsetD8Async(p, 1, 32, s)
		cu.EventRecord(e, s)
		if got := c.ask("query"); got != cu.ERROR_NOT_READY.String() {
			t.Errorf("recorded behind a gate: %s", got)
		}
		if got := c.ask("wait"); got != cu.ERROR_NOT_READY.String() {
			t.Errorf("the stream behind the event: %s", got)
		}
		time.Sleep(20 * time.Millisecond)
		close(gate)
		if got, want := c.read(), strings.TrimSpace(fmt.Sprint([]int64{0x0101010101010101, 0x0101010101010101, 0x0101010101010101, 0x0101010101010101})); got != want {
			t.Errorf("read behind the event: %s, want %s", got, want)
		}
		s.Synchronize()
		if got := c.ask("query"); got != cu.SUCCESS.String() {
			t.Errorf("at the end: %s", got)
		}
		plain := cu.EventCreate(0)
		defer cu.EventDestroy(&plain)
		want(t, "export of a plain event", func() { cu.IpcGetEventHandle(plain) }, cu.ERROR_INVALID_HANDLE)
	})
}
