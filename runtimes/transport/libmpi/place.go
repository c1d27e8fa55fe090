// Where the ranks run: host, node, cores; and a descriptor that tells when one of this host's processes ends.
package libmpi

// #include "world.h"
import "C"

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"syscall"
	"unsafe"

	"gpubench/runtimes/transport"
)

// Oversubscribed reports whether this node has more ranks than cores that they may run on. Waits then yield.
func (d *Driver) Oversubscribed() bool { return d.oversubscribe }

// passport is what ranks tell each other, in fixed size.
type passport struct {
	PID    int64
	PIDNS  uint64 // process ids mean nothing in another namespace; 0: not known
	Leader int64  // least rank of the node
	CPUs   [16]uint64
	Host   [128]byte
}

func (d *Driver) place(rank, size int) error {
	leader := int(C.gb_w_node_leader())
	if leader < 0 {
		return d.failure()
	}
	mine := passport{PID: int64(os.Getpid()), PIDNS: pidNamespace(), Leader: int64(leader), CPUs: allowedCPUs()}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	copy(mine.Host[:len(mine.Host)-1], host)
	all, err := d.gather(mine, size)
	if err != nil {
		return err
	}
	local := map[int64]int{}
	nodes := map[int64]int{}
	for _, p := range all {
		if _, seen := nodes[p.Leader]; !seen {
			nodes[p.Leader] = len(nodes)
		}
		name, _, _ := bytes.Cut(p.Host[:], []byte{0})
		d.places = append(d.places, transport.Place{Host: string(name), PID: int(p.PID), Node: nodes[p.Leader], LocalRank: local[p.Leader]})
		local[p.Leader]++
	}
	for i, p := range all {
		d.places[i].LocalSize = local[p.Leader]
	}
	d.oversubscribe = local[mine.Leader] > cores(all, mine.Leader)
	return d.watch(all, rank)
}

// gather collects every rank's passport.
func (d *Driver) gather(mine passport, size int) ([]passport, error) {
	var out bytes.Buffer
	if err := binary.Write(&out, binary.NativeEndian, mine); err != nil {
		panic(fmt.Sprintf("libmpi: %v", err))
	}
	n := out.Len()
	in := make([]byte, n*size)
	if C.gb_w_gather(unsafe.Pointer(&out.Bytes()[0]), unsafe.Pointer(&in[0]), C.int(n)) < 0 {
		return nil, d.failure()
	}
	all := make([]passport, size)
	if err := binary.Read(bytes.NewReader(in), binary.NativeEndian, all); err != nil {
		panic(fmt.Sprintf("libmpi: %v", err))
	}
	return all, nil
}

// cores counts the cores that the ranks of a node may run on, taken together.
func cores(all []passport, leader int64) int {
	var union [16]uint64
	for _, p := range all {
		for i, w := range p.CPUs {
			if p.Leader == leader {
				union[i] |= w
			}
		}
	}
	n := 0
	for _, w := range union {
		n += bits.OnesCount64(w)
	}
	return n
}

// watch opens a descriptor for each other process of this host. Where the system cannot (before Linux 5.3, or another
// namespace) the peer's end shows as a passed deadline.
func (d *Driver) watch(all []passport, rank int) error {
	const pidfdOpen = 434 // the same number on every architecture
	fds := make([]C.int, len(all))
	for i, p := range all {
		fds[i] = -1
		if i == rank || p.Leader != all[rank].Leader || p.PIDNS == 0 || p.PIDNS != all[rank].PIDNS {
			continue
		}
		if fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(p.PID), 0, 0); errno == 0 {
			fds[i] = C.int(fd) // closed on exec; open until the process ends
		}
	}
	yield := C.int(0)
	if d.oversubscribe {
		yield = 1
	}
	if C.gb_w_watch(&fds[0], yield) < 0 {
		return d.failure()
	}
	return nil
}

// pidNamespace identifies the namespace of process ids, 0 where /proc does not tell.
func pidNamespace() uint64 {
	var st syscall.Stat_t
	if syscall.Stat("/proc/self/ns/pid", &st) != nil {
		return 0
	}
	return st.Ino
}

// allowedCPUs is the affinity mask of the calling thread.
func allowedCPUs() (mask [16]uint64) {
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	return mask
}
