// Slurm: whether it is here, and what a job was given.

package doctor

import (
	"fmt"
	"slices"
	"strings"
)

func (e *examiner) slurm() {
	s := e.Slurm
	inJob := e.Env["SLURM_JOB_ID"] != ""
	l := line{detail: map[string]any{"commands": s.Commands, "mpi_types": s.MPITypes}}
	switch {
	case len(s.Commands) == 0 && !inJob:
		e.add("slurm", None, line{}, "no srun, sbatch or sinfo on PATH")
	case len(s.Commands) == 0:
		l.mend = "put Slurm's commands on PATH (in a container: mount them with slurm.conf and munge's socket), or start ranks with mpirun"
		e.add("slurm", Warn, l, "inside job %s, and no srun on PATH", e.Env["SLURM_JOB_ID"])
	case s.Why != "":
		status := None
		if inJob {
			status = Warn
		}
		l.mend = "where Slurm is wanted: give its commands a slurm.conf (SLURM_CONF)"
		e.add("slurm", status, l, "the commands %s are there and do not answer: %s", strings.Join(s.Commands, ", "), s.Why)
	case s.MPITypes != nil && !slices.ContainsFunc(s.MPITypes, func(t string) bool { return strings.HasPrefix(t, "pmix") }):
		l.mend = "start ranks with mpirun inside sbatch or salloc, or install Slurm's PMIx plugin"
		e.add("slurm", Warn, l, "%s without PMIx (srun --mpi=%s): Open MPI's ranks cannot be started by srun", s.Version, strings.Join(s.MPITypes, ", "))
	default:
		types := ""
		if s.MPITypes != nil {
			types = ", srun --mpi=" + strings.Join(s.MPITypes, ", ")
		}
		e.add("slurm", OK, l, "%s%s", s.Version, types)
	}
	e.slurmJob()
}

func (e *examiner) slurmJob() {
	id := e.Env["SLURM_JOB_ID"]
	if id == "" {
		e.add("slurm_job", None, line{}, "not inside a job")
		return
	}
	words := []string{"job " + id}
	detail := map[string]any{}
	for _, v := range []struct{ name, word string }{
		{"SLURM_NNODES", "nodes"}, {"SLURM_NTASKS", "tasks"}, {"SLURM_STEP_ID", "step"}, {"SLURM_JOB_GPUS", "GPUs of the job"},
		{"SLURM_STEP_GPUS", "GPUs of the step"}, {"SLURM_GPUS_ON_NODE", "GPUs on this node"}, {"SLURM_GPUS_PER_TASK", "GPUs per task"},
		{"SLURM_GPU_BIND", "GPU binding"},
	} {
		if value, ok := e.Env[v.name]; ok {
			detail[v.name] = value
			words = append(words, fmt.Sprintf("%s %s", v.word, value))
		}
	}
	l := line{detail: detail}
	granted := e.Env["SLURM_GPUS_ON_NODE"] != "" || e.Env["SLURM_JOB_GPUS"] != "" || e.Env["SLURM_STEP_GPUS"] != ""
	switch {
	case !granted && e.Ask.Device == "cuda":
		l.mend = "ask Slurm for GPUs: --gres=gpu:N or --gpus-per-node=N"
		e.add("slurm_job", Fail, l, "%s: it was given no GPU", strings.Join(words, ", "))
	case !granted && (e.Around.NvidiaDevice || len(e.gpus()) > 0):
		l.mend = "where GPUs are wanted: --gres=gpu:N or --gpus-per-node=N"
		e.add("slurm_job", Warn, l, "%s: it was given no GPU, and the node has some", strings.Join(words, ", "))
	default:
		e.add("slurm_job", OK, l, "%s", strings.Join(words, ", "))
	}
}

// ParseMPITypes reads `srun --mpi=list`: a line of words, then one type a line, then the versions of PMIx.
func ParseMPITypes(text string) (types []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "srun: ") // older versions log the list
		if line != "" && !strings.Contains(line, " ") && !slices.Contains(types, line) {
			types = append(types, line)
		}
	}
	return types
}
