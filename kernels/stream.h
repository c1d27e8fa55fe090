// Copy and triad of the STREAM benchmark (McCalpin), in float64: what memory can do, as a limit for the rest.
#pragma once

#include "launch.h"

// T is double or a vector of doubles.
template <class T> GB_HD T gb_triad(const T &b, const T &c, double scalar) { return b + scalar * c; }
