package libmpi

import (
	"os"
	"testing"

	"gpubench/runtimes/transport"
)

func BenchmarkCross(b *testing.B) {
	d, err := OpenWith(os.Getenv(shimEnv), Options{Size: 1})
	if err != nil {
		b.Fatal(err)
	}
	m := testBuffer(8, false)
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			d.Do(nil, nil, 0)
		}
	})
	b.Run("empty1", func(b *testing.B) {
		var done [1]transport.Completion
		for b.Loop() {
			d.Do(nil, done[:], 1)
		}
	})
	b.Run("native", func(b *testing.B) {
		for b.Loop() {
			d.NativePingpong(Loop{Ctx: 1, Peer: 0, Tag: 1, First: true, Send: m, Recv: m, Bytes: 8, Iterations: 1000})
		}
	})
	b.Run("selfsendrecv", func(b *testing.B) {
		var ops [1]transport.Op
		var done [1]transport.Completion
		for b.Loop() {
			ops[0] = transport.Op{Kind: transport.OpSend, Ctx: 1, Peer: 0, Tag: 1, ID: 7, Buf: m}
			n, err := d.Do(ops[:], done[:], 1000)
			if n != 1 || err != nil {
				b.Fatal(n, err)
			}
			ops[0] = transport.Op{Kind: transport.OpRecv, Ctx: 1, Peer: 0, Tag: 1, ID: 7, Buf: m}
			n, err = d.Do(ops[:], done[:], 1000)
			if n != 1 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}
