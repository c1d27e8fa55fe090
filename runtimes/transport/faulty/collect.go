// A library's collectives through the wrapper.
package faulty

import (
	"fmt"

	"gpubench/runtimes/transport"
)

// Collect passes on. A collective counts as one message, of which the library shows nothing: a PE can die or hang in it,
// and other faults pass it by.
func (w *driver) Collect(c *transport.Collective, polls int) (bool, error) {
	lib, ok := transport.As[transport.Collector](w.Driver)
	if !ok {
		return false, fmt.Errorf("%s has no collectives: %w", w.Caps().Name, transport.ErrUnsupported)
	}
	if c != nil && !w.dead {
		switch f := w.strikes(); {
		case f == nil:
		case f.Kind == Die:
			w.die()
		case f.Kind == Hang:
			w.hung = true
		}
	}
	switch {
	case w.dead:
		return false, ErrDead
	case w.hung:
		return false, nil
	}
	return lib.Collect(c, polls)
}
