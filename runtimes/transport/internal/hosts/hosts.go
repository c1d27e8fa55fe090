// Package hosts says where the PEs of a job run: host, node, cores; and gives a descriptor that tells when one of this
// host's processes ends.
package hosts

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

// Passport is what PEs tell each other, in fixed size.
type Passport struct {
	PID   int64
	PIDNS uint64   // process ids mean nothing in another namespace; 0: not known
	Node  [64]byte // the same for PEs that share memory, of whatever the transport knows that from
	CPUs  [16]uint64
	Host  [128]byte
}

// Mine is this process's. node is the same for PEs that share memory.
func Mine(node string) Passport {
	p := Passport{PID: int64(os.Getpid()), PIDNS: namespace("pid"), CPUs: allowedCPUs()}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	copy(p.Host[:len(p.Host)-1], host)
	copy(p.Node[:], node)
	return p
}

// Bytes is the passport as it travels. Every PE's is as long.
func (p Passport) Bytes() []byte {
	var out bytes.Buffer
	if err := binary.Write(&out, binary.NativeEndian, p); err != nil {
		panic(fmt.Sprintf("hosts: %v", err))
	}
	return out.Bytes()
}

// Read is Bytes's inverse.
func Read(b []byte) (p Passport, err error) {
	err = binary.Read(bytes.NewReader(b), binary.NativeEndian, &p)
	return p, err
}

// ThisNode names what shares memory with this process by means of the system: the running kernel, and the namespaces in
// which processes and System V segments have their names.
func ThisNode() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		host, _ := os.Hostname()
		boot = []byte(host)
	}
	boot = bytes.TrimSpace(boot)
	return fmt.Sprintf("%s/%x/%x", boot[:min(len(boot), 36)], namespace("pid"), namespace("ipc"))
}

// Places are those of all PEs, by rank.
func Places(all []Passport) []transport.Place {
	places := make([]transport.Place, 0, len(all))
	local, nodes := map[[64]byte]int{}, map[[64]byte]int{}
	for _, p := range all {
		if _, seen := nodes[p.Node]; !seen {
			nodes[p.Node] = len(nodes)
		}
		name, _, _ := bytes.Cut(p.Host[:], []byte{0})
		places = append(places, transport.Place{Host: string(name), PID: int(p.PID), Node: nodes[p.Node], LocalRank: local[p.Node]})
		local[p.Node]++
	}
	for i, p := range all {
		places[i].LocalSize = local[p.Node]
	}
	return places
}

// Oversubscribed reports whether the node of this rank has more PEs than cores that they may run on. Waits then yield.
func Oversubscribed(all []Passport, rank int) bool {
	var union [16]uint64
	pes, cores := 0, 0
	for _, p := range all {
		if p.Node != all[rank].Node {
			continue
		}
		pes++
		for i, w := range p.CPUs {
			union[i] |= w
		}
	}
	for _, w := range union {
		cores += bits.OnesCount64(w)
	}
	return pes > cores
}

// Watch opens a descriptor for each other process of this rank's node, which becomes readable when the process ends; -1
// where there is none. Where the system cannot (before Linux 5.3, or another namespace) the peer's end shows as a passed
// deadline.
func Watch(all []Passport, rank int) []int32 {
	const pidfdOpen = 434 // the same number on every architecture
	fds := make([]int32, len(all))
	for i, p := range all {
		fds[i] = -1
		if i == rank || p.Node != all[rank].Node || p.PIDNS == 0 || p.PIDNS != all[rank].PIDNS {
			continue
		}
		if fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(p.PID), 0, 0); errno == 0 {
			fds[i] = int32(fd) // closed on exec; open until the process ends
		}
	}
	return fds
}

// namespace identifies a namespace of this process, 0 where /proc does not tell.
func namespace(kind string) uint64 {
	var st syscall.Stat_t
	if syscall.Stat("/proc/self/ns/"+kind, &st) != nil {
		return 0
	}
	return st.Ino
}

// allowedCPUs is the affinity mask of the calling thread.
func allowedCPUs() (mask [16]uint64) {
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	return mask
}
