// PEs of a PMIx launcher: Open MPI's mpirun, prterun, srun --mpi=pmix.

package rendezvous

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "pmix.h"
import "C"

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"gpubench/internal/signals"
)

// pmix is a PE that a PMIx launcher started. PMIx counts its users in a process, so MPI may start it too; but once the
// last one has ended it, it cannot start again: OpenPMIx 5.0 aborts when it is then ended for the second time.
type pmix struct {
	rank, size int
	round      int
	err        error
}

var opened atomic.Bool

var library struct {
	sync.Mutex
	path string // empty until one is loaded
}

func openPMIx(getenv func(string) string, timeout time.Duration) (Exchange, error) {
	if err := loadPMIx(getenv); err != nil {
		return nil, err
	}
	if opened.Swap(true) {
		return nil, errors.New("rendezvous: this process has opened its exchange before, and PMIx cannot start twice")
	}
	p := &pmix{}
	err := within("PMIx_Init", timeout, func() (err error) {
		var rank, size C.uint32_t
		signals.Keep(func() { err = check("PMIx_Init", C.gb_pmix_init(&rank)) })
		if err != nil {
			return fmt.Errorf("%w: PMIX_RANK is set, but no launcher answers: start gpubench with mpirun or srun --mpi=pmix, or unset it", err)
		}
		err = check("PMIx_Get of the job's size", C.gb_pmix_size(&size))
		// A library that does not understand the launcher makes each process a world of its own.
		if err == nil && (getenv("PMIX_RANK") != strconv.Itoa(int(rank)) || rank >= size) {
			err = fmt.Errorf("rendezvous: PMIx says PE %d of %d where the launcher says %s (PMIX_RANK)", rank, size, getenv("PMIX_RANK"))
		}
		if n := launched(getenv); err == nil && n > 0 && n != int(size) {
			err = fmt.Errorf("rendezvous: PMIx formed a world of %d where the launcher started %d: name the launcher's own libpmix.so.2 in %s", size, n, EnvPMIx)
		}
		if err != nil {
			C.gb_pmix_finalize()
			return err
		}
		p.rank, p.size = int(rank), int(size)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// launched is how many PEs the launcher's own variables speak of, 0 where they do not.
func launched(getenv func(string) string) int {
	for _, name := range []string{"OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"} {
		if n, err := strconv.Atoi(getenv(name)); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// loadPMIx loads the library, once for the process.
func loadPMIx(getenv func(string) string) error {
	library.Lock()
	defer library.Unlock()
	if library.path != "" {
		return nil
	}
	named := getenv(EnvPMIx)
	if named == "" {
		// A copy that MPI brought must not get a second one beside it.
		if load(libraryName, true) == nil {
			library.path = libraryName
			return nil
		}
	}
	places := []string{named}
	if named == "" {
		places = append(launchersOwn(getenv), libraryName)
	}
	var reasons []string
	for _, path := range places {
		err := load(path, false)
		if err == nil {
			library.path = path
			return nil
		}
		reasons = append(reasons, err.Error())
	}
	if named != "" {
		return fmt.Errorf("rendezvous: %s: %s", EnvPMIx, reasons[0])
	}
	return fmt.Errorf("rendezvous: a PMIx launcher started this process, but no PMIx library can be loaded (%s): name the launcher's %s in %s",
		strings.Join(reasons, "; "), libraryName, EnvPMIx)
}

func load(path string, loaded bool) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var text [1024]C.char
	var code C.int
	signals.Keep(func() { code = C.gb_pmix_load(name, C.bool(loaded), &text[0], C.int(len(text))) })
	switch code {
	case 0:
		return nil
	case 2:
		return fmt.Errorf("%s has no %s", path, C.GoString(&text[0]))
	}
	return fmt.Errorf("%s", strings.ReplaceAll(C.GoString(&text[0]), "\n", " "))
}

// check makes an error of a status.
func check(call string, status C.int) error {
	if status == 0 {
		return nil
	}
	return fmt.Errorf("rendezvous: %s: %s (%s)", call, C.GoString(C.gb_pmix_explain(status)), PMIxLibrary())
}

// PMIxLibrary says which PMIx library is in use and which version it says it is; empty where none is.
func PMIxLibrary() string {
	library.Lock()
	defer library.Unlock()
	if library.path == "" {
		return ""
	}
	version := C.GoString(C.gb_pmix_version()) // OpenPMIx 4.2.2rc2 (PMIx Standard: …), package: …
	if end := strings.IndexAny(version, ",("); end >= 0 {
		version = strings.TrimSpace(version[:end])
	}
	return library.path + ", " + version
}

// within bounds calls into PMIx, which wait for as long as the launcher lets them: after the time is over they go on by
// themselves, and their answer is dropped.
func within(what string, timeout time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return late(what, timeout)
	}
}

func (p *pmix) Rank() int { return p.rank }
func (p *pmix) Size() int { return p.size }

func (p *pmix) AllGather(data []byte, timeout time.Duration) ([][]byte, error) {
	if err := checkData(data); err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, p.err
	}
	mine := append([]byte{}, data...) // the caller may change it after a timeout
	all := make([][]byte, p.size)
	p.round++
	key := fmt.Sprintf("gpubench.%d", p.round) // what PMIx was given cannot be taken back
	if p.err = within("all-gather over PMIx", timeout, func() error { return gather(p.rank, key, mine, all) }); p.err != nil {
		return nil, p.err
	}
	return all, nil
}

// gather is one round. The first byte is ours: PMIx has no empty values.
func gather(rank int, key string, mine []byte, all [][]byte) error {
	name := C.CString(key)
	defer C.free(unsafe.Pointer(name))
	mine = append([]byte{0}, mine...)
	if err := check("PMIx_Put", C.gb_pmix_put(name, unsafe.Pointer(&mine[0]), C.size_t(len(mine)))); err != nil {
		return err
	}
	if err := check("PMIx_Commit", C.gb_pmix_commit()); err != nil {
		return err
	}
	if err := check("PMIx_Fence", C.gb_pmix_fence()); err != nil {
		return err
	}
	for r := range all {
		if r == rank {
			all[r] = mine[1:]
			continue
		}
		var data unsafe.Pointer
		var n C.size_t
		if err := check(fmt.Sprintf("PMIx_Get of PE %d", r), C.gb_pmix_get(C.uint32_t(r), name, &data, &n)); err != nil {
			return err
		}
		got := C.GoBytes(data, C.int(n))
		C.free(data)
		if len(got) == 0 || len(got) > MaxData+1 {
			return fmt.Errorf("rendezvous: PMIx gave %d bytes of PE %d", len(got), r)
		}
		all[r] = got[1:]
	}
	return nil
}

// closeLimit bounds PMIx_Finalize, which asks the launcher.
const closeLimit = 5 * time.Second

func (p *pmix) Close() error {
	if p.err == errClosed {
		return nil
	}
	p.err = errClosed
	return within("PMIx_Finalize", closeLimit, func() error { return check("PMIx_Finalize", C.gb_pmix_finalize()) })
}
