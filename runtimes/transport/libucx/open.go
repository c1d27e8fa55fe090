// Opening: PEs exchange passports, start UCX, exchange addresses and connect.
package libucx

// #include "world.h"
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/signals"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/hosts"
)

const (
	// DefaultCloseDeadline is how long Close waits for the other PEs.
	DefaultCloseDeadline = 30 * time.Second
	// exchangeTimeout is how long the others may take to start.
	exchangeTimeout = time.Minute
)

// Exchange is how PEs find each other.
type Exchange interface {
	Rank() int
	Size() int
	// AllGather gives every PE's data to every PE, by rank.
	AllGather(data []byte, timeout time.Duration) ([][]byte, error)
}

// Options says what the driver is for. The zero value is for host memory.
type Options struct {
	CloseDeadline time.Duration // how long Close waits for the other PEs; 0: DefaultCloseDeadline
	Device        bool          // device and managed memory will be handed over, by this thread's context
}

// OpenWith loads a shim and starts UCX. The calling goroutine is locked to its thread, for good. With Options.Device the
// device's context must be current before. Errors are *LoadError, *StartError or the Exchange's.
func OpenWith(libraryPath string, x Exchange, o Options) (*Driver, error) {
	runtime.LockOSThread()
	lib, err := load(libraryPath)
	if err != nil {
		return nil, err
	}
	if _, joined := launch.Joined(os.Getenv); joined {
		launch.DieWithParent(syscall.SIGKILL)
	}
	if x.Size() > C.GB_MAX_PEERS {
		return nil, fmt.Errorf("ucx: %d PEs, at most %d", x.Size(), C.GB_MAX_PEERS)
	}
	d := &Driver{library: lib, closeDeadline: o.CloseDeadline}
	if d.closeDeadline == 0 {
		d.closeDeadline = DefaultCloseDeadline
	}
	all, err := passports(x)
	if err != nil {
		return nil, err
	}
	d.oversubscribe = hosts.Oversubscribed(all, x.Rank())
	places := hosts.Places(all)
	if err := start(x, places); err != nil {
		return nil, err
	}
	d.caps = transport.Caps{
		Name: "ucx", Version: lib.Version, Rank: x.Rank(), Size: x.Size(),
		Contexts: C.GB_CONTEXTS, MaxHeader: C.GB_MAX_HEADER, Places: places,
	}
	if err := d.connect(x, all, o); err != nil {
		C.gb_u_close(0)
		return nil, err
	}
	return d, d.prepare()
}

// passports has the PEs say where they run.
func passports(x Exchange) ([]hosts.Passport, error) {
	texts, err := x.AllGather(hosts.Mine(hosts.ThisNode()).Bytes(), exchangeTimeout)
	if err != nil {
		return nil, fmt.Errorf("ucx: the PEs' places: %w", err)
	}
	all := make([]hosts.Passport, len(texts))
	for i, text := range texts {
		if all[i], err = hosts.Read(text); err != nil {
			return nil, fmt.Errorf("ucx: the place of PE %d: %w: all PEs must run the same gpubench", i, err)
		}
	}
	return all, nil
}

// StartError says that UCX did not start on some PE. All PEs get it.
type StartError struct {
	PE     int
	Reason string
}

func (e *StartError) Error() string { return fmt.Sprintf("ucx: PE %d: %s", e.PE, e.Reason) }

// start makes context and worker. Where that fails the others are told, instead of waiting for an address.
func start(x Exchange, places []transport.Place) error {
	var fail C.gb_fail
	var opened C.int
	signals.Keep(func() {
		opened = C.gb_u_open(C.int(x.Rank()), C.int(x.Size()), C.int(places[x.Rank()].LocalSize), &fail)
	})
	if opened == 0 {
		return nil
	}
	reason := failure(&fail).Error() + settings(os.Environ())
	_, err := gatherCards(x, card{reason: reason})
	return err
}

// settings names what tells UCX how to start: its errors do not say which setting they are about. Those about signals are
// ours by then.
func settings(environ []string) string {
	var set []string
	for _, kv := range environ {
		if strings.HasPrefix(kv, "UCX_") && !strings.HasPrefix(kv, "UCX_ERROR_SIGNALS=") && !strings.HasPrefix(kv, "UCX_HANDLE_ERRORS=") {
			set = append(set, kv)
		}
	}
	if len(set) == 0 {
		return ""
	}
	slices.Sort(set)
	return " (look at UCX's settings in the environment: " + strings.Join(set, " ") + ")"
}

