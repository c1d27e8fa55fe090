package charm_test

import (
	"fmt"

	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
)

// Patch is a chare that moves: its state packs itself.
type Patch struct {
	self  charm.Elem[Patch]
	Work  float64 // s a step
	Cells []float64
}

// Pup names the parts of the state.
func (p *Patch) Pup(b *charm.Pup) {
	charm.PupValue(b, &p.self)
	b.Float64(&p.Work)
	charm.PupSlice(b, &p.Cells)
}

var (
	patchStep charm.Entry[Patch, struct{}]
	patchOn   charm.Entry[Patch, charm.Balanced]
	patchHere charm.Entry[Patch, [2]int64]
)

func init() {
	patchStep = charm.Method("step", func(p *Patch, pe *charm.PE, _ struct{}) {
		charm.AddLoad(pe, p.self, p.Work) // as if a device had worked so long
		charm.AtSync(pe, p.self, patchOn) // the last act
	})
	patchOn = charm.Method("on", func(p *Patch, pe *charm.PE, b charm.Balanced) {
		all := p.self.Array(pe)
		here := [2]int64{}
		here[pe.Rank()] = 1
		charm.Contribute(pe, all.All(), p.self, here, sumOfTwo, patchHere.To(all.At(0)))
	})
	patchHere = charm.Method("here", func(_ *Patch, pe *charm.PE, n [2]int64) {
		fmt.Println("patches on PEs 0 and 1:", n)
		pe.Exit()
	})
}

var sumOfTwo = charm.Combiner("sum of two", func(acc *[2]int64, in [2]int64) { acc[0] += in[0]; acc[1] += in[1] })

// One patch of five has as much to do as the others together: they go to the other PE.
func ExampleAtSync() {
	onTwoPEs(func(ep *transport.Endpoint) error {
		rt, err := charm.New(ep, charm.Config{Yield: true})
		if err != nil {
			return err
		}
		defer rt.Close()
		greedy, err := charm.BalancerOf("greedy", charm.BalanceConfig{})
		if err != nil {
			return err
		}
		patches, err := charm.NewMobile(rt.PE(), "Patch", charm.Grid(5), charm.Blocks, greedy,
			func(self charm.Elem[Patch], at charm.Index) (*Patch, error) {
				p := &Patch{self: self, Work: 100}
				if at[0] == 0 {
					p.Work = 400
				}
				return p, nil
			}, nil)
		if err != nil {
			return err
		}
		if err := rt.Run(func(pe *charm.PE) {
			if pe.Rank() == 0 {
				patchStep.Broadcast(pe, patches.All(), struct{}{})
			}
		}); err != nil {
			return err
		}
		if s := rt.Balancing(patches); ep.Rank() == 0 {
			fmt.Printf("largest over mean load: %.2f, then %.2f\n", s.LastBefore, s.LastAfter)
		}
		return nil
	})
	// Output:
	// patches on PEs 0 and 1: [1 4]
	// largest over mean load: 1.50, then 1.00
}
