package charm

import (
	"errors"
	"runtime"
	"testing"

	"gpubench/gpu"
)

// porter carries a buffer from sync point to sync point.
type porter struct {
	self  Elem[porter]
	Left  int64
	Grows bool // it takes a longer buffer each time
	Buf   *gpu.Buffer
}

func (c *porter) Pup(p *Pup) {
	PupValue(p, &c.self)
	PupValue(p, &c.Left)
	p.Bool(&c.Grows)
	p.Buffer(&c.Buf)
}

var (
	porterOn     Entry[porter, Balanced]
	porterDevice *gpu.Device
)

func init() {
	porterOn = Method("on", func(c *porter, pe *PE, b Balanced) {
		if c.Grows {
			longer, err := porterDevice.Alloc(gpu.Pageable, c.Buf.Len()+100, gpu.DefaultPages)
			if err = errors.Join(err, c.Buf.Free()); err != nil {
				pe.Fail(err)
				return
			}
			c.Buf = longer
		}
		if c.Left--; c.Left > 0 {
			AtSync(pe, c.self, porterOn)
		}
	})
}

// porters has two of them change places on two PEs, steps times, and says how often a buffer was allocated.
func porters(t *testing.T, grow bool, steps int, alloc func(dev *gpu.Device, s gpu.Space, n int, p gpu.Pages) (*gpu.Buffer, error)) (allocs int, err error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dev, err := gpu.Open(gpu.CPU, 0, gpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	porterDevice = dev
	defer func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
		if leaks := gpu.Leaks(); len(leaks) > 0 {
			t.Errorf("leaks: %v", leaks)
		}
	}()
	if err := dev.Bind(); err != nil {
		t.Fatal(err)
	}
	defer dev.Unbind()
	s := newSim(t, 2, 256, 2)
	var arr Array[porter]
	for _, pe := range s.pes {
		pe.alloc = func(s gpu.Space, n int, p gpu.Pages) (*gpu.Buffer, error) {
			allocs++
			return alloc(dev, s, n, p)
		}
		arr, err = NewMobile(pe, "Porter", Grid(2), Blocks, mustBalancer(t, "rotate", BalanceConfig{}), func(self Elem[porter], at Index) (*porter, error) {
			buf, err := dev.Alloc(gpu.Pageable, 5000+50*at[0], gpu.DefaultPages)
			return &porter{self, int64(steps), grow, buf}, err
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	s.begin(nil)
	for i, pe := range s.pes {
		AtSync(pe, arr.At(i), porterOn)
	}
	s.run(t)
	for _, pe := range s.pes {
		arr.EachLocal(pe, func(_ Elem[porter], c *porter) {
			if err := c.Buf.Free(); err != nil {
				t.Error(err)
			}
		})
		if most := 2; len(pe.spares) > most {
			t.Errorf("PE %d keeps %d buffers, want at most %d", pe.rank, len(pe.spares), most)
		}
		if err := errors.Join(pe.freeCargoes()...); err != nil {
			t.Error(err)
		}
	}
	return allocs, s.err()
}

// Buffers that have left hold what comes: in a steady state none is allocated, and what nobody comes for is freed.
func TestBuffersAreUsedAgain(t *testing.T) {
	plain := func(dev *gpu.Device, s gpu.Space, n int, p gpu.Pages) (*gpu.Buffer, error) { return dev.Alloc(s, n, p) }
	if n, err := porters(t, false, 10, plain); err != nil || n > 2 {
		t.Errorf("%d allocations in 10 moves of two buffers, want at most 2: %v", n, err)
	}
	if n, err := porters(t, true, 10, plain); err != nil || n != 20 {
		t.Errorf("%d allocations in 10 moves of two buffers that grow, want 20: %v", n, err)
	}
}

// Where memory is short, spare buffers go before a move fails.
func TestSparesGoBeforeMemoryIsShort(t *testing.T) {
	failed := 0
	n, err := porters(t, true, 5, func(dev *gpu.Device, s gpu.Space, n int, p gpu.Pages) (*gpu.Buffer, error) {
		if failed++; failed == 5 {
			return nil, gpu.ErrOutOfMemory
		}
		return dev.Alloc(s, n, p)
	})
	if err != nil || n != 11 {
		t.Errorf("after %d allocations, of which the fifth failed: %v", n, err)
	}
	_, err = porters(t, true, 1, func(*gpu.Device, gpu.Space, int, gpu.Pages) (*gpu.Buffer, error) { return nil, gpu.ErrOutOfMemory })
	if !errors.Is(err, gpu.ErrOutOfMemory) {
		t.Errorf("no memory at all: %v", err)
	}
}