// connect exchanges addresses and makes the endpoints.
func (d *Driver) connect(x Exchange, all []hosts.Passport, o Options) error {
	mine := card{}
	if o.Device {
		mine.spaces = byte(C.gb_u_spaces())
	} else {
		mine.spaces = byte(C.gb_u_spaces()) & (1<<gpu.Pageable | 1<<gpu.Pinned)
	}
	buf := make([]byte, 1<<16)
	n := int(C.gb_u_address(unsafe.Pointer(&buf[0]), C.int(len(buf))))
	switch {
	case n < 0:
		mine.reason = d.failure().Error()
	case n > len(buf):
		mine.reason = fmt.Sprintf("an address of %d B", n)
	default:
		mine.address = buf[:n]
	}
	cards, err := gatherCards(x, mine)
	if err != nil {
		return err
	}
	d.takeSpaces(cards, o)
	mine = card{address: []byte("connected")}
	for i, c := range cards {
		near := C.int(0)
		if all[i].Node == all[x.Rank()].Node {
			near = 1
		}
		if C.gb_u_connect(unsafe.Pointer(&c.address[0]), C.int(i), near) < 0 {
			mine.reason = fmt.Sprintf("connecting to PE %d: %v", i, d.failure())
			break
		}
	}
	yield := C.int(0)
	if d.oversubscribe {
		yield = 1
	}
	fds := hosts.Watch(all, x.Rank())
	if C.gb_u_watch((*C.int)(unsafe.Pointer(&fds[0])), yield) < 0 {
		mine.reason = d.failure().Error()
	}
	// Nobody goes on, and perhaps ends, before all are connected.
	_, err = gatherCards(x, mine)
	return err
}

// A card is what PEs tell each other when UCX has started: what memory it takes and the worker's address, or why it has
// not.
type card struct {
	spaces  byte
	address []byte
	reason  string
}

func gatherCards(x Exchange, mine card) ([]card, error) {
	data := append([]byte{0, mine.spaces}, mine.address...)
	if mine.reason != "" {
		data = append([]byte{1, 0}, mine.reason...)
	}
	texts, err := x.AllGather(data, exchangeTimeout)
	if err != nil && mine.reason != "" {
		return nil, &StartError{x.Rank(), mine.reason}
	}
	if err != nil {
		return nil, fmt.Errorf("ucx: the PEs' addresses: %w", err)
	}
	cards := make([]card, len(texts))
	for i, t := range texts {
		switch {
		case len(t) < 3:
			return nil, &StartError{i, "told no address"}
		case t[0] != 0:
			return nil, &StartError{i, string(t[2:])}
		}
		cards[i] = card{spaces: t[1], address: t[2:]}
	}
	return cards, nil
}

// takeSpaces says what memory all PEs take.
func (d *Driver) takeSpaces(cards []card, o Options) {
	for _, s := range gpu.Spaces {
		var lacking []string
		for i, c := range cards {
			if c.spaces>>s&1 == 0 {
				lacking = append(lacking, fmt.Sprint(i))
			}
		}
		d.caps.Spaces[s] = len(lacking) == 0
		switch {
		case len(lacking) == 0:
		case !o.Device:
			d.caps.Why[s] = "UCX was opened for host memory alone"
		case !d.library.CUDA:
			d.caps.Why[s] = d.library.Version + " takes no device memory: " + d.library.CUDAWhy +
				"; build the shim for a UCX with CUDA (the wheel libucx-cu13, or --with-cuda)"
		default:
			d.caps.Why[s] = fmt.Sprintf("%s takes no %v memory on PE %s: %s, and find no driver there (libcuda.so.1 and "+
				"libnvidia-ml.so.1 must load) or are left out by UCX_TLS (it must allow cuda_copy); "+
				"UCX_LOG_LEVEL=info UCX_MODULE_LOG_LEVEL=info says which", d.library.Version, s, strings.Join(lacking, ","), d.library.CUDAWhy)
		}
	}
}
