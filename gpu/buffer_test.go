package gpu

import (
	"errors"
	"strings"
	"testing"
)

// A refusal to pin for a limit says which limit; any other keeps the driver's words alone.
func TestRegisterErrors(t *testing.T) {
	d, err := Open(Emulated, 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Bind(); err != nil {
		t.Fatal(err)
	}
	b, err := d.Alloc(Pinned, 100, DefaultPages)
	if err != nil {
		t.Fatal(err)
	}
	var pin *PinError
	var e *Error
	if err := register(b.host); !errors.As(err, &e) || errors.As(err, &pin) || !strings.Contains(err.Error(), "ALREADY_REGISTERED") {
		t.Errorf("memory pinned twice: %v", err)
	}
	if err := unregister(nil); !errors.As(err, &e) || e.Call != "cuMemHostUnregister" {
		t.Errorf("memory unpinned that is not pinned: %v", err)
	}
	if err := b.Free(); err != nil {
		t.Error(err)
	}
}
