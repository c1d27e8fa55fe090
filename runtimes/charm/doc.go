// Package charm is the message-driven model of a parallel program, after Charm++ and Charm4Py, in pure Go over a
// transport.Endpoint.
//
// A program is made of chares: objects in arrays of one to three dimensions (NewArray), or one per processing element
// (NewGroup), usually many more than there are PEs. A chare acts when a message starts one of its entry methods (Method);
// the message names the chare through a proxy (Elem, Section), never its PE. A PE is one locked thread that runs one
// method at a time, so chares need no locks. A method that must wait for something is a threaded one (Threaded): while
// it waits on a channel, a future or a device event, its PE runs others.
//
//	var greet charm.Entry[Greeter, Name]                          // generic over chare and message
//	func init() { greet = charm.Method("greet", (*Greeter).greet) } // in init: a declaration would be a cycle
//
//	greet.Send(pe, greeters.At(3), Name{…})      // one chare
//	greet.Broadcast(pe, greeters.All(), Name{…}) // all, or a section
//
// Messages are values without pointers, which are copied as bytes, or types that pack themselves (Packer). Payload of
// any size and space, device memory included, goes through a Channel between two chares. Contribute reduces values over
// an array, group or section; Future is a place for values that threads wait on; Quiescence tells when nothing is left
// to do.
//
// Every PE makes a Runtime, makes the same arrays in the same order, and calls Run; see the example.
//
// # What is ordered
//
// A channel's messages arrive in the order in which they were sent. Entry methods started from one chare on another run
// in order as long as the messages fit a header of the transport (Caps.MaxHeader, at least 1 KiB); longer ones travel on
// their own and may be overtaken. Nothing else is ordered.
//
// # Moving
//
// Chares of an array made by NewMobile move between PEs, at sync points alone: when each chare of the array has called
// AtSync, the array's Balancer decides on the loads that were measured since the sync point before, chares move, and each
// goes on in the method that it named. What a chare is travels as its Pup says, its buffers (Pup.Buffer) as messages of
// the Endpoint, staged or direct, into new ones on the new PE's device. Proxies stay good. Channels keep their order and
// what they hold: Connect gives a moved chare the ends that it had. Messages sent to the old place go after the chare,
// and quiescence counts them.
//
//	arr, err := charm.NewMobile(pe, "Block", charm.Grid(8, 8), charm.Blocks, balancer, construct, arrive)
//	…
//	charm.AtSync(pe, b.self, blockOn) // the last act of a method; blockOn starts on the new PE
//
// At a sync point a chare has no suspended thread, no posted receive and no unfinished send, and all have contributed
// equally often to reductions over the array or a section of it; their results may be under way. An error names what
// is open. A Future stays on the PE that made it. Loads are the time spent in a chare's methods and threads, without
// their waits, and what AddLoad says; Runtime.Balancing says what sync points have cost.
//
// # When buffers may be used
//
// A message leaves when its buffer holds what is to be sent: where a stream writes it, give Isend the event recorded
// behind, or WaitEvent first. A receive ends when its bytes can be read on any stream: copies within a PE, too, are
// followed to their event.
//
// # Inside
//
// The core (core.go and what it calls) knows no transport, clock or goroutine: it is told what happens and acts through
// a port with Send and Now, which the scripted traces in testdata play. Runtime puts a core on an Endpoint. Messages of up
// to Caps.MaxHeader bytes are the transport's active messages; longer ones, and payload of channels, are tagged messages
// that an active message names (move.go). wire.go has the layout. sync.go has the way of a sync point, migrate.go that of
// a chare, balancers.go the balancers: pure functions of loads, places and distances.
package charm
