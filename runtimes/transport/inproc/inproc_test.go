package inproc_test

import (
	"testing"

	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
	"gpubench/runtimes/transport/transporttest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hostWorld(yield bool) func(t *testing.T, n int) transporttest.World {
	return func(t *testing.T, n int) transporttest.World {
		w := inproc.NewWorld(n)
		return transporttest.World{PEs: n, Kill: w.Kill, Open: func(rank int) (*transport.Endpoint, func(), error) {
			d, err := w.Driver(rank, nil)
			if err != nil {
				return nil, nil, err
			}
			e, err := transport.New(d, transport.Config{Deadline: transporttest.Deadline, Yield: yield})
			return e, func() {}, err
		}}
	}
}

func TestConformanceHost(t *testing.T)      { transporttest.Run(t, hostWorld(false)) }
func TestConformanceHostYield(t *testing.T) { transporttest.Run(t, hostWorld(true)) }
