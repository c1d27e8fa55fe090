// Which PEs are partners where a case asks for some that are near or far, and binding their threads for it.

package main

import (
	"slices"

	"gpubench/gpu"
	"gpubench/internal/machine"
	"gpubench/internal/suite"
)

// partners are the pairs that all PEs find alike from all seats. Threads are bound where gpubench started the PEs and
// they may run on more than one socket.
func (w *worker) partners(how string) (suite.Partners, error) {
	p, err := machine.FindPairs(w.seats, how, !w.o.Launched)
	if err != nil {
		return suite.Partners{}, err
	}
	found := suite.Partners{Pairs: p.Pairs}
	if cpus := p.CPUs[w.rank]; cpus.Count() > 0 {
		found.Bind = func() (func() error, error) { return bindTo(cpus) }
	}
	return found, nil
}

// pairableHere says why PEs that gpubench starts on this machine have no such partners, "" where they have.
func pairableHere(pairing string, pes int64) string {
	seat, err := seatOf(string(gpu.CPU))
	if err == nil {
		_, err = machine.FindPairs(slices.Repeat([]machine.Seat{seat}, int(pes)), pairing, true)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// bindTo binds the calling thread, which its goroutine holds, and gives what lets it go where it could before.
func bindTo(cpus machine.CPUSet) (undo func() error, err error) {
	before, err := machine.ThreadCPUs()
	if err != nil {
		return nil, err
	}
	return func() error { return machine.PinThread(before) }, machine.PinThread(cpus)
}
