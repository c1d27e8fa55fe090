package device

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

// onDevice runs f as the one PE of a device, and fails where something of it was not given back.
func onDevice(t *testing.T, driver gpu.Driver, ordinal int, f func(pe *bench.PE)) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dev, err := gpu.Open(driver, ordinal, gpu.Options{Threads: 1, Wait: gpu.Yield})
	must(t, err)
	must(t, dev.Bind())
	defer func() {
		must(t, kernels.Unload(dev))
		dev.Unbind()
		must(t, dev.Close())
	}()
	d, err := inproc.NewWorld(1).Driver(0, dev)
	must(t, err)
	ep, err := transport.New(d, transport.Config{Device: dev})
	must(t, err)
	defer func() { must(t, ep.Close()) }()
	others := &Pool{}
	defer func() { must(t, others.Close()) }()
	f(&bench.PE{Size: 1, Device: dev, Endpoint: ep, Control: bench.NewControl(ep),
		Services: map[string]any{bench.CacheBytes: int64(1 << 16), Others: others}})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// params are a settled case's.
func params(t *testing.T, b *bench.Benchmark, driver gpu.Driver, own result.Params) result.Params {
	t.Helper()
	p := result.Params{"model": nil, "transport": nil, "device": string(driver), "path": nil, "pes": int64(1), "buffers": "same",
		"pages": "default", "validate": true, "seconds": nil, "warmup": int64(2)}
	for _, x := range b.Params {
		p[x.Name] = x.Default
	}
	p["iterations"] = int64(40)
	for k, v := range own {
		p[k] = v
	}
	if flag, err := b.Settle(p); err != nil {
		t.Fatalf("%s: %v", flag, err)
	}
	return p
}

func run(t *testing.T, pe *bench.PE, b *bench.Benchmark, p result.Params) result.Record {
	t.Helper()
	rec, err := bench.Run(pe, b, bench.Case{Params: p})
	must(t, err)
	line, err := result.Line(rec)
	must(t, err)
	must(t, result.Check(line))
	return rec
}

// right fails unless a case was measured, and some of it checked.
func right(t *testing.T, rec result.Record) {
	t.Helper()
	v := rec.Validation
	if rec.Status != result.OK || v == nil || v.Checked == 0 || v.Sent < v.Checked || v.Errors != 0 {
		t.Errorf("%v: %s %s %+v", rec.Params, rec.Status, rec.Reason, v)
		return
	}
	for name, m := range rec.Metrics {
		if !(m.Median > 0) {
			t.Errorf("%v: %s is %v", rec.Params, name, m.Median)
		}
	}
}

// Every direction, engine and memory, one way and both, to the last byte of odd sizes, with one buffer and with many.
func TestCopiesArriveWhole(t *testing.T) {
	n := 0
	onDevice(t, gpu.Emulated, 1, func(pe *bench.PE) {
		for _, direction := range []string{hostToDevice, deviceToHost, deviceToDevice} {
			for _, engine := range []string{byCopy, byKernel} {
				for _, space := range []string{"pinned", "pageable"} {
					for _, ways := range []string{"one", "both"} {
						for ends := range int64(4) {
							own := result.Params{"direction": direction, "engine": engine, "host_space": space, "ways": ways,
								"from": ends / 2, "to": ends % 2, "size_bytes": int64(40_000), "iterations": int64(12)}
							if engine == byCopy {
								own["size_bytes"] = int64(12_345)
							}
							if space == "pageable" && (direction == deviceToDevice || engine == byKernel || ways == "both") ||
								direction != deviceToDevice && ends > 1 || testing.Short() && ends == 2 {
								continue
							}
							if ends == 1 {
								own["buffers"] = "rotate"
							}
							right(t, run(t, pe, Copies, params(t, Copies, gpu.Emulated, own)))
							n++
						}
					}
				}
			}
		}
	})
	onDevice(t, gpu.CPU, 0, func(pe *bench.PE) {
		for _, engine := range []string{byCopy, byKernel} {
			for _, size := range []int64{8, 40_000, 1<<20 + 8} {
				for _, buffers := range []string{"same", "rotate"} {
					p := params(t, Copies, gpu.CPU, result.Params{"engine": engine, "size_bytes": size, "buffers": buffers})
					right(t, run(t, pe, Copies, p))
					n++
				}
			}
		}
	})
	if n < 30 {
		t.Errorf("%d cases", n)
	}
}

