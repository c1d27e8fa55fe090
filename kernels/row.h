// A row of results with the vectors of one instruction set: included by the files that ISA_ROWS names (isa_sets.h). No
// include guard for that reason.

// put stores a vector where p is aligned for it, past the cache or not.
template <bool STREAM> GB_HD void put(double *p, const vec &v) {
	if (STREAM)
		stream(p, v);
	else
		store(p, v);
}

// Reads one float64, where load reads a vector of them.
#define GB_ONE(p) (*(p))

// GB_ROW makes the results at o of what lies at c, up to `end`: whole vectors where o is aligned, and before and after
// them one by one. CELL(T, R, L) makes result R, of type T, of what L reads at c and around it; EACH comes before each
// vector. c and o move.
#define GB_ROW(CELL, EACH)                                                                                             \
	for (; c < end && ((uintptr_t)o & (GB_LANES * 8 - 1)); c++, o++) CELL(double, *o, GB_ONE);                         \
	for (; c + GB_LANES <= end; c += GB_LANES, o += GB_LANES) {                                                        \
		EACH;                                                                                                          \
		vec result;                                                                                                    \
		CELL(vec, result, load);                                                                                       \
		put<STREAM>(o, result);                                                                                        \
	}                                                                                                                  \
	for (; c < end; c++, o++) CELL(double, *o, GB_ONE)
