package device

import (
	"fmt"
	"strings"
	"testing"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// words tells of ceilings: name, benchmark, engine or operation, ends, ways, size, bytes, scale.
func words(list []limits.Ceiling) string {
	var out []string
	for _, c := range list {
		s := fmt.Sprint(c.Name, ", ", c.Benchmark, " on ", c.Device)
		for _, name := range []string{"engine", "operation", "from", "to", "ways", "size_bytes", "buffers"} {
			if c.Own[name] != nil {
				s += fmt.Sprint(" ", c.Own[name])
			}
		}
		out = append(out, fmt.Sprint(s, ", ", c.Bytes, " B × ", c.Scale))
	}
	return strings.Join(out, "; ")
}

func TestBetween(t *testing.T) {
	for _, c := range []struct {
		path, device, placement, space string
		bytes                          int64
		ways                           int
		want                           string
	}{
		{"host", "cpu", "node", "pageable", 8 << 10, 1, "memory copy, devcopy on cpu copy 8192 same, 8192 B × 1"},
		{"host", "cpu", "node", "pinned", 65536, 2, "memory copy, devcopy on cpu copy 65536 same, 65536 B × 2"},
		{"host", "cpu", "node", "pageable", 1 << 20, 1, "memory copy, devcopy on cpu copy 1048576 same, 1048576 B × 2"},
		{"host", "cpu", "node", "pageable", 8<<10 + 1, 1, "memory copy, devcopy on cpu copy 8200 same, 8193 B × 1"},
		{"direct", "cuda", "same_gpu", "device", 65536, 1,
			"device copy, devcopy on cuda copy 0 0 65536 same, 65536 B × 0; device copy, devcopy on cuda kernel 0 0 65536 same, 65536 B × 0"},
		{"direct", "cuda", "peer", "device", 65536, 1,
			"peer copy, devcopy on cuda copy 0 1 65536 same, 65536 B × 0; peer copy, devcopy on cuda kernel 0 1 65536 same, 65536 B × 0"},
		{"direct", "cuda", "peer", "device", 65536, 2,
			"peer copy, devcopy on cuda copy 0 1 both 65536 same, 65536 B × 0; peer copy, devcopy on cuda kernel 0 1 both 65536 same, 65536 B × 0"},
		{"host", "cpu", "node", "pageable", 8<<10 - 1, 1, ""},
		{"host", "cpu", "remote", "pageable", 65536, 1, ""},
		{"host", "cpu", "", "pageable", 65536, 1, ""},
		{"direct", "cuda", "remote", "device", 65536, 1, ""},
		{"direct", "cuda", "", "device", 65536, 1, ""},
		{"direct", "cuda", "peer", "device:pinned", 65536, 1, ""},
		{"direct", "cuda", "same_gpu", "managed", 65536, 1, ""},
		{"staged", "cuda", "peer", "device", 65536, 1, ""},
	} {
		p := result.Params{"path": c.path, "device": c.device, "placement": c.placement, "space": c.space, "buffers": "same", "pages": "huge", "pes": int64(2)}
		if c.placement == "" {
			p["placement"] = nil
		}
		got := Between(p, c.bytes, c.ways)
		if words(got) != c.want {
			t.Errorf("%+v:\n%s", c, words(got))
		}
		for _, x := range got {
			if x.Own["pages"] != "huge" {
				t.Errorf("%+v: other pages than the case's: %v", c, x.Own["pages"])
			}
		}
	}
}

func TestThrough(t *testing.T) {
	for _, c := range []struct {
		device, placement string
		pes, bytes        int64
		want              string
	}{
		{"cpu", "", 1, 1 << 20, "stream copy, stream on cpu copy 1048576, 1048576 B × 0"},
		{"cpu", "node", 4, 1 << 20, "stream copy, stream on cpu copy 1048576, 1048576 B × 0"}, // one memory for all
		{"cuda", "same_gpu", 4, 1 << 20, "stream copy, stream on cuda copy 1048576, 1048576 B × 0"},
		{"cuda", "peer", 2, 1 << 20, "stream copy, stream on cuda copy 524288, 524288 B × 0"},
		{"cuda", "peer", 3, 8 << 20, "stream copy, stream on cuda copy 2796200, 2796200 B × 0"},
		{"cpu", "", 1, 1 << 30, "stream copy, stream on cpu copy 268435456, 1073741824 B × 0"},
		{"cpu", "", 1, 1<<18 - 8, ""},
		{"cuda", "peer", 2, 1<<19 - 16, ""},
		{"cpu", "remote", 2, 1 << 20, ""},
		{"cuda", "", 2, 1 << 20, ""},
	} {
		p := result.Params{"device": c.device, "placement": c.placement, "pes": c.pes}
		if c.placement == "" {
			p["placement"] = nil
		}
		if got := words(Through(p, c.bytes)); got != c.want {
			t.Errorf("%+v:\n%s", c, got)
		}
	}
	// In place the copy's two arrays are what the field is.
	p := result.Params{"device": "cuda", "placement": "peer", "pes": int64(2)}
	want := "stream copy, stream on cuda copy 262144, 524288 B × 0"
	if got := words(InPlace(p, 1<<20)); got != want {
		t.Errorf("in place: %s", got)
	}
	if got := InPlace(p, 1<<20-16); got != nil {
		t.Errorf("small and in place: %s", words(got))
	}
}
