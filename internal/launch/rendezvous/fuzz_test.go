package rendezvous

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzServer sends bytes to a server whose secret is known, so that they can get in as PE 1. Whatever they are, PE 0
// gets an answer, and the server ends.
func FuzzServer(f *testing.F) {
	in := hello{rank: 1, size: 2}.bytes()
	f.Add([]byte{})
	f.Add([]byte(magic))
	f.Add(in)
	f.Add(append(in, frame(kindBye, nil)...))
	f.Add(append(in, frame(kindData, ask{0, time.Second, []byte("data")}.bytes())...))
	f.Add(append(in, frame(kindData, ask{3, time.Second, nil}.bytes())...))
	f.Add(append(in, kindData, 255, 255, 255, 255, 0))
	f.Add(append(in, frame(kindData, []byte{0, 0})...))
	f.Add(hello{rank: 9, size: 2}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s := started(t, 2, false)
		s.secret = [secretBytes]byte{}
		first := join(t, s, 0)
		network, address := "unix", s.door.address[len("unix:"):]
		c, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
		_, _ = c.Write(b)
		_ = c.(*net.UnixConn).CloseWrite()
		_, err = first.AllGather([]byte("x"), 5*time.Millisecond)
		var lost *LostError
		if err != nil && (!errors.As(err, &lost) || lost.Rank != 1) {
			t.Errorf("PE 0 was told %v", err)
		}
		s.Close()
		_ = c.Close()
	})
}
