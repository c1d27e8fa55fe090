// Package slots is the buffers of benchmarks that move bytes: pieces of a buffer that operations use in turn, the patterns
// in them, and the checks of these.
package slots

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// Align is at what multiples of bytes slots begin: on cache lines of their own, and where a device's allocations begin.
const Align = 256

// Stride is how far apart slots of so many bytes begin.
func Stride(bytes int) int { return max((bytes+Align-1)/Align, 1) * Align }

// Count is how many operations have slots of their own, each of pieces of these lengths: one, or with the parameter buffers
// at rotate as many as take twice the host's last cache, or the other one's where that is larger.
func Count(pe *bench.PE, p result.Params, cacheBytes int64, bytes ...int) int {
	if p.String("buffers") != "rotate" {
		return 1
	}
	each := 0
	for _, n := range bytes {
		each += Stride(n)
	}
	return int(2*max(pe.LastCache(), cacheBytes))/each + 1
}

// Make allocates n slots of so many bytes.
func Make(dev *gpu.Device, space gpu.Space, pages gpu.Pages, n, bytes int) (*gpu.Buffer, []gpu.Memory, error) {
	b, err := dev.Alloc(space, n*Stride(bytes), pages)
	if err != nil {
		return nil, nil, err
	}
	list := make([]gpu.Memory, n)
	for i := range list {
		list[i] = b.Slice(i*Stride(bytes), bytes)
	}
	return b, list, nil
}

// Poisoned is a sender that no pattern is of.
const Poisoned = -1

// Pen writes and checks patterns: host memory from the host at once, other memory by kernels in the stream. The device of
// both is bound to the calling thread.
type Pen struct {
	Set    *kernels.Set
	Stream *gpu.Stream
}

// NewPen loads the kernels and makes a stream, which the caller closes.
func NewPen(dev *gpu.Device) (p Pen, err error) {
	if p.Set, err = kernels.Load(dev); err == nil {
		p.Stream, err = dev.NewStream()
	}
	return p, err
}

func onHost(m gpu.Memory) bool { return m.Space == gpu.Pageable || m.Space == gpu.Pinned }

// Write queues the pattern of a step and a sender: see kernels.PatternFill.
func (p Pen) Write(m gpu.Memory, step, sender int) error {
	if onHost(m) {
		kernels.PatternBytes(m.Bytes(), step, sender)
		return nil
	}
	return p.Set.PatternFill(p.Stream, m, step, sender)
}

// Poison queues what no pattern is.
func (p Pen) Poison(m gpu.Memory) error { return p.Write(m, 0, Poisoned) }

// Check compares a slot with a pattern, after what is in the stream, and adds to v one that is checked. Where it differs the
// text says where it comes from, as fmt.Sprintf gives it, and the check at what offset.
func (p Pen) Check(v *result.Validation, m gpu.Memory, step, sender int, format string, args ...any) error {
	var r kernels.PatternResult
	if onHost(m) {
		r = kernels.CheckPatternBytes(m.Bytes(), step, sender)
	} else {
		var err error
		if r, err = p.Set.PatternCheck(p.Stream, m, step, sender); err != nil {
			return err
		}
	}
	v.Checked++
	if r.Errors > 0 {
		Wrong(v, format+", offset %d: expected %#02x, found %#02x (%d of %d bytes differ)",
			append(args, r.First, r.Expected, r.Found, r.Errors, m.Len)...)
	}
	return nil
}

// Wrong adds an error to v, in words where it is the first.
func Wrong(v *result.Validation, format string, args ...any) {
	v.Errors++
	if v.FirstError == "" {
		v.FirstError = fmt.Sprintf(format, args...)
	}
}
