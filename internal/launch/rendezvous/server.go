// The server: in the process that started the PEs.

package rendezvous

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// Bounds of what a stranger can cost. A PE says who it is as soon as it is connected.
const (
	helloLimit = 5 * time.Second  // for the hello
	writeLimit = 10 * time.Second // for a PE to take an answer
	maxSilent  = 64               // connections that have not said who they are
)

// Server brings the PEs of one job together. It listens until each of them has come, and then on no more.
type Server struct {
	size   int
	secret [secretBytes]byte
	door   *door
	wg     sync.WaitGroup
	hello  time.Duration

	mu     sync.Mutex
	silent []net.Conn       // in the order in which they came
	conns  map[int]net.Conn // by rank
	came   map[int]bool
	lost   map[int]*LostError
	number uint32 // of the round
	round  *round
	closed bool
}

// round is one AllGather.
type round struct {
	data [][]byte
	have int
	err  *LostError
	done chan struct{} // closed when all data is there, or err is
}

func newRound(n int) *round { return &round{data: make([][]byte, n), done: make(chan struct{})} }

// Serve starts the server of a job of n PEs. It listens on a Unix socket in a folder that this user alone can enter, or
// on loopback where there can be none.
func Serve(n int) (*Server, error) {
	parents := []string{os.TempDir()}
	if parents[0] != "/tmp" {
		parents = append(parents, "/tmp") // TMPDIR may be too long a path for a socket
	}
	return serve(n, helloLimit, parents...)
}

func serve(n int, hello time.Duration, parents ...string) (*Server, error) {
	if n < 1 || n > MaxSize {
		return nil, fmt.Errorf("rendezvous: %d PEs: give 1 to %d", n, MaxSize)
	}
	s := &Server{size: n, hello: hello, round: newRound(n),
		conns: map[int]net.Conn{}, came: map[int]bool{}, lost: map[int]*LostError{}}
	_, _ = rand.Read(s.secret[:]) // it never fails
	var err error
	if s.door, err = openDoor(parents...); err != nil {
		return nil, fmt.Errorf("rendezvous: cannot listen in %q nor on loopback: %w; name a folder that can be written in TMPDIR", parents, err)
	}
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// Env is what the environment of a PE must have.
func (s *Server) Env(rank int) []string {
	return []string{
		EnvRank + "=" + strconv.Itoa(rank),
		EnvSize + "=" + strconv.Itoa(s.size),
		EnvAddress + "=" + s.door.address,
		EnvSecret + "=" + hex.EncodeToString(s.secret[:]),
	}
}

// Lost tells the other PEs that one has ended, as "was killed by signal 9".
func (s *Server) Lost(rank int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose(rank, reason)
}

// lose ends the round that waits for a PE. s.mu is held.
func (s *Server) lose(rank int, reason string) {
	if s.lost[rank] != nil {
		return
	}
	s.lost[rank] = &LostError{rank, reason}
	s.settle()
}

// settle ends the round when all data is there or cannot come. s.mu is held.
func (s *Server) settle() {
	r := s.round
	for rank := range s.size {
		if e := s.lost[rank]; e != nil && r.data[rank] == nil {
			// It stays the current round: nobody can ever get beyond it.
			if r.err == nil {
				r.err = e
				close(r.done)
			}
			return
		}
	}
	if r.have == s.size {
		close(r.done)
		s.number++
		s.round = newRound(s.size)
		s.settle() // a PE may be lost for the next one already
	}
}

// Close ends the exchange for all PEs, and waits for what runs for them.
func (s *Server) Close() {
	s.mu.Lock()
	listening := !s.closed && !s.complete()
	s.closed = true
	for _, c := range s.silent {
		_ = c.Close()
	}
	for _, c := range s.conns {
		_ = c.Close()
	}
	for rank := range s.size {
		s.lose(rank, "has ended, as the whole job has")
	}
	s.mu.Unlock()
	if listening {
		_ = s.door.Close()
	}
	s.wg.Wait()
}

// complete reports that each PE has come. s.mu is held.
func (s *Server) complete() bool { return len(s.came) == s.size }

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		c, err := s.door.Accept()
		if err != nil {
			s.mu.Lock()
			over := s.closed || s.complete()
			s.mu.Unlock()
			if over {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors
			continue
		}
		if !s.greet(c) {
			_ = c.Close()
		}
	}
}

