package libmpi

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

func init() {
	parts["pingpong"] = pingpongPart
}

// pingpongPart is the Go side of docs/results' comparison with C: "LOOP BYTES ROUND_TRIPS [huge]", LOOP one of
// endpoint, driver, native. It prints what pingpong_mpi.c prints.
func pingpongPart(arg string) error {
	args := strings.Fields(arg)
	loop := args[0]
	bytes, _ := strconv.Atoi(args[1])
	iterations, _ := strconv.Atoi(args[2])
	d, err := openTest(Options{Size: 2})
	if err != nil {
		return err
	}
	_ = gpu.Pageable
	rank := d.Caps().Rank
	ep, err := transport.New(d, transport.Config{})
	if err != nil {
		return err
	}
	send, recv := testBuffer(bytes, len(args) > 3), testBuffer(bytes, len(args) > 3)
	ops := make([]transport.Op, 1)
	done := make([]transport.Completion, 1)
	do := d.Do
	one := func(kind transport.OpKind, m gpu.Memory) {
		ops[0] = transport.Op{Kind: kind, Ctx: 1, Peer: int32(1 - rank), Tag: 1, ID: 7, Buf: m}
		n, err := do(ops[:], done[:], 1000)
		for n == 0 && err == nil {
			n, err = d.Do(nil, done[:], 1000)
		}
		if err != nil || done[0].Err != nil || done[0].Len != bytes {
			panic(fmt.Sprint(err, done[0]))
		}
	}
	run := func(n int) float64 {
		start := time.Now()
		switch loop {
		case "endpoint":
			for range n {
				if rank == 0 {
					ep.Send(1, send, 1, 1)
					ep.Recv(1, recv, 1, 1)
				} else {
					ep.Recv(1, recv, 0, 1)
					ep.Send(1, send, 0, 1)
				}
			}
			return time.Since(start).Seconds()
		case "driver":
			for range n {
				if rank == 0 {
					one(transport.OpSend, send)
					one(transport.OpRecv, recv)
				} else {
					one(transport.OpRecv, recv)
					one(transport.OpSend, send)
				}
			}
			return time.Since(start).Seconds()
		default:
			t, err := d.NativePingpong(Loop{Ctx: 1, Peer: 1 - rank, Tag: 1, First: rank == 0, Send: send, Recv: recv, Bytes: bytes, Iterations: n})
			if err != nil {
				panic(err)
			}
			return t.Seconds()
		}
	}
	const batches = 20
	each := max(iterations/batches, 1)
	run(max(10, iterations/10))
	var samples []float64
	for range batches {
		samples = append(samples, run(each)/float64(each)/2)
	}
	sort.Float64s(samples)
	if rank == 0 {
		fmt.Printf("{\"program\": \"gpubench %s\", \"size_bytes\": %d, \"latency_s\": %.6g, \"min_s\": %.6g}\n",
			loop, bytes, (samples[batches/2]+samples[batches/2-1])/2, samples[0])
	}
	return d.Close()
}
