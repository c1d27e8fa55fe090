package launch

import (
	"slices"
	"strings"
)

// Detached is an environment without what launchers told this process, so that a child can be started by another
// launcher, or alone. A user's settings of MPI stay.
func Detached(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(launchersOwn, name) {
			return true
		}
		if strings.HasPrefix(name, "OMPI_MCA_") || strings.HasPrefix(name, "OMPI_ALLOW_RUN_AS_ROOT") {
			return false
		}
		return slices.ContainsFunc(launcherPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	})
}

var (
	launcherPrefixes = []string{"OMPI_", "PMIX_", "PRTE_", "PMI_", "PMI2_", "HYDI_", "HYDRA_", "MPI_LOCAL", "MPIR_", "SLURM_", "SLURMD_"}
	// Settings that mpirun writes among the user's.
	launchersOwn = []string{"OMPI_MCA_num_procs", "OMPI_MCA_initial_wdir", "OMPI_MCA_cpu_type", "OMPI_MCA_PREFIXES"}
)
