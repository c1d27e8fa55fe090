// Chares that move between processes, over UCX and MPI: the test binary starts itself again as PEs.
package charm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/launch/rendezvous"
	"gpubench/internal/library/librarytest"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/libmpi"
	"gpubench/runtimes/transport/libucx"
	"gpubench/runtimes/transport/transporttest"
)

// travelAsProcess is one PE: caravans of three chares change places three times.
func travelAsProcess(over, arg string) error {
	runtime.LockOSThread()
	rank := 0
	for _, name := range []string{"GPUBENCH_RANK", "OMPI_COMM_WORLD_RANK"} {
		fmt.Sscan(os.Getenv(name), &rank)
	}
	dev, err := transporttest.OpenDevice(arg, rank)
	if err != nil {
		return err
	}
	var d transport.Driver
	lib := os.Getenv("GPUBENCH_LIB")
	switch over {
	case "ucx":
		x, err := rendezvous.Open(os.Getenv, 30*time.Second)
		if err != nil {
			return err
		}
		defer x.Close()
		if d, err = libucx.OpenWith(filepath.Join(lib, "libgpubench_ucx.so"), x, libucx.Options{Device: transporttest.Given(arg)}); err != nil {
			return err
		}
	case "mpi":
		if d, err = libmpi.OpenWith(filepath.Join(lib, "libgpubench_mpi.so"), libmpi.Options{Size: 2}); err != nil {
			return err
		}
	}
	ep, err := transport.New(d, transport.Config{Device: dev, Deadline: 30 * time.Second, Yield: true})
	if err != nil {
		return err
	}
	path := transport.PathConfig{Path: transport.Staged, Chunk: 64 << 10}
	if transporttest.Given(arg) {
		path = transport.PathConfig{Path: transport.Direct}
	}
	if err := ep.SetPath(path); err != nil {
		return err
	}
	if err := travelOn(ep); err != nil {
		return fmt.Errorf("PE %d: %w", rank, err)
	}
	if err := ep.Close(); err != nil {
		return err
	}
	for _, l := range gpu.Leaks() {
		if strings.HasPrefix(l.String(), "buffer") {
			return fmt.Errorf("PE %d: leak: %v", rank, l)
		}
	}
	return nil
}

func travelOn(ep *transport.Endpoint) error {
	rt, err := charm.New(ep, charm.Config{Yield: true, Deadline: 20 * time.Second})
	if err != nil {
		return err
	}
	by, err := charm.BalancerOf("rotate", charm.BalanceConfig{})
	if err != nil {
		return err
	}
	err = caravans(rt, by, 3, 3, nil, func(rt *charm.Runtime, arr charm.Array[caravan]) error {
		s := rt.Balancing(arr)
		if s.Moves != 9 {
			return fmt.Errorf("%+v", s)
		}
		fmt.Fprintf(os.Stderr, "PE %d: %d chares left, %d B, within %v\n", ep.Rank(), s.Sent, s.Bytes, s.Moving)
		return nil
	})
	return firstOf(err, rt.Close())
}

func TestMovesBetweenProcesses(t *testing.T) {
	lib := os.Getenv("GPUBENCH_LIB")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, over, needs, require string }{
		{"ucx, staged", "ucx", "libgpubench_ucx.so", "GPUBENCH_REQUIRE_UCX"},
		{"ucx, direct", "ucx", "libgpubench_ucx.so", "GPUBENCH_REQUIRE_UCX"},
		{"mpi, staged", "mpi", "libgpubench_mpi.so", "GPUBENCH_REQUIRE_MPI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && !strings.Contains(c.name, "direct") {
				t.Skip("one launch is enough")
			}
			mpirun := librarytest.Setup("GPUBENCH_MPIRUN_OPENMPI")
			if _, err := os.Stat(filepath.Join(lib, c.needs)); lib == "" || err != nil || c.over == "mpi" && mpirun == "" {
				if os.Getenv(c.require) == "1" {
					t.Fatalf("%s=1, but GPUBENCH_LIB=%s has no %s, or GPUBENCH_MPIRUN_OPENMPI is not set", c.require, lib, c.needs)
				}
				t.Skip("GPUBENCH_LIB names no folder with " + c.needs)
			}
			arg := "device"
			if strings.Contains(c.name, "direct") {
				arg = "direct=" + librarytest.Emulated(t)
			}
			env := append(os.Environ(), partEnv+"="+c.over, partEnv+"_ARG="+arg)
			ctx, stop := context.WithTimeout(context.Background(), time.Minute)
			defer stop()
			var out bytes.Buffer
			if c.over == "mpi" {
				cmd := exec.CommandContext(ctx, mpirun, "-n", "2", "--oversubscribe", "--bind-to", "none", self)
				cmd.Env = append(env, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
				cmd.Stdout, cmd.Stderr = &out, &out
				err = cmd.Run()
			} else {
				var status int
				if status, err = launch.RunLocal(ctx, launch.LocalJob{N: 2, Argv: []string{self}, Env: env, Stderr: &out}); status != 0 && err == nil {
					err = fmt.Errorf("exit status %d", status)
				}
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			t.Log(out.String())
		})
	}
}
