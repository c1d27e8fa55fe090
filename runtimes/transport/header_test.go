package transport

import (
	"errors"
	"testing"
)

// Whatever bit of a staging header flips, and wherever the message is cut, the receiver sees it.
func TestStagingHeaderDamageIsSeen(t *testing.T) {
	b := make([]byte, headerBytes+10)
	want := header{total: 1 << 30, chunk: 1 << 18, first: 10, seq: 77}
	want.write(b)
	if h, err := readHeader(b); err != nil || h != want {
		t.Fatalf("%+v, %v", h, err)
	}
	for bit := range 8 * headerBytes {
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := readHeader(b); !errors.Is(err, ErrMismatch) {
			t.Errorf("bit %d: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(b) {
		if _, err := readHeader(b[:n]); !errors.Is(err, ErrMismatch) {
			t.Errorf("cut to %d B: %v", n, err)
		}
	}
}
