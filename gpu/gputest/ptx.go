// The suite's kernels for GPUs, as PTX: any driver compiles it, so no compiler of kernels is needed.

package gputest

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
