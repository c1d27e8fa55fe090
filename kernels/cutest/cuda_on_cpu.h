// Enough of CUDA C++ to compile a .cu file as C++ and run its kernels one thread at a time, exactly: included before
// the .cu file by the compiler's command line. Blocks run one after the other; the threads of a block are fibres that
// change at barriers, so static memory is shared by them as it should be. Slow, for tests alone.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(threads)

struct dim3 {
	uint32_t x, y, z;
};
struct double2 {
	double x, y;
};
template <class T> static inline T __ldg(const T *p) { return *p; }

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads();

// run calls `thread` for every thread of every block of the grid.
void run(dim3 grid, dim3 block, void (*thread)(void *), void *context);

// argument turns a parameter of eight bytes into the kernel's type.
template <class T> static inline T argument(uint64_t a) {
	static_assert(sizeof(T) == 8, "kernel parameters have eight bytes");
	T t;
	__builtin_memcpy(&t, &a, 8);
	return t;
}

// launch runs a kernel with parameters as the driver gets them.
template <class... A> struct kernel_call {
	void (*kernel)(A...);
	const uint64_t *args;
	template <size_t... I> void call(std::index_sequence<I...>) { kernel(argument<A>(args[I])...); }
};
template <class... A> void launch(void (*kernel)(A...), dim3 grid, dim3 block, const uint64_t *args) {
	kernel_call<A...> c = {kernel, args};
	run(grid, block, [](void *p) { ((kernel_call<A...> *)p)->call(std::index_sequence_for<A...>{}); }, &c);
}
