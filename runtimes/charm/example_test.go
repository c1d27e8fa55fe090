package charm_test

import (
	"fmt"
	"runtime"
	"sync"

	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

// Cell is a chare: one cell of a rod that is hot at one end.
type Cell struct {
	self charm.Elem[Cell]
	ends []*charm.Channel // to the neighbours
	heat float64
}

// Steps is a message: plain numbers, copied as bytes.
type Steps struct{ N int64 }

var (
	relax charm.Entry[Cell, Steps]
	total charm.Entry[Cell, float64]
)

func init() {
	relax = charm.Threaded("relax", (*Cell).relax)
	total = charm.Method("total", (*Cell).total)
}

// relax gives neighbours this cell's heat and takes on the mean of theirs and its own, some times over. It waits in
// Recv; its PE goes on with other cells meanwhile.
func (c *Cell) relax(t *charm.Thread, s Steps) {
	in, out := hostMemory(1), hostMemory(1)
	for range s.N {
		out.Bytes()[0] = byte(c.heat)
		for _, end := range c.ends {
			if err := end.Send(t, out); err != nil {
				t.Fail(err)
				return
			}
		}
		sum := c.heat
		for _, end := range c.ends {
			if _, err := end.Recv(t, in); err != nil {
				t.Fail(err)
				return
			}
			sum += float64(in.Bytes()[0])
		}
		c.heat = float64(int(sum) / (len(c.ends) + 1))
	}
	rod := c.self.Array(t.PE)
	charm.Contribute(t.PE, rod.All(), c.self, c.heat, charm.SumFloat64, total.To(rod.At(0)))
}

// total is where the reduction ends.
func (c *Cell) total(pe *charm.PE, sum float64) {
	fmt.Println("heat of all cells:", sum)
	pe.Exit()
}

// program is what every PE does.
func program(ep *transport.Endpoint) error {
	rt, err := charm.New(ep, charm.Config{Yield: true})
	if err != nil {
		return err
	}
	defer rt.Close()
	pe := rt.PE()
	rod, err := charm.NewArray(pe, "Cell", charm.Grid(6), charm.Blocks, func(self charm.Elem[Cell], at charm.Index) (*Cell, error) {
		c := &Cell{self: self}
		if at[0] == 0 {
			c.heat = 120
		}
		for _, next := range []int{at[0] - 1, at[0] + 1} {
			if next >= 0 && next < 6 {
				c.ends = append(c.ends, charm.Connect(pe, self, self.Array(pe).At(next), 0))
			}
		}
		return c, nil
	})
	if err != nil {
		return err
	}
	return rt.Run(func(pe *charm.PE) {
		if pe.Rank() == 0 {
			relax.Broadcast(pe, rod.All(), Steps{4})
		}
	})
}

// Six chares on two PEs, which are threads of this process.
func Example() {
	onTwoPEs(program)
	// Output: heat of all cells: 89
}

// onTwoPEs runs a program on two PEs.
func onTwoPEs(program func(ep *transport.Endpoint) error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	world := inproc.NewWorld(2)
	var pes sync.WaitGroup
	for rank := range 2 {
		pes.Go(func() {
			runtime.LockOSThread() // a PE is one thread
			defer runtime.UnlockOSThread()
			driver, err := world.Driver(rank, nil)
			if err != nil {
				fmt.Println(err)
				return
			}
			ep, err := transport.New(driver, transport.Config{Yield: true})
			if err != nil {
				fmt.Println(err)
				return
			}
			defer ep.Close()
			if err := program(ep); err != nil {
				fmt.Println(err)
			}
		})
	}
	pes.Wait()
}
