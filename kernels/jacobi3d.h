// Jacobi3D: one cell of one iteration, (itself + its six neighbours) / 7.
#pragma once

#include "shell.h"

// T is double or a vector of doubles (never passed by value: how is a matter of the instruction set). The order of the
// sum is part of the definition: every device gives the same bits.
template <class T>
GB_HD void gb_jacobi(T &result, const T &centre, const T &west, const T &east, const T &south, const T &north,
                     const T &below, const T &above) {
	result = ((((((centre + west) + east) + south) + north) + below) + above) * (1.0 / 7.0);
}
