package charm

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever bit of a message flips, and wherever it is cut, the receiver sees it; only a channel's payload is the
// program's to check.
func TestDamageIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := kind(rapid.IntRange(1, int(kindReport)).Draw(t, "kind"))
		b := make([]byte, rapid.IntRange(channelLen, 80).Draw(t, "length"))
		for i := headerLen; i < len(b); i++ {
			b[i] = rapid.Byte().Draw(t, "byte")
		}
		putHeader(b, k, rapid.Uint16().Draw(t, "number"), rapid.Uint32().Draw(t, "collection"), rapid.Uint32().Draw(t, "element"))
		b = le.AppendUint32(b, checksum(b))
		if _, err := unseal(0, b); err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(b) {
			at := bit / 8
			if k == kindChannel && at >= channelLen && at < len(b)-sealLen {
				continue
			}
			b[at] ^= 1 << (bit % 8)
			if _, err := unseal(0, b); err == nil {
				t.Fatalf("bit %d of a message of %d B: %v", bit, len(b), err)
			}
			b[at] ^= 1 << (bit % 8)
		}
		for n := range headerLen + sealLen {
			if _, err := unseal(0, b[:n]); err == nil {
				t.Fatalf("cut to %d B: %v", n, err)
			}
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	m := make([]byte, channelLen+8, channelLen+8+sealLen)
	putHeader(m, kindChannel, 1, 2, 3)
	for b.Loop() {
		s := le.AppendUint32(m, checksum(m))
		if _, err := unseal(0, s); err != nil {
			b.Fatal(err)
		}
	}
}
