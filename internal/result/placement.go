// Placement: how near the memories of a job's PEs are.
package result

// What params.placement may be. It is said of any two PEs: where pairs differ, or where it is not known, it is null.
const (
	SameGPU = "same_gpu" // on one device
	Peer    = "peer"     // on two devices of one host, whether or not these reach each other
	Node    = "node"     // in host memory, on one host
	Remote  = "remote"   // on two hosts
)

// Spread says how PEs lie over hosts, or over devices.
type Spread string

// The spreads.
const (
	Together Spread = "together" // all on one
	Apart    Spread = "apart"    // no two on the same
	Unclear  Spread = ""         // neither, or not known
)

// SpreadOf is the spread of PEs over the things with these names, one name a PE.
func SpreadOf(names []string) Spread {
	seen := map[string]bool{}
	for _, n := range names {
		seen[n] = true
	}
	switch {
	case len(names) < 2:
		return Unclear
	case len(seen) == 1:
		return Together
	case len(seen) == len(names):
		return Apart
	}
	return Unclear
}

// Placement is the placement of PEs by their spread over hosts and over devices; "" is null. On the host path their
// memory is the host's, and devices do not matter.
func Placement(path string, hosts, devices Spread) string {
	switch {
	case hosts == Apart:
		return Remote
	case hosts != Together:
		return ""
	case path == "host":
		return Node
	case devices == Together:
		return SameGPU
	case devices == Apart:
		return Peer
	}
	return ""
}
