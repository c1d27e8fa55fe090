package rendezvous

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := hello{rank: rapid.Uint32().Draw(t, "rank"), size: rapid.Uint32().Draw(t, "size")}
		copy(h.secret[:], rapid.SliceOfN(rapid.Byte(), secretBytes, secretBytes).Draw(t, "secret"))
		if got, ok := parseHello(h.bytes()); !ok || got != h {
			t.Fatalf("hello: %+v, %v", got, ok)
		}
		a := ask{rapid.Uint32().Draw(t, "round"), time.Duration(rapid.Int32Min(0).Draw(t, "ms")) * time.Millisecond,
			rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")}
		got, ok := parseAsk(a.bytes())
		if !ok || got.round != a.round || got.timeout != a.timeout || !bytes.Equal(got.data, a.data) {
			t.Fatalf("ask: %+v, %v", got, ok)
		}
		l := &LostError{int(rapid.Uint16().Draw(t, "lost")), rapid.String().Draw(t, "reason")}
		if got, ok := parseLost(l.bytes()); !ok || *got != *l {
			t.Fatalf("lost: %+v, %v", got, ok)
		}
		kind := rapid.Byte().Draw(t, "kind")
		b := frame(kind, a.bytes())
		k, body, err := readFrame(bytes.NewReader(b), askBytes+MaxData)
		if err != nil || k != kind || !bytes.Equal(body, a.bytes()) {
			t.Fatalf("frame: %c, %d bytes, %v", k, len(body), err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, _, err := readFrame(bytes.NewReader(b[:cut]), askBytes+MaxData); err == nil {
			t.Fatal("a cut frame was read")
		}
		if _, _, err := readFrame(bytes.NewReader(b), len(a.bytes())-1); err == nil || !strings.Contains(err.Error(), "longer") {
			t.Fatalf("over the limit: %v", err)
		}
		if _, ok := parseHello(h.bytes()[:rapid.IntRange(0, helloBytes-1).Draw(t, "short")]); ok {
			t.Fatal("a cut hello was read")
		}
	})
}

func TestLongReasonsAreCut(t *testing.T) {
	l := &LostError{3, strings.Repeat("x", 2*maxText)}
	if got, ok := parseLost(l.bytes()); !ok || got.Rank != 3 || len(got.Reason) != maxText-4 {
		t.Errorf("%v, %v", got, ok)
	}
}
