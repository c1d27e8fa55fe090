// Checks of what tasks' kernels leave.

package taskbench

import (
	"fmt"
	"slices"

	"gpubench/gpu"
	"gpubench/kernels"
)

const (
	// allLanes is up to how many iterations each of a block's 64 values has a reference, beyond it every ninth: eight. Eight
	// cost about as long as one task, so that nothing is too large to be checked.
	allLanes = 1 << 22
	// mostWhole is up to how many sizes of tasks all values are kept.
	mostWhole  = 1 << 14
	everyNinth = 9
	blockLanes = kernels.TaskFlops / 2
)

// allSizes are the sizes of the PE's tasks.
func (w *points) allSizes() []int64 {
	if !w.p.Has("imbalance") {
		return []int64{w.size}
	}
	var sizes []int64
	for _, own := range w.mine {
		for _, q := range own {
			for t := range q.draws {
				sizes = append(sizes, w.iterations(q, t))
			}
		}
	}
	return sizes
}

// refer works out what tasks of these sizes leave, those that are not known yet, in one pass over the iterations.
func (w *points) refer(sizes []int64) {
	if w.kernel != kernelCompute {
		return
	}
	if w.references == nil {
		w.references = map[int64][]float64{}
	}
	slices.Sort(sizes)
	sizes = slices.DeleteFunc(slices.Compact(sizes), func(n int64) bool { return w.references[n] != nil })
	if len(sizes) == 0 {
		return
	}
	stride := 1
	if len(sizes) > mostWhole || sizes[len(sizes)-1] > allLanes {
		stride = everyNinth
	}
	for i, values := range kernels.TaskChains(sizes, stride) {
		w.references[sizes[i]] = values
	}
}

// checkLanes checks what the last compute-bound task left, which had one of some sizes.
func (w *points) checkLanes(name string, sizes ...int64) error {
	found, err := w.read(w.lanes)
	if err != nil {
		return err
	}
	wrong := ""
	for _, n := range sizes {
		if wrong = w.differs(gpu.Of[float64](found), n); wrong == "" {
			break
		}
	}
	if wrong != "" {
		wrong = fmt.Sprintf("PE %d: %s: %s", w.pe.Rank, name, wrong)
	}
	w.check.count(wrong)
	return nil
}

// differs says what is not as a task of a size leaves it.
func (w *points) differs(found []float64, size int64) string {
	w.refer([]int64{size})
	want := w.references[size]
	stride := 1
	if len(want) < blockLanes {
		stride = everyNinth
	}
	for i := range found {
		if lane := i % blockLanes; lane%stride == 0 && found[i] != want[lane/stride] {
			return fmt.Sprintf("value %d after %d iterations: expected %.17g, found %.17g", i, size, want[lane/stride], found[i])
		}
	}
	return ""
}

// checkBusy checks what the last busy_wait came to.
func (w *points) checkBusy(name string) {
	wrong := ""
	if want := busyReference(w.size); w.busy != want {
		wrong = fmt.Sprintf("PE %d: %s: busy_wait: expected %d, found %d", w.pe.Rank, name, want, w.busy)
	}
	w.check.count(wrong)
}

// busyReference is 113·139^n modulo 2^31-1.
func busyReference(n int64) int64 {
	const m = 1<<31 - 1
	v, power := int64(113), int64(139)
	for ; n > 0; n /= 2 {
		if n%2 == 1 {
			v = v * power % m
		}
		power = power * power % m
	}
	return v
}

// read gives memory in a place where the host can look at it.
func (w *points) read(m gpu.Memory) (gpu.Memory, error) {
	if m.Space <= gpu.Pinned {
		return m, nil
	}
	there := w.look.Slice(0, m.Len)
	if err := w.stream.Copy(there, m); err != nil {
		return there, err
	}
	return there, w.stream.Sync()
}
