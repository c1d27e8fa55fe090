package launch

import (
	"slices"
	"testing"
)

func TestDetached(t *testing.T) {
	keep := []string{"PATH=/bin", "OMPI_MCA_pml=ucx", "OMPI_ALLOW_RUN_AS_ROOT=1", "UCX_TLS=all", "MPIR=1", "LD_LIBRARY_PATH=x=y"}
	drop := []string{"OMPI_COMM_WORLD_RANK=1", "OMPI_MCA_num_procs=2", "OMPI_MCA_PREFIXES=pml,", "PMIX_RANK=1", "PRTE_LAUNCHED=1",
		"PMI_RANK=0", "HYDI_CONTROL_FD=5", "SLURM_PROCID=0", "MPI_LOCALRANKID=1"}
	var all []string
	for i := range max(len(keep), len(drop)) {
		all = append(all, keep[min(i, len(keep)-1)], drop[min(i, len(drop)-1)])
	}
	got := slices.Compact(Detached(all))
	if !slices.Equal(got, keep) {
		t.Errorf("%q, wanted %q", got, keep)
	}
	if _, joined := Joined(func(name string) string {
		for _, kv := range got {
			if len(kv) > len(name) && kv[:len(name)+1] == name+"=" {
				return kv[len(name)+1:]
			}
		}
		return ""
	}); joined {
		t.Error("a detached child takes itself for a rank")
	}
}
