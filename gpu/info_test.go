package gpu

import "testing"

// List says the same of each device as opening it does, and leaves none in use.
func TestList(t *testing.T) {
	for _, d := range []Driver{Emulated, CPU} {
		n, err := Count(d)
		if err != nil {
			t.Fatal(err)
		}
		list, err := List(d)
		if err != nil || len(list) != n || n == 0 {
			t.Fatalf("%s: %d of %d devices listed, %v", d, len(list), n, err)
		}
		seen := map[string]bool{}
		for i, info := range list {
			dev, err := Open(d, i, Options{Wait: Block})
			if err != nil { // in use with another way of waiting: List made a context
				t.Fatal(err)
			}
			if dev.Info() != info || seen[info.UUID] {
				t.Errorf("%v: listed as %+v, opened as %+v", dev, info, dev.Info())
			}
			seen[info.UUID] = true
			if err := dev.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := List("abacus"); err == nil {
		t.Error("an unknown driver has a list")
	}
}
