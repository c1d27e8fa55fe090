// Counting: what a batch is to do held against what was counted below its body.
package bench

import "fmt"

// Counted is implemented by bodies whose work is counted below them: by the
// Endpoint (transport.Counters), or by a device's streams (gpu.Given). A batch
// of which less was counted than it is, is a failure and no figure: so
// iterations that are left out show, which leave no trace in a buffer that
// they all write alike.
type Counted interface {
	// Work is how much a batch of n iterations is at least, over all PEs, and of
	// what. PE 0's is asked.
	Work(n int) (least int64, of string)
	// Done is how much has been counted on this PE so far.
	Done() int64
}

// counted is the body's count so far; 0 where there is none.
func (s *session) counted() int64 {
	if c, ok := s.body.(Counted); ok {
		return c.Done()
	}
	return 0
}

// short says what is missing of the batch under way, "" where nothing is.
func (c *chief) short(reports []report) string {
	body, ok := c.s.body.(Counted)
	if !ok {
		return ""
	}
	done := int64(0)
	for _, r := range reports {
		done += r.Done
	}
	if least, of := body.Work(c.n); done < least {
		return fmt.Sprintf("work left out: a batch of %d iterations is %d %s, and %d were counted", c.n, least, of, done)
	}
	return ""
}
