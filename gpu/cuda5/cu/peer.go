//go:build cgo

// Peer access: one device's memory in another device's address space.

package cu

/*
#include "call.h"
static cu_out go_can_access(CUdevice d, CUdevice p) {
	int v = 0;
	CUresult r = CALL(cuDeviceCanAccessPeer, &v, d, p);
	return (cu_out){r, (uint64_t)v, 0};
}
static cu_out go_p2p(CUdevice_P2PAttribute a, CUdevice s, CUdevice d) {
	int v = 0;
	CUresult r = CALL(cuDeviceGetP2PAttribute, &v, a, s, d);
	return (cu_out){r, (uint64_t)v, 0};
}
static CUresult go_peer_enable(uintptr_t c) { return CALL(cuCtxEnablePeerAccess, (CUcontext)c, 0); }
static CUresult go_peer_disable(uintptr_t c) { return CALL(cuCtxDisablePeerAccess, (CUcontext)c); }
*/
import "C"

// DeviceCanAccessPeer reports whether contexts of dev can reach memory of peer directly.
func DeviceCanAccessPeer(dev, peer Device) bool {
	o := C.go_can_access(C.CUdevice(dev), C.CUdevice(peer))
	check(o.r)
	return o.a != 0
}

// CanAccessPeer is DeviceCanAccessPeer.
func (dev Device) CanAccessPeer(peer Device) bool { return DeviceCanAccessPeer(dev, peer) }

// DeviceGetP2PAttribute returns one property of the link from src to dst.
func DeviceGetP2PAttribute(attrib P2PAttribute, src, dst Device) int {
	o := C.go_p2p(C.CUdevice_P2PAttribute(attrib), C.CUdevice(src), C.CUdevice(dst))
	check(o.r)
	return int(int32(o.a))
}

// CtxEnablePeerAccess lets the current context reach the memory of peer. It holds in this direction alone; a second
// call panics with ERROR_PEER_ACCESS_ALREADY_ENABLED.
func CtxEnablePeerAccess(peer Context) { check(C.go_peer_enable(C.uintptr_t(peer))) }

// EnablePeerAccess is CtxEnablePeerAccess.
func (peer Context) EnablePeerAccess() { CtxEnablePeerAccess(peer) }

// CtxDisablePeerAccess takes CtxEnablePeerAccess back.
func CtxDisablePeerAccess(peer Context) { check(C.go_peer_disable(C.uintptr_t(peer))) }

// DisablePeerAccess is CtxDisablePeerAccess.
func (peer Context) DisablePeerAccess() { CtxDisablePeerAccess(peer) }
