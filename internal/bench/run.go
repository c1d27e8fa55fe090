// Run: the measuring loop.
package bench

import "gpubench/internal/result"

// Run measures one case. Every PE of the job calls it with the same case. PE 0
// gets the record; the others get one with the same id and status alone. A
// wrong answer is a failed record and no error. An error, always a
// *BrokenError, means that the PEs must not run another case; the record is
// valid all the same.
func Run(pe *PE, b *Benchmark, c Case) (result.Record, error) { panic("bench: pending") }
