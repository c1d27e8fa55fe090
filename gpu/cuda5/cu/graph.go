//go:build cgo

// Graphs: a stream's work captured once and launched as a whole.

package cu

/*
#include "call.h"
static CUresult go_capture_begin(uintptr_t s, CUstreamCaptureMode m) {
	return CALL(cuStreamBeginCapture, (CUstream)s, m);
}
static cu_out go_capture_end(uintptr_t s) {
	CUgraph g = NULL;
	CUresult r = CALL(cuStreamEndCapture, (CUstream)s, &g);
	return (cu_out){r, (uintptr_t)g, 0};
}
static cu_out go_capturing(uintptr_t s) {
	CUstreamCaptureStatus v = 0;
	CUresult r = CALL(cuStreamIsCapturing, (CUstream)s, &v);
	return (cu_out){r, v, 0};
}
static cu_out go_capture_exchange(CUstreamCaptureMode m) {
	CUresult r = CALL(cuThreadExchangeStreamCaptureMode, &m);
	return (cu_out){r, m, 0};
}
static CUresult go_graph_destroy(uintptr_t g) { return CALL(cuGraphDestroy, (CUgraph)g); }
static cu_out go_graph_instantiate(uintptr_t g) {
	CUgraphExec e = NULL;
	CUresult r = HAS(cuGraphInstantiateWithFlags) ? CALL(cuGraphInstantiateWithFlags, &e, (CUgraph)g, 0)
	                                              : CALL(cuGraphInstantiate, &e, (CUgraph)g, NULL, NULL, 0);
	return (cu_out){r, (uintptr_t)e, 0};
}
static CUresult go_graph_exec_destroy(uintptr_t e) { return CALL(cuGraphExecDestroy, (CUgraphExec)e); }
static CUresult go_graph_launch(uintptr_t e, uintptr_t s) { return CALL(cuGraphLaunch, (CUgraphExec)e, (CUstream)s); }
static CUresult go_graph_upload(uintptr_t e, uintptr_t s) { return CALL(cuGraphUpload, (CUgraphExec)e, (CUstream)s); }
static cu_out go_graph_nodes(uintptr_t g) {
	size_t n = 0;
	CUresult r = CALL(cuGraphGetNodes, (CUgraph)g, NULL, &n);
	return (cu_out){r, n, 0};
}
*/
import "C"

// StreamBeginCapture starts to collect the stream's work into a graph instead of running it.
func StreamBeginCapture(stream Stream, mode CaptureMode) {
	check(C.go_capture_begin(C.uintptr_t(stream), C.CUstreamCaptureMode(mode)))
}

// StreamEndCapture ends the capture and returns the graph; a capture that something spoilt panics, with
// ERROR_STREAM_CAPTURE_INVALIDATED as a rule, and is over all the same.
func StreamEndCapture(stream Stream) Graph {
	o := C.go_capture_end(C.uintptr_t(stream))
	check(o.r)
	return Graph(o.a)
}

// StreamIsCapturing says whether the stream is being captured.
func StreamIsCapturing(stream Stream) CaptureStatus {
	o := C.go_capturing(C.uintptr_t(stream))
	check(o.r)
	return CaptureStatus(o.a)
}

// ThreadExchangeStreamCaptureMode sets what unsafe calls of this thread do during captures, and returns what was set.
func ThreadExchangeStreamCaptureMode(mode CaptureMode) CaptureMode {
	o := C.go_capture_exchange(C.CUstreamCaptureMode(mode))
	check(o.r)
	return CaptureMode(o.a)
}

// GraphGetNodeCount returns the number of nodes of a graph.
func GraphGetNodeCount(graph Graph) int {
	o := C.go_graph_nodes(C.uintptr_t(graph))
	check(o.r)
	return int(o.a)
}

// GraphInstantiate makes a graph ready to launch; the graph may be destroyed after that.
func GraphInstantiate(graph Graph) GraphExec {
	o := C.go_graph_instantiate(C.uintptr_t(graph))
	check(o.r)
	return GraphExec(o.a)
}

// GraphLaunch runs the graph in stream order.
func GraphLaunch(exec GraphExec, stream Stream) {
	check(C.go_graph_launch(C.uintptr_t(exec), C.uintptr_t(stream)))
}

// TryGraphLaunch is GraphLaunch without the panic.
func TryGraphLaunch(exec GraphExec, stream Stream) Result {
	return result(C.go_graph_launch(C.uintptr_t(exec), C.uintptr_t(stream)))
}

// GraphUpload brings the graph to the device ahead of its first launch (CUDA 11.1).
func GraphUpload(exec GraphExec, stream Stream) {
	check(C.go_graph_upload(C.uintptr_t(exec), C.uintptr_t(stream)))
}

// GraphDestroy destroys *graph and sets it to 0.
func GraphDestroy(graph *Graph) {
	check(C.go_graph_destroy(C.uintptr_t(*graph)))
	*graph = 0
}

// GraphExecDestroy destroys *exec and sets it to 0.
func GraphExecDestroy(exec *GraphExec) {
	check(C.go_graph_exec_destroy(C.uintptr_t(*exec)))
	*exec = 0
}
