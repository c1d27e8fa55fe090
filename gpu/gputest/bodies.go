// The suite's kernels: as PTX for GPUs, as C for the drivers that run on the CPU. Both are this small so that the suite
// needs no compiler of kernels.

package gputest

/*
#include <stdint.h>

// As gpu/cuda5/emulated declares it.
struct gb_launch { uint32_t grid[3], block[3], shared_bytes, phase, part, parts; };

// out[i] += a * in[i] for i < n, one thread an element.
static void axpy(const uint64_t *args, const struct gb_launch *l) {
	double *out = (double *)args[0];
	const double *in = (const double *)args[1];
	union { uint64_t bits; double value; } a = { args[3] };
	uint64_t n = args[2], threads = (uint64_t)l->grid[0] * l->block[0];
	if (n > threads)
		n = threads;
	for (uint64_t i = n * l->part / l->parts; i < n * (l->part + 1) / l->parts; i++)
		out[i] += a.value * in[i];
}

// Stores the five parameters behind the first to where it points.
static void store(const uint64_t *args, const struct gb_launch *l) {
	if (l->part == 0)
		for (int i = 0; i < 5; i++)
			((uint64_t *)args[0])[i] = args[1 + i];
}

static void *axpy_body(void) { return (void *)axpy; }
static void *store_body(void) { return (void *)store; }
*/
import "C"

import "gpubench/gpu"

func init() {
	gpu.RegisterKernel("gputest_axpy", "ppid", 1, C.axpy_body())
	gpu.RegisterKernel("gputest_store", "piiidd", 1, C.store_body())
}

// image is what LoadModule is given on every driver.
var image = []byte(ptx + "\x00")

const ptx = `.version 6.3
.target sm_70
.address_size 64

.visible .entry gputest_axpy(.param .u64 out, .param .u64 in, .param .u64 n, .param .f64 a)
{
	.reg .pred %p<2>;
	.reg .b32 %r<4>;
	.reg .b64 %rd<12>;
	.reg .f64 %fd<5>;
	ld.param.u64 %rd1, [out];
	ld.param.u64 %rd2, [in];
	ld.param.u64 %rd3, [n];
	ld.param.f64 %fd1, [a];
	mov.u32 %r1, %ctaid.x;
	mov.u32 %r2, %ntid.x;
	mov.u32 %r3, %tid.x;
	mul.wide.u32 %rd4, %r1, %r2;
	cvt.u64.u32 %rd5, %r3;
	add.u64 %rd6, %rd4, %rd5;
	setp.ge.u64 %p1, %rd6, %rd3;
	@%p1 bra DONE;
	shl.b64 %rd7, %rd6, 3;
	cvta.to.global.u64 %rd8, %rd1;
	cvta.to.global.u64 %rd9, %rd2;
	add.u64 %rd10, %rd8, %rd7;
	add.u64 %rd11, %rd9, %rd7;
	ld.global.f64 %fd2, [%rd11];
	ld.global.f64 %fd3, [%rd10];
	fma.rn.f64 %fd4, %fd1, %fd2, %fd3;
	st.global.f64 [%rd10], %fd4;
DONE:
	ret;
}

.visible .entry gputest_store(.param .u64 out, .param .u64 a, .param .u64 b, .param .u64 c, .param .f64 d, .param .f64 e)
{
	.reg .b64 %rd<6>;
	.reg .f64 %fd<3>;
	ld.param.u64 %rd1, [out];
	ld.param.u64 %rd2, [a];
	ld.param.u64 %rd3, [b];
	ld.param.u64 %rd4, [c];
	ld.param.f64 %fd1, [d];
	ld.param.f64 %fd2, [e];
	cvta.to.global.u64 %rd5, %rd1;
	st.global.u64 [%rd5], %rd2;
	st.global.u64 [%rd5+8], %rd3;
	st.global.u64 [%rd5+16], %rd4;
	st.global.f64 [%rd5+24], %fd1;
	st.global.f64 [%rd5+32], %fd2;
	ret;
}
`
