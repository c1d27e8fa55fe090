// Copies: every pair of spaces, odd sizes and offsets, rectangles and boxes, fills, peers.

package gputest

import (
	"errors"
	"fmt"
	"testing"

	"gpubench/gpu"
)

func init() {
	add(
		test{"copy", copies},
		test{"copy of rows", copies2D},
		test{"copy of planes", copies3D},
		test{"fill", fills},
		test{"peer", peers},
	)
}

// forSpaces runs f for each pair of spaces that the device has.
func forSpaces(t *testing.T, d *gpu.Device, n int, f func(t *testing.T, to, from *gpu.Buffer)) {
	for _, dst := range gpu.Spaces {
		for _, src := range gpu.Spaces {
			part(t, d, fmt.Sprintf("%v to %v", src, dst), func(t *testing.T) {
				from := alloc(t, d, src, n)
				defer free(t, from)
				to := alloc(t, d, dst, n)
				defer free(t, to)
				f(t, to, from)
			})
		}
	}
}

func copies(t *testing.T, d *gpu.Device) {
	const n = 1<<20 + 4096
	s := stream(t, d)
	defer free(t, s)
	forSpaces(t, d, n, func(t *testing.T, to, from *gpu.Buffer) {
		write(t, d, s, from.Memory(), 1)
		for _, c := range []struct{ dst, src, n int }{
			{0, 0, n}, {1, 0, 1}, {3, 5, 7}, {0, 1, 4096}, {4095, 17, 4099}, {8, 8, 65536}, {1, 3, 1<<20 + 1}, {n, n, 0},
		} {
			write(t, d, s, to.Memory(), 2)
			must(t, s.Copy(to.Slice(c.dst, c.n), from.Slice(c.src, c.n)))
			for i, b := range contents(t, d, s, to.Memory()) {
				want := pattern(2, i) // what lies around stays
				if i >= c.dst && i < c.dst+c.n {
					want = pattern(1, c.src+i-c.dst)
				}
				if b != want {
					t.Fatalf("%d B from %d to %d: byte %d is %#x, not %#x", c.n, c.src, c.dst, i, b, want)
				}
			}
		}
		holds(t, d, s, from.Memory(), 1, "the source")
	})
}

// box is a block of bytes in rows and planes.
type box struct{ x, y, z, pitch, rows int }

func (b box) at(x, y, z int) int { return ((b.z+z)*b.rows+b.y+y)*b.pitch + b.x + x }

func (b box) layout(m gpu.Memory) gpu.Layout {
	off := b.at(0, 0, 0)
	return gpu.Layout{Memory: m.Slice(off, m.Len-off), Pitch: b.pitch, Rows: b.rows}
}

func copies2D(t *testing.T, d *gpu.Device) {
	boxes(t, d, 13, 9, 1, func(s *gpu.Stream, to, from gpu.Layout) error { return s.Copy2D(to, from, 13, 9) })
}

func copies3D(t *testing.T, d *gpu.Device) {
	boxes(t, d, 13, 9, 4, func(s *gpu.Stream, to, from gpu.Layout) error { return s.Copy3D(to, from, 13, 9, 4) })
}

func boxes(t *testing.T, d *gpu.Device, width, height, depth int, copy func(s *gpu.Stream, to, from gpu.Layout) error) {
	s := stream(t, d)
	defer free(t, s)
	forSpaces(t, d, 8192, func(t *testing.T, to, from *gpu.Buffer) {
		src, dst := box{x: 3, y: 2, z: 1, pitch: 32, rows: 12}, box{x: 5, y: 1, z: 0, pitch: 40, rows: 11}
		write(t, d, s, from.Memory(), 3)
		write(t, d, s, to.Memory(), 4)
		must(t, copy(s, dst.layout(to.Memory()), src.layout(from.Memory())))
		want := make([]byte, to.Len())
		for i := range want {
			want[i] = pattern(4, i)
		}
		for z := range depth {
			for y := range height {
				for x := range width {
					want[dst.at(x, y, z)] = pattern(3, src.at(x, y, z))
				}
			}
		}
		for i, b := range contents(t, d, s, to.Memory()) {
			if b != want[i] {
				t.Fatalf("byte %d is %#x, not %#x", i, b, want[i])
			}
		}
	})
}

func fills(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	defer free(t, s)
	for _, space := range gpu.Spaces {
		part(t, d, space.String(), func(t *testing.T) {
			b := alloc(t, d, space, 5000)
			defer free(t, b)
			write(t, d, s, b.Memory(), 5)
			err := s.Fill(b.Slice(3, 1001), 0xAB)
			if space == gpu.Pageable && d.Driver() != gpu.CPU {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("fill of pageable memory: %v", err)
				}
				return
			}
			must(t, err)
			must(t, s.Fill32(b.Slice(2000, 1000), 0x04030201))
			must(t, s.Fill(b.Slice(5000, 0), 1))
			for i, c := range contents(t, d, s, b.Memory()) {
				want := pattern(5, i)
				if i >= 3 && i < 1004 {
					want = 0xAB
				} else if i >= 2000 && i < 3000 {
					want = byte(i%4 + 1)
				}
				if c != want {
					t.Fatalf("byte %d is %#x, not %#x", i, c, want)
				}
			}
		})
	}
}

func peers(t *testing.T, d *gpu.Device) {
	must(t, d.EnablePeer(d))
	n, err := gpu.Count(d.Driver())
	must(t, err)
	if n < 2 {
		t.Skipf("%s has %d device", d.Driver(), n)
	}
	o := openOrdinal(t, d.Driver(), 1)
	var far *gpu.Buffer
	must(t, o.Bind())
	far = alloc(t, o, gpu.OnDevice, 70001)
	o.Unbind()
	defer bound(t, o, func() { free(t, far) })

	s := stream(t, d)
	near, back := alloc(t, d, gpu.OnDevice, 70001), alloc(t, d, gpu.OnDevice, 70001)
	defer free(t, s, near, back)
	write(t, d, s, near.Memory(), 6)
	there := func(what string) {
		must(t, s.Fill(back.Memory(), 0))
		must(t, s.CopyPeer(far.Slice(1, 70000), o, near.Slice(0, 70000), d))
		must(t, s.CopyPeer(back.Slice(0, 70000), d, far.Slice(1, 70000), o))
		holds(t, d, s, back.Slice(0, 70000), 6, what)
		must(t, s.Fill(back.Memory(), 0))
		must(t, s.Copy(far.Slice(1, 70000), near.Slice(0, 70000)))
		must(t, s.Copy(back.Slice(0, 70000), far.Slice(1, 70000)))
		holds(t, d, s, back.Slice(0, 70000), 6, what+", by address")
	}
	there("without peer access")
	can, err := d.CanAccessPeer(o)
	must(t, err)
	err = d.EnablePeer(o)
	if !can {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("EnablePeer of devices that cannot reach each other: %v", err)
		}
		return
	}
	must(t, err)
	must(t, d.EnablePeer(o)) // again: nothing happens
	there("with peer access")
	panics(t, "CopyPeer of unequal lengths", func() { s.CopyPeer(far.Memory(), o, near.Slice(0, 1), d) }, "copy of")
}
