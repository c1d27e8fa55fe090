package launch

import (
	"slices"
	"strings"

	"gpubench/internal/launch/rendezvous"
)

// Detached is an environment without what launchers told this process, so that a child can be started by another
// launcher, or alone. A user's settings of MPI stay.
func Detached(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		return slices.Contains(launchersOwn, name) ||
			slices.ContainsFunc(launcherPrefixes, begins) && !slices.ContainsFunc(usersPrefixes, begins)
	})
}

var (
	launcherPrefixes = []string{"OMPI_", "PMIX_", "PRTE_", "PMI_", "PMI2_", "HYDI_", "HYDRA_", "MPI_LOCAL", "SLURM_", "SLURMD_"}
	usersPrefixes    = []string{"OMPI_MCA_", "OMPI_ALLOW_", "PMIX_MCA_", "PRTE_MCA_", "PRTE_ALLOW_"}
	launchersOwn     = []string{
		rendezvous.EnvRank, rendezvous.EnvSize, rendezvous.EnvAddress, rendezvous.EnvSecret,
		// Settings that Open MPI's mpirun writes among the user's.
		"OMPI_MCA_num_procs", "OMPI_MCA_initial_wdir", "OMPI_MCA_cpu_type", "OMPI_MCA_PREFIXES",
	}
)
