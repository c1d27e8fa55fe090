// CPUSet: a set of CPU numbers, written as the kernel writes lists of them.

package machine

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// maxCPU bounds the numbers in a set: the kernel's own bound is 8192.
const maxCPU = 8191

// CPUSet is a set of CPUs. The zero value is the empty set. Sets are values: no method changes its receiver. In JSON it
// is a string, the kernel's list.
type CPUSet struct{ words []uint64 } // no zero word at the end, so that equal sets have equal words

// NewCPUSet returns the set of those CPUs; it panics on a number that no CPU has.
func NewCPUSet(cpus ...int) CPUSet {
	var s CPUSet
	for _, c := range cpus {
		if c < 0 || c > maxCPU {
			panic(fmt.Sprintf("machine: no CPU has the number %d", c))
		}
		for len(s.words) <= c/64 {
			s.words = append(s.words, 0)
		}
		s.words[c/64] |= 1 << (c % 64)
	}
	return s
}

func trimmed(words []uint64) CPUSet {
	for len(words) > 0 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	return CPUSet{words}
}

// ParseCPUSet reads the kernel's list format, such as "0-3,8,10-11"; "" is the empty set.
func ParseCPUSet(list string) (CPUSet, error) {
	list = strings.TrimSpace(list)
	if list == "" {
		return CPUSet{}, nil
	}
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(lo)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(hi)
		}
		if err != nil || first < 0 || last < first || last > maxCPU {
			return CPUSet{}, fmt.Errorf("machine: %q is no list of CPUs", list)
		}
		for c := first; c <= last; c++ {
			cpus = append(cpus, c)
		}
	}
	return NewCPUSet(cpus...), nil
}

// String returns the kernel's list format.
func (s CPUSet) String() string {
	var b strings.Builder
	cpus := s.CPUs()
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(cpus[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(cpus[j]))
		}
		i = j + 1
	}
	return b.String()
}

// Count returns the number of CPUs in the set.
func (s CPUSet) Count() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// Has reports whether the set has a CPU.
func (s CPUSet) Has(cpu int) bool {
	return cpu >= 0 && cpu/64 < len(s.words) && s.words[cpu/64]>>(cpu%64)&1 == 1
}

// CPUs returns the numbers in the set, in order.
func (s CPUSet) CPUs() []int {
	cpus := make([]int, 0, s.Count())
	for i, w := range s.words {
		for ; w != 0; w &= w - 1 {
			cpus = append(cpus, i*64+bits.TrailingZeros64(w))
		}
	}
	return cpus
}

// Intersect returns the CPUs that both sets have.
func (s CPUSet) Intersect(t CPUSet) CPUSet {
	words := make([]uint64, min(len(s.words), len(t.words)))
	for i := range words {
		words[i] = s.words[i] & t.words[i]
	}
	return trimmed(words)
}

// Union returns the CPUs that one of the sets has.
func (s CPUSet) Union(t CPUSet) CPUSet {
	if len(s.words) < len(t.words) {
		s, t = t, s
	}
	words := slices.Clone(s.words)
	for i, w := range t.words {
		words[i] |= w
	}
	return CPUSet{words}
}

// Equal reports whether both sets have the same CPUs.
func (s CPUSet) Equal(t CPUSet) bool { return slices.Equal(s.words, t.words) }

// MarshalJSON writes the list as a string.
func (s CPUSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *CPUSet) UnmarshalJSON(b []byte) error {
	var list string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	set, err := ParseCPUSet(list)
	*s = set
	return err
}
