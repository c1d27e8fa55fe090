// Sockets: which processor packages the CPUs of a set lie in.

package machine

import (
	"io/fs"
	"os"
	"path"
	"slices"
)

// Socket is a processor package, and those of its CPUs that were asked about.
type Socket struct {
	ID   int    `json:"id"` // as the kernel numbers packages
	CPUs CPUSet `json:"cpus"`
}

// Sockets returns the sockets that CPUs of this machine lie in, by number; nil where the kernel does not tell.
func Sockets(cpus CPUSet) []Socket { return SocketsFrom(os.DirFS("/"), cpus) }

// SocketsFrom is Sockets with the file system's root given.
func SocketsFrom(root fs.FS, cpus CPUSet) []Socket {
	r := reader{root}
	of := map[int][]int{}
	for _, c := range cpus.CPUs() {
		id := r.number(path.Join(cpuDir(c), "topology/physical_package_id"))
		if id == nil || *id < 0 { // some virtual machines say -1
			return nil
		}
		of[int(*id)] = append(of[int(*id)], c)
	}
	var out []Socket
	for id, list := range of {
		out = append(out, Socket{ID: id, CPUs: NewCPUSet(list...)})
	}
	slices.SortFunc(out, func(a, b Socket) int { return a.ID - b.ID })
	return out
}
