// Stale memory: a Memory outlives its buffer without anybody noticing, unless the addresses of freed buffers are kept.

package gpu

import (
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
)

// CheckMemory switches the search for stale memory on or off and says what it was: while on, the streams' methods panic when they are given
// a Memory that lies in a freed buffer. It is on from the start where GPUBENCH_CHECK_MEMORY is 1 or the program is built
// for the race detector. It costs a lock and a search per call: never in a measurement.
func CheckMemory(on bool) (was bool) {
	stale.Lock()
	defer stale.Unlock()
	stale.dead = nil
	return staleOn.Swap(on)
}

var staleOn atomic.Bool

// stale.dead are the freed address ranges that no new buffer covers, by address; they do not overlap.
var stale struct {
	sync.Mutex
	dead []addressRange
}

type addressRange struct{ start, end uintptr }

func init() { staleOn.Store(raceBuild || os.Getenv("GPUBENCH_CHECK_MEMORY") == "1") }

// noteAlive takes the range of a new buffer out of the dead ones.
func noteAlive(m Memory) {
	if !staleOn.Load() || m.Len == 0 {
		return
	}
	stale.Lock()
	defer stale.Unlock()
	start, end := m.Addr, m.Addr+uintptr(m.Len)
	kept := make([]addressRange, 0, len(stale.dead)+1)
	for _, r := range stale.dead {
		if r.start < start {
			kept = append(kept, addressRange{r.start, min(r.end, start)})
		}
		if r.end > end {
			kept = append(kept, addressRange{max(r.start, end), r.end})
		}
	}
	stale.dead = kept
}

// noteDead adds the range of a freed buffer.
func noteDead(m Memory) {
	noteAlive(m) // so that ranges do not overlap
	if !staleOn.Load() || m.Len == 0 {
		return
	}
	stale.Lock()
	defer stale.Unlock()
	stale.dead = append(stale.dead, addressRange{m.Addr, m.Addr + uintptr(m.Len)})
	sort.Slice(stale.dead, func(i, j int) bool { return stale.dead[i].start < stale.dead[j].start })
}

// fresh panics when m lies in a freed buffer and the search is on.
func (m Memory) fresh() {
	if staleOn.Load() {
		m.searchStale()
	}
}

func (m Memory) searchStale() {
	stale.Lock()
	defer stale.Unlock()
	i := sort.Search(len(stale.dead), func(i int) bool { return stale.dead[i].end > m.Addr })
	if m.Len > 0 && i < len(stale.dead) && stale.dead[i].start < m.Addr+uintptr(m.Len) {
		panic(fmt.Sprintf("gpu: use of %d B of %v memory at %#x, which lie in a freed buffer", m.Len, m.Space, m.Addr))
	}
}
