// Search: what finds a figure by batches at several levels, such as task sizes. Pure: PE 0 asks it, and tells the others.

package bench

import (
	"fmt"

	"gpubench/internal/result"
)

// Search chooses the batches of a case and makes its figures, instead of pace.
type Search interface {
	// Next says at which level the next batch is, and how many iterations it has; 0 is the end, and the level is then that
	// of the untimed pass.
	Next() (level int64, n int)
	// Note takes what that batch took.
	Note(seconds float64)
	// Result gives the metrics and samples, or says why there are none.
	Result() (map[string]result.Metric, map[string]result.Samples, error)
}

// Leveled is a body whose batches differ by a level. It is set before each batch, on every PE.
type Leveled interface{ SetLevel(level int64) }

// searching begins the search. There is none where PEs share cores: its figure would say how they take turns.
func (c *chief) searching() {
	if c.over {
		c.end(result.Skipped, fmt.Sprintf("%s means nothing where more threads run than there are CPUs: give fewer PEs (-n), or more CPUs", c.s.b.Name))
		return
	}
	var err error
	if c.search, err = c.s.b.Search(c.s.c.Params); err != nil {
		c.end(result.Failed, err.Error())
	}
	c.pace = &pace{}
}

// next asks for the next batch.
func (c *chief) next() (n int) {
	if c.search != nil {
		c.level, n = c.search.Next()
		return n
	}
	return c.pace.next()
}

// took books a batch.
func (c *chief) took(b batch) {
	if c.search != nil {
		c.search.Note(b.seconds)
		return
	}
	c.pace.note(b)
}