// The sizes, operations and buffers of streams.
func TestStreamsAreRight(t *testing.T) {
	for _, driver := range []gpu.Driver{gpu.CPU, gpu.Emulated} {
		onDevice(t, driver, 0, func(pe *bench.PE) {
			for _, op := range []string{opCopy, opTriad} {
				for _, size := range []int64{8, 4096, chunk + 64} {
					if testing.Short() && size > 4096 {
						continue
					}
					for _, buffers := range []string{"same", "rotate"} {
						p := params(t, Streams, driver, result.Params{"operation": op, "size_bytes": size, "buffers": buffers, "iterations": int64(2)})
						rec := run(t, pe, Streams, p)
						right(t, rec)
						if rec.Status != result.OK {
							continue
						}
						ratio := rec.Metrics["traffic_bandwidth"].Median / rec.Metrics["bandwidth"].Median
						if want := map[string]float64{opCopy: 2, opTriad: 3}[op]; ratio < want*0.999 || ratio > want*1.001 {
							t.Errorf("%s: traffic is %g times the payload, want %g", op, ratio, want)
						}
					}
				}
			}
		})
	}
}

func TestLatenciesAreOfWhatWasDone(t *testing.T) {
	for _, driver := range []gpu.Driver{gpu.CPU, gpu.Emulated} {
		onDevice(t, driver, 0, func(pe *bench.PE) {
			for _, op := range Latencies.Params[0].Values {
				rec := run(t, pe, Latencies, params(t, Latencies, driver, result.Params{"operation": op, "iterations": int64(1200), "nodes": int64(3)}))
				right(t, rec)
				if (rec.Params["nodes"] != nil) != (op == opGraph) {
					t.Errorf("%s has nodes %v", op, rec.Params["nodes"])
				}
			}
		})
	}
}

// Both ways count twice, each byte once.
func TestCopyBandwidth(t *testing.T) {
	p := result.Params{"size_bytes": int64(1000), "ways": "one"}
	if v := copyBandwidth(p, 4, 2e-6); v != 2e9 {
		t.Errorf("one way: %g B/s", v)
	}
	if v := copyBandwidth(p.With("ways", "both"), 4, 2e-6); v != 4e9 {
		t.Errorf("both ways: %g B/s", v)
	}
}

// Combinations that are the same copy settle to the same parameters, and those that cannot be say what to give.
func TestSettleCopy(t *testing.T) {
	ids := func(driver string, change ...result.Params) map[string]bool {
		out := map[string]bool{}
		for _, c := range change {
			p := result.Params{"device": driver, "direction": hostToDevice, "engine": byCopy, "host_space": "pinned", "ways": "one",
				"from": int64(0), "to": int64(0), "size_bytes": int64(64)}
			for k, v := range c {
				p[k] = v
			}
			if flag, err := settleCopy(p); err != nil {
				t.Errorf("%v: %s: %v", c, flag, err)
			}
			out[result.ID("devcopy", p)] = true
		}
		return out
	}
	for name, got := range map[string]map[string]bool{
		"a copy to a device has no source device": ids("cuda", result.Params{}, result.Params{"from": int64(1)}),
		"nor one from it a destination":           ids("cuda", result.Params{"direction": deviceToHost}, result.Params{"direction": deviceToHost, "to": int64(1)}),
		"both ways are one, whichever is first": ids("cuda", result.Params{"ways": "both", "to": int64(1)},
			result.Params{"ways": "both", "direction": deviceToHost, "from": int64(1)}),
		"and so of two devices": ids("cuda", result.Params{"ways": "both", "direction": deviceToDevice, "to": int64(1)},
			result.Params{"ways": "both", "direction": deviceToDevice, "from": int64(1)}),
		"within a device there is one way": ids("cuda", result.Params{"direction": deviceToDevice, "ways": "both"}, result.Params{"direction": deviceToDevice}),
		"and no host memory":               ids("cuda", result.Params{"direction": deviceToDevice, "host_space": "pageable"}, result.Params{"direction": deviceToDevice}),
		"on cpu all is one": ids("cpu", result.Params{}, result.Params{"direction": deviceToDevice, "from": int64(1)}, result.Params{"ways": "both"},
			result.Params{"host_space": "pageable"}),
	} {
		if len(got) != 1 {
			t.Errorf("%s: %d cases", name, len(got))
		}
	}
	there := ids("cuda", result.Params{"direction": deviceToDevice, "to": int64(1)}, result.Params{"direction": deviceToDevice, "from": int64(1)})
	if len(there) != 2 {
		t.Errorf("one way between two devices: %d cases, want one each way", len(there))
	}
	for _, c := range []struct {
		change result.Params
		flag   string
	}{
		{result.Params{"engine": byKernel, "size_bytes": int64(12)}, "--engine"},
		{result.Params{"engine": byKernel, "host_space": "pageable"}, "--host-space"},
		{result.Params{"ways": "both", "host_space": "pageable"}, "--host-space"},
	} {
		p := result.Params{"device": "cuda", "direction": hostToDevice, "engine": byCopy, "host_space": "pinned", "ways": "one",
			"from": int64(0), "to": int64(0), "size_bytes": int64(64)}
		for k, v := range c.change {
			p[k] = v
		}
		if flag, err := settleCopy(p); flag != c.flag || err == nil {
			t.Errorf("%v: %s: %v, want %s", c.change, flag, err, c.flag)
		}
	}
}

