package mpi_test

import (
	"fmt"
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/transport"
)

// A posted message arrives whatever its length and path; a short one over inproc leaves nothing to wait for.
func TestPost(t *testing.T) {
	for _, c := range []struct {
		driver gpu.Driver
		path   transport.PathConfig
	}{
		{"", transport.PathConfig{}},
		{gpu.Emulated, transport.PathConfig{Path: transport.Staged, StagingSpace: gpu.Pinned}},
	} {
		for _, n := range []int{0, 8, 100000} {
			launch(t, 2, c.driver, c.path, func(comm *mpi.Comm) error {
				out, in := make([]byte, n), make([]byte, n)
				for i := range out {
					out[i] = byte(i*7 + comm.Rank())
				}
				peer := 1 - comm.Rank()
				r, err := comm.Post(host(out), peer, 3)
				if err != nil {
					return err
				}
				if c.driver == "" && n == 8 && !r.IsZero() {
					return fmt.Errorf("a message of %d B is still under way", n)
				}
				if _, err := comm.Recv(host(in), peer, 3); err != nil {
					return err
				}
				if _, err := comm.Wait(r); err != nil {
					return err
				}
				for i := range in {
					if want := byte(i*7 + peer); in[i] != want {
						return fmt.Errorf("byte %d is %#x, want %#x", i, in[i], want)
					}
				}
				r, err = comm.Post(host(out), mpi.ProcNull, 3)
				if err != nil || !r.IsZero() {
					return fmt.Errorf("to nobody: %v, %v", r, err)
				}
				return nil
			})
		}
	}
}
