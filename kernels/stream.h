// Copy and triad of the STREAM benchmark (McCalpin), in float64: what memory can do, as a limit for the rest.
#pragma once

#include "launch.h"

// T is double or a vector of doubles (never passed by value: how is a matter of the instruction set).
template <class T> GB_HD void gb_triad(T &a, const T &b, const T &c, double scalar) { a = b + scalar * c; }
