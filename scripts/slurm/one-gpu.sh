#!/usr/bin/env bash
# Shows each of a node's ranks one GPU, as srun --gpu-bind=single:1 does: for mpirun, which has no such option.
#   mpirun -n 4 scripts/slurm/one-gpu.sh COMMAND…
set -euo pipefail
rank=${OMPI_COMM_WORLD_LOCAL_RANK:-${MPI_LOCALRANKID:-}}
[ -n "$rank" ] || { echo "one-gpu.sh: no local rank in the environment: start it with Open MPI's or MPICH's mpirun" >&2; exit 2; }
IFS=, read -ra visible <<<"${CUDA_VISIBLE_DEVICES:-}"
[ ${#visible[@]} -gt 0 ] || { echo "one-gpu.sh: CUDA_VISIBLE_DEVICES is empty: ask Slurm for GPUs, as by --gpus-per-node" >&2; exit 2; }
export CUDA_VISIBLE_DEVICES=${visible[rank % ${#visible[@]}]}
exec "$@"
