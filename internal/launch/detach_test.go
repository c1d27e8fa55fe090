package launch

import (
	"slices"
	"testing"
)

func TestDetached(t *testing.T) {
	keep := []string{"PATH=/bin", "OMPI_MCA_pml=ucx", "OMPI_ALLOW_RUN_AS_ROOT=1", "PMIX_MCA_gds=hash", "PRTE_ALLOW_RUN_AS_ROOT=1",
		"MPIR_CVAR_ENABLE_GPU=1", "UCX_TLS=all", "LD_LIBRARY_PATH=x=y", "GPUBENCH_LIB=/y", "GPUBENCH_RANKLESS=1", "CUDA_VISIBLE_DEVICES=1"}
	drop := []string{"OMPI_COMM_WORLD_RANK=1", "OMPI_MCA_num_procs=2", "OMPI_MCA_PREFIXES=pml,", "PMIX_RANK=1", "PMIX_SERVER_URI4=x",
		"PRTE_LAUNCHED=1", "PMI_RANK=0", "PMI_FD=3", "HYDI_CONTROL_FD=5", "MPI_LOCALRANKID=1", "SLURM_JOB_ID=7", "SLURM_PROCID=0",
		"SLURM_STEP_NUM_TASKS=4", "GPUBENCH_RANK=1", "GPUBENCH_SIZE=2", "GPUBENCH_RENDEZVOUS=x", "GPUBENCH_SECRET=y"}
	var all []string
	for i := range max(len(keep), len(drop)) {
		all = append(all, keep[min(i, len(keep)-1)], drop[min(i, len(drop)-1)])
	}
	got := slices.Compact(Detached(all))
	if !slices.Equal(got, keep) {
		t.Errorf("%q, wanted %q", got, keep)
	}
	if _, joined := Joined(env(got...)); joined {
		t.Error("a detached child takes itself for a rank")
	}
}
