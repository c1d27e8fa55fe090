// Which sessions there have been on which Endpoint.
package charm

import (
	"runtime"
	"sync"
	"weak"

	"gpubench/runtimes/transport"
)

// seats remembers Endpoints without keeping them alive.
var seats struct {
	sync.Mutex
	by map[weak.Pointer[transport.Endpoint]]*seat
}

func seatOf(ep *transport.Endpoint) *seat {
	seats.Lock()
	defer seats.Unlock()
	p := weak.Make(ep)
	s := seats.by[p]
	if s == nil {
		if seats.by == nil {
			seats.by = map[weak.Pointer[transport.Endpoint]]*seat{}
		}
		s = &seat{}
		seats.by[p] = s
		runtime.AddCleanup(ep, forget, p)
	}
	return s
}

func forget(p weak.Pointer[transport.Endpoint]) {
	seats.Lock()
	defer seats.Unlock()
	delete(seats.by, p)
}
