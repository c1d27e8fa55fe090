// PE: what an entry method sees of its processing element.
package charm

import "fmt"

// PE is the processing element that an entry method runs on. It belongs to its own thread.
type PE struct {
	core
	rt *Runtime
}

// Rank is the PE's number, from 0.
func (pe *PE) Rank() int { return pe.rank }

// Size is the number of PEs.
func (pe *PE) Size() int { return pe.size }

// Runtime is the PE's scheduler.
func (pe *PE) Runtime() *Runtime { return pe.rt }

// Exit ends Run on every PE with a nil error, when the method that runs there has returned or waits. Messages that are
// under way then are kept for the next Run.
func (pe *PE) Exit() { pe.exit() }

// Fail ends Run on every PE: here with err, elsewhere with a RemoteError that has its text. The Runtime cannot be used
// any more.
func (pe *PE) Fail(err error) {
	if err == nil {
		err = fmt.Errorf("charm: Fail(nil)")
	}
	pe.fail(err)
}
