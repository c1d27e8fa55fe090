// The threads of a block as fibres: see cuda_on_cpu.h.
#include "cuda_on_cpu.h"

#include <vector>

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {
const size_t stack_bytes = 64 << 10;
struct fibre {
	ucontext_t context;
	dim3 index;
	bool done;
	std::vector<char> stack;
};
std::vector<fibre> fibres;
ucontext_t scheduler;
fibre *current;
void (*thread_body)(void *);
void *thread_context;

void entry() {
	thread_body(thread_context);
	current->done = true;
	swapcontext(&current->context, &scheduler);
}
} // namespace

void __syncthreads() { swapcontext(&current->context, &scheduler); }

void run(dim3 grid, dim3 block, void (*thread)(void *), void *context) {
	thread_body = thread;
	thread_context = context;
	gridDim = grid;
	blockDim = block;
	fibres.resize((size_t)block.x * block.y * block.z);
	for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
		for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
			for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) {
				size_t i = 0;
				for (uint32_t z = 0; z < block.z; z++)
					for (uint32_t y = 0; y < block.y; y++)
						for (uint32_t x = 0; x < block.x; x++) {
							fibre &f = fibres[i++];
							f.stack.resize(stack_bytes);
							f.index = {x, y, z};
							f.done = false;
							getcontext(&f.context);
							f.context.uc_stack.ss_sp = f.stack.data();
							f.context.uc_stack.ss_size = stack_bytes;
							f.context.uc_link = nullptr;
							makecontext(&f.context, entry, 0);
						}
				for (bool running = true; running;) { // a round: every thread to its next barrier
					running = false;
					for (fibre &f : fibres) {
						if (f.done) continue;
						current = &f;
						threadIdx = f.index;
						swapcontext(&scheduler, &f.context);
						running |= !f.done;
					}
				}
			}
}