// faulty is the environment of a child that runs a case on a device with faults.
const faulty = "GPUBENCH_TEST_FAULTY"

// TestFaultyChild is what TestWrongDataIsCaught starts: the emulated device reads its faults once in a process.
func TestFaultyChild(t *testing.T) {
	which := os.Getenv(faulty)
	if which == "" {
		t.Skip("started by another test")
	}
	onDevice(t, gpu.Emulated, 0, func(pe *bench.PE) {
		b, own := Copies, result.Params{"size_bytes": int64(4096), "from": int64(0), "to": int64(1)}
		switch which {
		case "stream":
			b = Streams
		case opGraph:
			b, own = Latencies, result.Params{"operation": opGraph}
		case "noPeer":
			own["direction"] = deviceToDevice
		default:
			own["direction"] = which
		}
		rec := run(t, pe, b, params(t, b, gpu.Emulated, own))
		fmt.Println("RESULT", rec.Status, rec.Reason)
	})
}

// What is timed behind a gate begins when all of a round is queued, however long that takes; a long batch is several
// rounds. On the host's clock nothing holds the stream.
func TestQueueingIsNotTimed(t *testing.T) {
	onDevice(t, gpu.Emulated, 0, func(pe *bench.PE) {
		for _, byHost := range []bool{false, true} {
			s, err := openSide(pe, 0)
			must(t, err)
			tm, err := newTimer(s, byHost)
			must(t, err)
			var clk bench.Clock
			const n, each = 1200, 2
			rounds, next := 0, 0
			must(t, tm.time(n, each, &clk, func(lo, hi int) error {
				if lo != next || (hi-lo)*each > kernels.GateDepth && !byHost {
					t.Errorf("a round from %d to %d after %d", lo, hi, next)
				}
				rounds, next = rounds+1, hi
				for range (hi - lo) * each {
					must(t, s.set.Nothing(s.stream))
				}
				if byHost {
					return s.stream.Sync() // would not end behind a gate
				}
				if reached, err := tm.first.Query(); reached || err != nil {
					t.Errorf("round %d is queued, and has begun: %v, %v", rounds, reached, err)
				}
				return nil
			}))
			if want := map[bool]int{false: 5, true: 1}[byHost]; rounds != want || next != n {
				t.Errorf("by host %v: %d rounds to %d, want %d to %d", byHost, rounds, next, want, n)
			}
			if d, ok := clk.Elapsed(); !ok || d <= 0 {
				t.Errorf("by host %v: %v, %v", byHost, d, ok)
			}
			must(t, tm.close())
			must(t, s.close())
		}
	})
}

// Other devices stay open from case to case, and without a pool each case closes its own.
func TestOtherDevices(t *testing.T) {
	onDevice(t, gpu.Emulated, 1, func(pe *bench.PE) {
		p := params(t, Copies, gpu.Emulated, result.Params{"direction": deviceToDevice, "from": int64(0), "to": int64(1), "size_bytes": int64(64)})
		right(t, run(t, pe, Copies, p))
		pool := pe.Services[Others].(*Pool)
		kept := pool.open[0]
		if kept == nil || len(pool.open) != 1 {
			t.Fatalf("%d devices are kept, want device 0 alone", len(pool.open))
		}
		right(t, run(t, pe, Copies, p))
		if pool.open[0] != kept {
			t.Error("device 0 was opened anew")
		}
		delete(pe.Services, Others)
		right(t, run(t, pe, Copies, p))
	})
}
