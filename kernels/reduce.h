// Reductions of float64s: sum (compensated) and maximum, over one array and, cell by cell, of one array into another.
#pragma once

#include "sum.h"

// A partial or whole result: the value, and for a sum what rounding lost. T is double or a vector of doubles.
template <class T> struct gb_result {
	T value, lost;
};
typedef gb_result<double> gb_reduced;

#define GB_REDUCE_THREADS 256

// The operations: every step of them, for all devices.
struct gb_op_sum {
	static GB_HD_MEMBER gb_reduced none(void) { return {0, 0}; }
	template <class T> static GB_HD_MEMBER void take(gb_result<T> &r, const T &v) { gb_sum_take(r.value, r.lost, v); }
	static GB_HD_MEMBER void join(gb_reduced &r, const gb_reduced &o) { gb_sum_join(r.value, r.lost, o.value, o.lost); }
	static GB_HD_MEMBER void close(gb_reduced &r) { gb_sum_close(r.value, r.lost); }
	static GB_HD_MEMBER double combine(double a, double b) { return a + b; }
};

// A NaN is the maximum of anything: it must not be lost.
struct gb_op_max {
	template <class T> static GB_HD_MEMBER T combine(const T &a, const T &b) { return a != a ? a : a > b ? a : b; }
	static GB_HD_MEMBER gb_reduced none(void) { return {-__builtin_huge_val(), 0}; }
	template <class T> static GB_HD_MEMBER void take(gb_result<T> &r, const T &v) { r.value = combine(r.value, v); }
	static GB_HD_MEMBER void join(gb_reduced &r, const gb_reduced &o) { r.value = combine(r.value, o.value); }
	static GB_HD_MEMBER void close(gb_reduced &) {}
};
