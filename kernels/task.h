// Tasks of Task Bench: an output that says which task wrote it, and the compute-bound and memory-bound kernels (definitions:
// StanfordLegion/task-bench, core/core.cc and core/core_kernel.cc).
#pragma once

#include "pattern.h"

// The words of an output: even ones say which timestep wrote it, odd ones which point (the pair that Task Bench repeats).
GB_HD uint64_t gb_task_word(int64_t step, int64_t point, int64_t w) { return (uint64_t)(w & 1 ? point : step); }

// Compute-bound: 64 values, of which each iteration makes x·x + x, two operations each. Task Bench starts all at a value
// from which they overflow within some iterations; these start between -1 and 0 and stay there, so that they can be
// checked.
#define GB_TASK_LANES 64
GB_HD constexpr double gb_task_start(int64_t lane) { return -(double)(lane + 1) / (GB_TASK_LANES + 1); }
template <class T> GB_HD void gb_task_next(T &x) { x = x * x + x; }

// Memory-bound: a task's scratch is `pieces` pieces of `words` words, an even number. Each iteration takes the next piece
// and copies its first half onto its second.
GB_HD int64_t gb_task_piece(int64_t first, int64_t iteration, int64_t pieces) { return (first + iteration) % pieces; }
