// What a block of threads on the GPU has found, joined as a tree. For .cu files alone.
#pragma once

#include "check.h"

// gb_join_block joins what each of a block's threads has, a power of two of them, in phases between barriers: thread t
// takes in what thread t + half has. Every thread gets the whole.
template <unsigned threads, class T, void (*join)(T &, const T &)>
static __device__ __forceinline__ T gb_join_block(const T &mine) {
	__shared__ T all[threads];
	all[threadIdx.x] = mine;
	__syncthreads();
	for (unsigned half = threads / 2; half > 0; half /= 2) {
		if (threadIdx.x < half) join(all[threadIdx.x], all[threadIdx.x + half]);
		__syncthreads();
	}
	return all[0];
}

// gb_join_checks makes one of a block's checks, the result of its slot.
template <unsigned threads> static __device__ __forceinline__ void gb_join_checks(const gb_check &mine, gb_check *results) {
	const gb_check all = gb_join_block<threads, gb_check, gb_check_join>(mine);
	if (threadIdx.x == 0) results[blockIdx.x] = all;
}
