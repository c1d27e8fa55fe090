// Bits of device memory are flipped by the device.

package faulty_test

import (
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/faulty"
	"gpubench/runtimes/transport/inproc"
)

func TestFlipInDeviceMemory(t *testing.T) {
	dev, err := gpu.Open(gpu.Emulated, 0, gpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := dev.Bind(); err != nil {
		t.Fatal(err)
	}
	defer dev.Unbind()
	const n = 6000
	var buf [3]gpu.Memory
	for i, s := range []gpu.Space{gpu.OnDevice, gpu.OnDevice, gpu.Pinned} {
		b, err := dev.Alloc(s, n, gpu.DefaultPages)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Free()
		buf[i] = b.Memory()
	}
	from, to, host := buf[0], buf[1], buf[2]
	stream, err := dev.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()

	for _, path := range []transport.PathConfig{
		{Path: transport.Direct},
		{Path: transport.Staged, Staging: transport.Simple, StagingSpace: gpu.Pinned},
	} {
		f, err := faulty.Parse("flip:1:8@0")
		if err != nil {
			t.Fatal(err)
		}
		f.Device = dev
		w := inproc.NewWorld(2)
		var eps [2]*transport.Endpoint
		for r := range eps {
			d, err := w.Driver(r, dev)
			if err != nil {
				t.Fatal(err)
			}
			if eps[r], err = transport.New(faulty.Wrap(d, f), transport.Config{Device: dev}); err != nil {
				t.Fatal(err)
			}
			if err := eps[r].SetPath(path); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 2 { // the second message is whole
			if err := stream.Fill(from, 7); err != nil {
				t.Fatal(err)
			}
			if err := stream.Sync(); err != nil {
				t.Fatal(err)
			}
			send, err := eps[0].Isend(1, from, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			recv, err := eps[1].Irecv(1, to, 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			for sent, came := false, false; !sent || !came; {
				if !sent {
					if sent, _, err = eps[0].Test(send); err != nil {
						t.Fatal(err)
					}
				}
				if !came {
					if came, _, err = eps[1].Test(recv); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := stream.Copy(host, to); err != nil {
				t.Fatal(err)
			}
			if err := stream.Sync(); err != nil {
				t.Fatal(err)
			}
			for i, b := range host.Bytes() {
				want := byte(7)
				if round == 0 && i == 1 {
					want = 6
				}
				if b != want {
					t.Fatalf("%v, message %d: byte %d is %d, expected %d", path.Path, round+1, i, b, want)
				}
			}
		}
		for _, e := range eps {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
