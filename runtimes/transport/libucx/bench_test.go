// What messages cost, layer by layer, beside ucx_perftest: go test -bench . ./runtimes/transport/libucx
//
// Each figure is the best of many batches of one launch, so that it survives some load. Ratios that are to be published
// come from scripts/peers/compare.py.
package libucx

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["ping-pong"] = pingpongPart
	parts["bandwidth"] = bandwidthPart
}

// loops are the ways to send n messages back and forth.
var loops = []struct {
	name string
	run  func(d *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error
}{
	{"native", func(d *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error {
		_, err := d.NativePingpong(transport.Loop{Ctx: 1, Peer: 1 - ep.Rank(), Tag: 1, First: ep.Rank() == 0, Send: send, Recv: recv,
			Bytes: send.Len, Iterations: n})
		return err
	}},
	{"native-am", func(d *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error {
		_, err := d.NativePingpong(transport.Loop{Ctx: 1, Peer: 1 - ep.Rank(), Tag: 1, First: ep.Rank() == 0, Send: send, Recv: recv,
			Bytes: send.Len, Iterations: n, AM: true})
		return err
	}},
	{"endpoint", func(_ *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error {
		return transporttest.PingPong(ep, send, recv, n)
	}},
	{"headers", func(_ *Driver, ep *transport.Endpoint, send, _ gpu.Memory, n int) error {
		return transporttest.HeaderPingPong(ep, send, n)
	}},
}

// pin keeps this PE on the core of its number, as ucx_perftest -c does.
func pin(rank int) error {
	var set unix.CPUSet
	set.Set(rank)
	return unix.SchedSetaffinity(0, &set)
}

// pingpongPart runs one loop: "LOOP BYTES [cgo] [huge]". It prints the best batch's half round trip.
func pingpongPart(arg string) error {
	words := strings.Fields(arg)
	bytes, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	d, err := openTest(Options{}, arg)
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	if err := pin(ep.Rank()); err != nil {
		return err
	}
	huge := strings.Contains(arg, "huge")
	send, recv := testBuffer(bytes, huge), testBuffer(bytes, huge)
	each := max(10, min(2000, 4<<20/(bytes+1000)))
	best := time.Hour
	for range 100 {
		for _, l := range loops {
			if l.name != words[0] {
				continue
			}
			start := time.Now()
			if err := l.run(d, ep, send, recv, each); err != nil {
				return err
			}
			best = min(best, time.Since(start))
		}
	}
	if ep.Rank() == 0 {
		fmt.Printf("best %g\n", float64(best.Nanoseconds())/float64(2*each))
	}
	return ep.Close()
}

// bandwidthPart runs the native loop: "WAY BYTES [huge]", with windows of 64. It prints the best batch's MB/s.
func bandwidthPart(arg string) error {
	words := strings.Fields(arg)
	bytes, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	d, err := openTest(Options{}, arg)
	if err != nil {
		return err
	}
	rank := d.Caps().Rank
	if err := pin(rank); err != nil {
		return err
	}
	huge := strings.Contains(arg, "huge")
	l := transport.Loop{Ctx: 1, Peer: 1 - rank, Tag: 1, First: rank == 0, Send: testBuffer(bytes, huge), Recv: testBuffer(bytes, huge),
		Bytes: bytes, Window: 64, Iterations: max(1, min(100, 1<<20/(bytes+1000))), AM: words[0] == "am"}
	best := time.Hour
	for range 60 {
		took, err := d.NativeBandwidth(l)
		if err != nil {
			return err
		}
		best = min(best, took)
	}
	if rank == 0 {
		fmt.Printf("best %g\n", float64(bytes*l.Window*l.Iterations)/1e6/best.Seconds())
	}
	return d.Close()
}

func BenchmarkPingPong(b *testing.B) {
	u := theUCX(b)
	for _, bytes := range []int{8, 1 << 10, 64 << 10, 1 << 20} {
		for _, l := range loops {
			for _, how := range []string{"", " cgo"} {
				if l.name == "headers" && bytes > 1<<10 || strings.HasPrefix(l.name, "native") && how != "" {
					continue
				}
				b.Run(fmt.Sprintf("%s%s/%d", l.name, how, bytes), func(b *testing.B) {
					for range b.N {
						out := u.ok(b, 2, "ping-pong", fmt.Sprint(l.name, " ", bytes, how), "best ")
						b.ReportMetric(transporttest.Number(b, out, "best"), "ns/message")
					}
				})
			}
		}
		for _, test := range []string{"tag_lat", "ucp_am_lat"} {
			b.Run(fmt.Sprintf("ucx_perftest-%s/%d", test, bytes), func(b *testing.B) {
				for range b.N {
					average, _ := u.perftest(b, test, bytes)
					b.ReportMetric(average*1e3, "ns/message")
				}
			})
		}
	}
}

func BenchmarkBandwidth(b *testing.B) {
	u := theUCX(b)
	for _, bytes := range []int{8, 1 << 10, 64 << 10, 1 << 20} {
		for _, way := range []struct{ name, test string }{{"tag", "tag_bw"}, {"am", "ucp_am_bw"}} {
			b.Run(fmt.Sprintf("native-%s/%d", way.name, bytes), func(b *testing.B) {
				for range b.N {
					out := u.ok(b, 2, "bandwidth", fmt.Sprint(way.name, " ", bytes), "best ")
					b.ReportMetric(transporttest.Number(b, out, "best"), "MB/s")
				}
			})
			b.Run(fmt.Sprintf("ucx_perftest-%s/%d", way.test, bytes), func(b *testing.B) {
				for range b.N {
					_, rate := u.perftest(b, way.test, bytes)
					b.ReportMetric(rate*(1<<20)/1e6, "MB/s")
				}
			})
		}
	}
}

// perftest runs UCX's own program: the median latency in µs and the bandwidth in MiB/s of the best of several launches.
// Its buffers have pages of the default size, and so have ours here. -y: payloads of active messages are copied out.
func (u ucx) perftest(t testing.TB, test string, bytes int) (latencyUS, rate float64) {
	t.Helper()
	exe := filepath.Join(u.folder, "bin", "ucx_perftest")
	if _, err := os.Stat(exe); err != nil {
		t.Skip("no ucx_perftest: ", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	run := func(core int, host ...string) *exec.Cmd {
		n := max(500, min(20000, 40<<20/(bytes+1000)))
		c := exec.Command(exe, append(host, "-t", test, "-s", strconv.Itoa(bytes), "-n", strconv.Itoa(n), "-w", "200", "-p", port,
			"-c", strconv.Itoa(core), "-O", "64", "-y", "-v", "-f")...)
		c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(u.folder, "lib"))
		return c
	}
	for range 5 {
		server := run(1)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		var out []byte
		for range 100 {
			if out, err = run(0, "127.0.0.1").CombinedOutput(); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond) // the server does not listen yet
		}
		if err != nil {
			_ = server.Process.Kill()
		}
		_ = server.Wait()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		// iterations, median, average, overall (µs), average, overall (MiB/s), average, overall (messages/s)
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		f := strings.Split(lines[len(lines)-1], ",")
		if len(f) < 8 {
			t.Fatalf("not understood:\n%s", out)
		}
		us, err1 := strconv.ParseFloat(f[1], 64)
		mib, err2 := strconv.ParseFloat(f[5], 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("not understood:\n%s", out)
		}
		if latencyUS == 0 || us < latencyUS {
			latencyUS = us
		}
		rate = max(rate, mib)
	}
	return latencyUS, rate
}
