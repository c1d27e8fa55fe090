// What package shims calls of the shim, and that both sides mean the same structures.
package libmpi

// #include "world.h"
import "C"

import (
	"unsafe"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/shims"
)

// prepare hands the opened world to package shims.
func (d *Driver) prepare() (err error) {
	t := C.gb_table
	d.Crossing, err = shims.NewCrossing(shims.Table{
		World: unsafe.Pointer(C.gb_world), Act: unsafe.Pointer(t.act), Probe: unsafe.Pointer(t.probe),
		SendHeader: unsafe.Pointer(t.send_header), RecvHeader: unsafe.Pointer(t.recv_header), RunLoop: unsafe.Pointer(t.run_loop),
		Failed: d.failure, Gone: d.peerGone, Ended: d.completionError,
	}, d.caps, d.oversubscribe)
	return err
}

// Op and Done are handed over as they are: the layouts must agree.
var _ = [1]struct{}{}[unsafe.Sizeof(transport.Op{})-C.sizeof_gb_op]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Ctx)-unsafe.Offsetof(C.gb_op{}.ctx)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Peer)-unsafe.Offsetof(C.gb_op{}.peer)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Tag)-unsafe.Offsetof(C.gb_op{}.tag)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.ID)-unsafe.Offsetof(C.gb_op{}.id)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Buf)+unsafe.Offsetof(gpu.Memory{}.Addr)-unsafe.Offsetof(C.gb_op{}.addr)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Buf)+unsafe.Offsetof(gpu.Memory{}.Len)-unsafe.Offsetof(C.gb_op{}.len)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Buf)+unsafe.Offsetof(gpu.Memory{}.Space)-unsafe.Offsetof(C.gb_op{}.space)]
var _ = [1]struct{}{}[unsafe.Sizeof(shims.Done{})-C.sizeof_gb_done]
var _ = [1]struct{}{}[unsafe.Offsetof(shims.Done{}.Peer)-unsafe.Offsetof(C.gb_done{}.peer)]
var _ = [1]struct{}{}[unsafe.Offsetof(shims.Done{}.Tag)-unsafe.Offsetof(C.gb_done{}.tag)]
var _ = [1]struct{}{}[unsafe.Offsetof(shims.Done{}.Outcome)-unsafe.Offsetof(C.gb_done{}.outcome)]
var _ = [1]struct{}{}[unsafe.Offsetof(shims.Done{}.Len)-unsafe.Offsetof(C.gb_done{}.len)]
var _ = [1]struct{}{}[unsafe.Offsetof(shims.Done{}.Code)-unsafe.Offsetof(C.gb_done{}.code)]
var _ = [1]struct{}{}[unsafe.Offsetof(shims.Done{}.Kind)-unsafe.Offsetof(C.gb_done{}.kind)]
var _ = [1]struct{}{}[C.sizeof_gb_from-8]
var _ = [1]struct{}{}[C.GB_OK]
var _ = [1]struct{}{}[int(transport.OpSend)-C.GB_SEND]
var _ = [1]struct{}{}[int(transport.OpRecv)-C.GB_RECV]
var _ = [1]struct{}{}[1<<gpu.Pageable|1<<gpu.Pinned-C.GB_HOST_SPACES]
