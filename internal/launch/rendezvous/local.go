// The PE's side of the server.

package rendezvous

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// local is a PE that gpubench's own launcher started.
type local struct {
	rank, size int
	c          net.Conn
	round      uint32
	err        error // of the round that failed
}

// slack is how much later than the server, which can say who is missing, a PE gives up by itself.
const slack = 2 * time.Second

func openLocal(getenv func(string) string, timeout time.Duration) (Exchange, error) {
	h, network, address, err := settings(getenv)
	if err != nil {
		return nil, err
	}
	end := time.Now().Add(timeout)
	c, err := (&net.Dialer{Deadline: end}).Dial(network, address)
	if err != nil {
		return nil, fmt.Errorf("rendezvous: the launcher of this PE is not there: %w", err)
	}
	_ = c.SetDeadline(end)
	_, err = c.Write(h.bytes())
	var kind byte
	var body []byte
	if err == nil {
		kind, body, err = readFrame(c, maxText)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = late("hello", timeout)
	case err != nil:
		err = fmt.Errorf("rendezvous: the launcher hung up: %w", err)
	case kind == kindRefused:
		err = fmt.Errorf("rendezvous: refused: %s", body)
	case kind != kindWelcome:
		err = fmt.Errorf("rendezvous: at %s is no launcher of gpubench's", address)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return &local{rank: int(h.rank), size: int(h.size), c: c}, nil
}

// settings reads and checks the variables.
func settings(getenv func(string) string) (h hello, network, address string, err error) {
	bad := func(name, is string) error {
		return fmt.Errorf("rendezvous: %s=%q is not %s: gpubench's own launcher sets it; unset it otherwise", name, getenv(name), is)
	}
	size, err := strconv.Atoi(getenv(EnvSize))
	if err != nil || size < 1 || size > MaxSize {
		return h, "", "", bad(EnvSize, fmt.Sprintf("a number from 1 to %d", MaxSize))
	}
	rank, err := strconv.Atoi(getenv(EnvRank))
	if err != nil || rank < 0 || rank >= size {
		return h, "", "", bad(EnvRank, fmt.Sprintf("a number from 0 to %d", size-1))
	}
	secret, err := hex.DecodeString(getenv(EnvSecret))
	if err != nil || len(secret) != secretBytes {
		// Not shown: it may be a secret with a mistake.
		return h, "", "", fmt.Errorf("rendezvous: %s is not %d hexadecimal digits: gpubench's own launcher sets it", EnvSecret, 2*secretBytes)
	}
	copy(h.secret[:], secret)
	h.rank, h.size = uint32(rank), uint32(size)
	network, address, _ = strings.Cut(getenv(EnvAddress), ":")
	switch network {
	case "unix":
		if strings.HasPrefix(address, "/") {
			return h, network, address, nil
		}
	case "tcp":
		// The secret goes to no other host.
		if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().IsLoopback() {
			return h, network, address, nil
		}
	}
	return h, "", "", bad(EnvAddress, "unix: and an absolute path, or tcp: and an address of loopback")
}

func (l *local) Rank() int { return l.rank }
func (l *local) Size() int { return l.size }

func (l *local) AllGather(data []byte, timeout time.Duration) ([][]byte, error) {
	if err := checkData(data); err != nil {
		return nil, err
	}
	if l.err == nil {
		all, err := l.gather(data, timeout)
		if err == nil {
			return all, nil
		}
		l.err = err
	}
	return nil, l.err
}

func (l *local) gather(data []byte, timeout time.Duration) ([][]byte, error) {
	_ = l.c.SetDeadline(time.Now().Add(timeout + slack))
	_, err := l.c.Write(frame(kindData, ask{l.round, timeout, data}.bytes()))
	l.round++
	all := make([][]byte, l.size)
	for i := 0; i < l.size && err == nil; i++ {
		var kind byte
		kind, all[i], err = readFrame(l.c, MaxData)
		if kind == kindLost {
			if lost, ok := parseLost(all[i]); ok {
				return nil, lost
			}
		}
		if err == nil && kind != kindData {
			err = fmt.Errorf("a message of kind %q", kind)
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, late("all-gather", timeout)
	case err != nil:
		return nil, fmt.Errorf("rendezvous: the launcher is gone: %w", err)
	}
	return all, nil
}

func (l *local) Close() error {
	if l.err == errClosed {
		return nil
	}
	l.err = errClosed
	_ = l.c.SetDeadline(time.Now().Add(slack))
	_, _ = l.c.Write(frame(kindBye, nil)) // a launcher that is gone needs no farewell
	return l.c.Close()
}
