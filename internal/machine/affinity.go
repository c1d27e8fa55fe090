// The CPUs that the process was given.

package machine

// Read before main, in the main thread, so that no pinning of ours is taken for the machine's.
var startCPUs, startErr = getAffinity(0)

// AllowedCPUs returns the CPUs that the process could run on when it started: the launcher's binding, the batch
// system's and the container's sets are in it. The share of time on them (CPU quota) is not: see Host.CPUQuota.
func AllowedCPUs() (CPUSet, error) { return startCPUs, startErr }