// greet has a new connection served, unless the server is closed.
func (s *Server) greet(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if len(s.silent) >= maxSilent {
		_ = s.silent[0].Close() // whose reader takes it off the list, or has done so below
		s.silent = s.silent[1:]
	}
	s.silent = append(s.silent, c)
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer c.Close()
		if rank, ok := s.admit(c); ok {
			s.serve(rank, c)
		}
	}()
	return true
}

// admit lets a PE in, once. Whoever is none is told why not, and costs no more than its connection.
func (s *Server) admit(c net.Conn) (rank int, ok bool) {
	_ = c.SetDeadline(time.Now().Add(s.hello))
	buf := make([]byte, helloBytes)
	_, err := io.ReadFull(c, buf)
	h, well := parseHello(buf)
	right := subtle.ConstantTimeCompare(h.secret[:], s.secret[:]) == 1
	refusal := ""

	s.mu.Lock()
	for i, o := range s.silent {
		if o == c {
			s.silent = append(s.silent[:i], s.silent[i+1:]...)
			break
		}
	}
	rank = int(h.rank)
	switch {
	case err != nil || s.closed:
		s.mu.Unlock()
		return 0, false
	case !well:
		refusal = "this is no gpubench PE of this version"
	case !right:
		refusal = "the secret is wrong"
	case rank >= s.size || int(h.size) != s.size:
		refusal = fmt.Sprintf("there is no PE %d of %d: the job has %d", h.rank, h.size, s.size)
	case s.came[rank]:
		refusal = fmt.Sprintf("PE %d is here already, or was", rank)
	default:
		s.came[rank] = true
		s.conns[rank] = c
	}
	all := refusal == "" && s.complete()
	s.mu.Unlock()

	if refusal != "" {
		_, _ = c.Write(frame(kindRefused, []byte(refusal)))
		return 0, false
	}
	if all {
		_ = s.door.Close() // nobody else is to come, and nothing is left on disk if we are killed
	}
	if _, err := c.Write(frame(kindWelcome, nil)); err != nil {
		s.Lost(rank, "is gone: "+short(err))
		return 0, false
	}
	return rank, true
}

// serve carries out a PE's part until it leaves or breaks.
func (s *Server) serve(rank int, c net.Conn) {
	reason := s.rounds(rank, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, rank)
	s.lose(rank, reason)
}

// rounds answers a PE's rounds and returns why there are no more.
func (s *Server) rounds(rank int, c net.Conn) (reason string) {
	for {
		_ = c.SetDeadline(time.Time{}) // a PE may work for hours between two rounds
		kind, body, err := readFrame(c, askBytes+MaxData)
		if err != nil {
			return "is gone: " + short(err)
		}
		if kind == kindBye {
			return "has left"
		}
		a, ok := parseAsk(body)
		if kind != kindData || !ok {
			return "is gone: it sent nonsense"
		}
		r, ok := s.contribute(rank, a)
		if !ok {
			return fmt.Sprintf("is gone: it spoke of round %d out of turn", a.round)
		}
		timer := time.NewTimer(a.timeout)
		select {
		case <-r.done:
		case <-timer.C:
		}
		timer.Stop()
		_ = c.SetWriteDeadline(time.Now().Add(writeLimit))
		if err := s.answer(c, r, a.timeout); err != nil {
			return "is gone: " + short(err)
		}
	}
}

// contribute puts a PE's data into the current round.
func (s *Server) contribute(rank int, a ask) (*round, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.round
	if a.round != s.number || r.data[rank] != nil {
		return nil, false
	}
	r.data[rank] = a.data
	r.have++
	if r.err == nil {
		s.settle()
	}
	return r, true
}

// answer sends what came of a round.
func (s *Server) answer(c net.Conn, r *round, timeout time.Duration) error {
	s.mu.Lock()
	lost := r.err
	if lost == nil && r.have < s.size { // the time is over
		for rank, d := range r.data {
			if d == nil {
				lost = &LostError{rank, fmt.Sprintf("did not come within %v", timeout)}
				break
			}
		}
	}
	s.mu.Unlock()
	if lost != nil {
		_, err := c.Write(frame(kindLost, lost.bytes()))
		return err
	}
	for _, d := range r.data { // complete: nobody writes to it any more
		if _, err := c.Write(frame(kindData, d)); err != nil {
			return err
		}
	}
	return nil
}

// short says what a broken connection means.
func short(err error) string {
	if err == io.EOF {
		return "its connection was closed"
	}
	return err.Error()
}
