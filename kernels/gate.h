// The gate's kernels: one that waits for a word of the host's, and one that does nothing.
#pragma once

#include "launch.h"

// gb_gate_open reports whether the gate has the value that opens it; the host writes it meanwhile.
GB_HD bool gb_gate_open(const volatile uint32_t *word, int64_t value) { return *word == (uint32_t)value; }
