// Host memory that transports are given: for long messages, and for payload that waits.
package charm

import (
	"fmt"
	"math/bits"
	"os"
	"sync"
	"syscall"

	"gpubench/gpu"
)

// hostPool is a PE's host memory, in pieces of powers of two. It lies outside the Go heap, whose pages the collector
// gives back to the system, and its addresses never come back with other pages behind them: UCX and MPI keep
// registrations by address and see none of this program's system calls. So a piece that is not wanted any more goes to
// a pool of the whole process instead of to the system.
type hostPool struct {
	free [maxClass][]gpu.Memory
	all  []gpu.Memory
}

const (
	leastClass = 12 // 4 KiB
	maxClass   = 48
)

// shared is what closed pools have left.
var shared struct {
	sync.Mutex
	free [maxClass][]gpu.Memory
}

// get is at least n bytes.
func (p *hostPool) get(n int) gpu.Memory {
	class := max(bits.Len(uint(max(n, 1)-1)), leastClass)
	if k := len(p.free[class]); k > 0 {
		m := p.free[class][k-1]
		p.free[class] = p.free[class][:k-1]
		return m
	}
	m := fresh(class)
	p.all = append(p.all, m)
	return m
}

// fresh is a piece that no PE has.
func fresh(class int) gpu.Memory {
	shared.Lock()
	defer shared.Unlock()
	if k := len(shared.free[class]); k > 0 {
		m := shared.free[class][k-1]
		shared.free[class] = shared.free[class][:k-1]
		return m
	}
	b, err := syscall.Mmap(-1, 0, 1<<class, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(os.NewSyscallError(fmt.Sprintf("mmap of %d B", 1<<class), err))
	}
	return gpu.HostMemory(b)
}

// put takes back what get gave; the zero Memory is passed over.
func (p *hostPool) put(m gpu.Memory) {
	if m.Len > 0 {
		class := bits.Len(uint(m.Len - 1))
		p.free[class] = append(p.free[class], m)
	}
}

// close hands all pieces on. No transfer may touch them any more.
func (p *hostPool) close() {
	shared.Lock()
	defer shared.Unlock()
	for _, m := range p.all {
		class := bits.Len(uint(m.Len - 1))
		shared.free[class] = append(shared.free[class], m)
	}
	*p = hostPool{}
}
