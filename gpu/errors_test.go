package gpu

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/barnex/cuda5/cu"
)

func TestCatch(t *testing.T) {
	attempt := func(thrown any) (err error) {
		call := "cuFirst"
		defer catch(&call, &err)
		call = "cuSecond"
		if thrown != nil {
			panic(thrown)
		}
		return nil
	}
	if err := attempt(nil); err != nil {
		t.Errorf("nothing failed: %v", err)
	}
	err := fmt.Errorf("outer: %w", attempt(cu.ERROR_OUT_OF_MEMORY))
	var e *Error
	if !errors.As(err, &e) || e.Call != "cuSecond" || e.Code != 2 || !strings.Contains(err.Error(), "cuSecond: ") ||
		!strings.Contains(err.Error(), "OUT_OF_MEMORY") {
		t.Errorf("out of memory: %v", err)
	}
	if !errors.Is(err, ErrOutOfMemory) || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is the wrong kind", err)
	}
	if err := attempt(cu.ERROR_NOT_SUPPORTED); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ErrOutOfMemory) {
		t.Errorf("%v is the wrong kind", err)
	}
	defer func() {
		if r := recover(); r != io.EOF {
			t.Errorf("another panic became %v", r)
		}
	}()
	_ = attempt(io.EOF)
}

func TestErrorTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&UnsupportedError{Feature: "peer access 0→1", Reason: "no link"}, "peer access 0→1 is not supported: no link"},
		{&PinError{Size: 4096, Limit: 8 << 20, Err: failed("cuMemHostRegister", cu.ERROR_OUT_OF_MEMORY)},
			"pin 4096 B: cuMemHostRegister: CUDA_ERROR_OUT_OF_MEMORY (2) (the limit on locked memory is 8192 KiB: `ulimit -l`"},
		{&PinError{Limit: ^uint64(0), Err: io.EOF}, "is unlimited"},
		{&LeakError{Device: "cpu 0", Leaks: []Leak{{Kind: "buffer", Site: "a.go:1", Func: "f", Device: "cpu 0", Size: 8, Space: Pinned}}},
			"cpu 0 closed with 1 leaked: buffer of 8 B (pinned) on cpu 0 from a.go:1 (f)"},
	} {
		if !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%q does not have %q", c.err, c.want)
		}
	}
	if err := error(&PinError{Err: failed("x", cu.ERROR_OUT_OF_MEMORY)}); !errors.Is(err, ErrOutOfMemory) {
		t.Error("a PinError hides why")
	}
	if !errors.Is(&UnsupportedError{}, errors.ErrUnsupported) {
		t.Error("an UnsupportedError is not ErrUnsupported")
	}
}

func TestNames(t *testing.T) {
	for _, s := range Spaces {
		if got, err := ParseSpace(s.String()); got != s || err != nil {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	for p := range Pages(len(pagesNames)) {
		if got, err := ParsePages(p.String()); got != p || err != nil {
			t.Errorf("%v: %v, %v", p, got, err)
		}
	}
	for w := range WaitMode(len(waitModes)) {
		if got, err := ParseWaitMode(w.String()); got != w || err != nil {
			t.Errorf("%v: %v, %v", w, got, err)
		}
	}
	for _, d := range Drivers {
		if got, err := ParseDriver(string(d)); got != d || err != nil {
			t.Errorf("%v: %v, %v", d, got, err)
		}
	}
	_, space := ParseSpace("moon")
	_, pages := ParsePages("moon")
	_, wait := ParseWaitMode("moon")
	_, driver := ParseDriver("moon")
	for _, err := range []error{space, pages, wait, driver} {
		if err == nil || !strings.Contains(err.Error(), "moon") {
			t.Errorf("a name that does not exist: %v", err)
		}
	}
}
