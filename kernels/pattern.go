// Patterns of messages: filled and checked on the device, or by the host in its own bytes.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_pattern_fill(const uint64_t *args, const struct gb_launch *l);
void gb_pattern_check(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"encoding/binary"
	"math"
	"unsafe"

	"gpubench/gpu"
)

var (
	patternFill  = define("pattern", "pattern_fill", "piii", unsafe.Pointer(C.gb_pattern_fill))
	patternCheck = define("pattern", "pattern_check", "ppiiii", unsafe.Pointer(C.gb_pattern_check))
)

// PatternFill writes the pattern of a message: every byte depends on step, sender and its offset. m may begin at any
// byte.
func (k *Set) PatternFill(s *gpu.Stream, m gpu.Memory, step, sender int) error {
	if m.Len == 0 {
		return nil
	}
	grid, block := k.strided(ceil(m.Len, 8), checkThreads)
	return k.launch(s, patternFill, grid, block, uint64(m.Addr), uint64(m.Len), uint64(step), uint64(sender))
}

// PatternResult is what a pattern check found.
type PatternResult struct {
	Checked  int64 // bytes
	Errors   int64 // bytes that differ
	First    int64 // offset of the first, -1 for none
	Found    byte
	Expected byte
}

// PatternCheck compares m with the pattern, on the device. It waits for the stream.
func (k *Set) PatternCheck(s *gpu.Stream, m gpu.Memory, step, sender int) (PatternResult, error) {
	if m.Len == 0 {
		return PatternResult{First: -1}, s.Sync()
	}
	return k.checkBytes(s, patternCheck, m, step, sender)
}

// checkBytes runs a kernel that compares the bytes of m with those that two numbers stand for, and waits for its result.
func (k *Set) checkBytes(s *gpu.Stream, kernel id, m gpu.Memory, step, who int) (PatternResult, error) {
	n := slotsFor(ceil(m.Len, 64))
	err := k.launch(s, kernel, gpu.Dim3{X: n, Y: 1, Z: 1}, gpu.Dim3{X: checkThreads, Y: 1, Z: 1},
		uint64(m.Addr), uint64(k.results.Memory().Addr), uint64(m.Len), uint64(step), uint64(who), uint64(n))
	if err != nil {
		return PatternResult{}, err
	}
	v, err := k.joinSlots(s, n)
	if err != nil {
		return PatternResult{}, err
	}
	return PatternResult{Checked: v[0], Errors: v[1], First: v[2], Found: byte(math.Float64frombits(uint64(v[3]))),
		Expected: byte(math.Float64frombits(uint64(v[4])))}, nil
}

// patternWord is bytes 8w to 8w+7 of a pattern, the lowest first: gb_pattern_seed and gb_pattern_word of pattern.h.
func patternWord(step, sender, w int) uint64 {
	seed := uint64(step)*0xbf58476d1ce4e5b9 ^ (uint64(sender)+1)*0x94d049bb133111eb
	z := seed + uint64(w+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// PatternBytes is PatternFill from the host.
func PatternBytes(dst []byte, step, sender int) {
	var word [8]byte
	for w := 0; 8*w < len(dst); w++ {
		binary.LittleEndian.PutUint64(word[:], patternWord(step, sender, w))
		copy(dst[8*w:], word[:])
	}
}

// CheckPatternBytes is PatternCheck for bytes that the host holds.
func CheckPatternBytes(b []byte, step, sender int) PatternResult {
	r := PatternResult{Checked: int64(len(b)), First: -1}
	var word [8]byte
	for w := 0; 8*w < len(b); w++ {
		binary.LittleEndian.PutUint64(word[:], patternWord(step, sender, w))
		for i, found := range b[8*w : min(len(b), 8*w+8)] {
			if found == word[i] {
				continue
			}
			if r.Errors++; r.Errors == 1 {
				r.First, r.Found, r.Expected = int64(8*w+i), found, word[i]
			}
		}
	}
	return r
}
