// Where the ranks of a job meet before they have a transport.

package main

import (
	"os"

	"gpubench/internal/launch/rendezvous"
)

// meeting is this rank's exchange with the others, opened where it is first needed. Open MPI needs none, and cannot start
// in a process that is in one already.
type meeting struct {
	opened bool
	x      rendezvous.Exchange
	err    error
}

// exchange is the same in every call, and so is its error.
func (m *meeting) exchange() (rendezvous.Exchange, error) {
	if !m.opened {
		m.opened = true
		m.x, m.err = rendezvous.Open(os.Getenv, meetWithin)
	}
	return m.x, m.err
}

// Close leaves the others.
func (m *meeting) Close() error {
	if m.x == nil {
		return nil
	}
	return m.x.Close()
}
