// Where the ranks run, and whose end can be seen.
package libmpi

// #include "world.h"
import "C"

import (
	"fmt"
	"strconv"
	"unsafe"

	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/hosts"
)

// Oversubscribed reports whether this node has more ranks than cores that they may run on. Waits then yield.
func (d *Driver) Oversubscribed() bool { return d.oversubscribe }

// place has the ranks exchange passports, and says where each is. A node is what MPI says shares memory, known by its least rank.
func (d *Driver) place(rank, size int) ([]transport.Place, error) {
	leader := int(C.gb_w_node_leader())
	if leader < 0 {
		return nil, d.failure()
	}
	all, err := d.gather(hosts.Mine(strconv.Itoa(leader)), size)
	if err != nil {
		return nil, err
	}
	d.oversubscribe = hosts.Oversubscribed(all, rank)
	yield := C.int(0)
	if d.oversubscribe {
		yield = 1
	}
	fds := hosts.Watch(all, rank)
	if C.gb_w_watch((*C.int)(unsafe.Pointer(&fds[0])), yield) < 0 {
		return nil, d.failure()
	}
	return hosts.Places(all), nil
}

// gather collects every rank's passport.
func (d *Driver) gather(mine hosts.Passport, size int) ([]hosts.Passport, error) {
	out := mine.Bytes()
	n := len(out)
	in := make([]byte, n*size)
	if C.gb_w_gather(unsafe.Pointer(&out[0]), unsafe.Pointer(&in[0]), C.int(n)) < 0 {
		return nil, d.failure()
	}
	all := make([]hosts.Passport, size)
	for i := range all {
		var err error
		if all[i], err = hosts.Read(in[i*n : (i+1)*n]); err != nil {
			panic(fmt.Sprintf("libmpi: %v", err))
		}
	}
	return all, nil
}
