// The floor that Endpoint's ping-pong is held against: two locked threads, one cache line each way.

package inproc

import (
	"runtime"
	"sync/atomic"
	"testing"
)

type rawBox struct {
	_    [128]byte
	seq  atomic.Uint64
	data [48]byte
	_    [128]byte
}

func (b *rawBox) await(seq uint64) {
	for b.seq.Load() != seq {
		pause()
	}
}

// BenchmarkRawMailbox reports half a round trip of 8 B.
func BenchmarkRawMailbox(b *testing.B) {
	var there, back rawBox
	n := uint64(b.N)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		for i := uint64(1); i <= n; i++ {
			there.await(i)
			copy(back.data[:8], there.data[:8])
			back.seq.Store(i)
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ResetTimer()
	for i := uint64(1); i <= n; i++ {
		there.data[0] = byte(i)
		there.seq.Store(i)
		back.await(i)
	}
	b.StopTimer()
	<-done
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/oneway")
}
