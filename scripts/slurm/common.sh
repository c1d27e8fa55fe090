# Shared by the batch scripts beside it, which source it: how gpubench is launched, goes on in a results folder, and ends
# before the time limit. A script sets the variables named in check_settings, calls run_trial for each launch, and finish.
# shellcheck shell=bash disable=SC2154 # the settings are the scripts'

set -euo pipefail

say() { printf '%s gpubench job %s: %s\n' "$(date +%H:%M:%S)" "$SLURM_JOB_ID" "$*"; }
die() { say "$*"; exit 2; }

stopping= # why no further case is to begin
child=    # the launcher that runs
failed=   # some trial had failed cases

# check_settings sees that the script's settings are known, once, before anything is launched.
check_settings() {
	case $launcher in srun | mpirun) ;; *) die "BENCH_LAUNCHER is $launcher: give srun or mpirun" ;; esac
	case $gpus in all | one) ;; *) die "BENCH_GPUS is $gpus: give all or one" ;; esac
	case $requeue in yes | no) ;; *) die "BENCH_REQUEUE is $requeue: give yes or no" ;; esac
	[[ $trials =~ ^[1-9][0-9]*$ ]] || die "BENCH_TRIALS is $trials: give a number from 1 on"
	[[ $transports =~ ^(mpi|ucx)(,(mpi|ucx))*$ ]] || die "BENCH_TRANSPORT is $transports: give mpi, ucx or both"
	[[ $seed =~ ^[0-9]+$ ]] || die "BENCH_SEED is $seed: give a whole number"
	command -v "$gpubench" >/dev/null || die "$gpubench is not there: run scripts/build.sh, or name the program in GPUBENCH"
	command -v "$launcher" >/dev/null || die "$launcher is not on PATH: load its module at the top of the script, or give the other BENCH_LAUNCHER"
	mkdir -p "$out" || die "cannot make the folder $out: name another in BENCH_OUT"
	ok_at_start=$(count '"status":"ok"' "$out"/*/results.jsonl)
	say "$SLURM_JOB_NODELIST, restart ${SLURM_RESTART_COUNT:-0}, $launcher, GPUs visible: $gpus, seed $seed, results in $out"
	if [ "$launcher" = srun ] && [ "${SLURMD_NODENAME:-}" != "$(hostname -s)" ]; then
		say "warning: Slurm calls this node ${SLURMD_NODENAME:-nothing}, the host $(hostname -s): PMIx may find no neighbours, and MPI take TCP within a node"
	fi
	# Slurm's signal, by #SBATCH --signal, comes some time before the time limit; SIGTERM from scancel or for another job.
	trap 'stop "the time is almost up"' USR2
	trap 'stop "the job is being ended"' TERM
}

# count PATTERN FILE…: lines that match, in the files that are there.
count() { cat "${@:2}" 2>/dev/null | grep -c "$1" || true; }

# stop WHY: srun and Open MPI's mpirun hand SIGUSR2 to every rank, and gpubench ends in order; at SIGTERM they would kill the
# ranks. Each finished case is on disk already, whatever happens.
stop() {
	stopping=$1
	say "$1: gpubench is told to end"
	[ -z "$child" ] || kill -USR2 "$child" 2>/dev/null || true
}

# folder NODES: one results folder for each number of nodes and way to see the GPUs, since a case's id knows neither.
folder() { echo "$out/nodes-$1-$launcher-$gpus"; }

# command_line NODES PER_NODE ARG…: fills the array command with the launch of gpubench on NODES nodes, PER_NODE PEs on each.
command_line() {
	local nodes=$1 per_node=$2 tasks=$(($1 * $2))
	shift 2
	set -- "$gpubench" "$@"
	if [ "$launcher" = srun ]; then
		# An MPI started without the right --mpi makes every task a world of its own; srun --mpi=list shows what there is.
		command=(srun --mpi="$srun_mpi" --nodes="$nodes" --ntasks="$tasks" --ntasks-per-node="$per_node" --kill-on-bad-exit=1)
		if [ "$gpus" = one ]; then
			command+=(--gpus-per-task=1 --gpu-bind=single:1)
		else
			command+=(--gpu-bind=none)
		fi
		command+=("$@")
		return
	fi
	# mpirun knows no --gpu-bind.
	[ "$gpus" = all ] || set -- "$home/scripts/slurm/one-gpu.sh" "$@"
	# PEs are not bound: a PE's kernels on the CPU may use several cores. The record says where each may run.
	if mpirun --version 2>&1 | grep -qiE 'open mpi|openrte|prrte'; then
		command=(mpirun -n "$tasks" --map-by "ppr:$per_node:node" --bind-to none "$@")
	else
		command=(mpirun -n "$tasks" -ppn "$per_node" -bind-to none "$@")
	fi
}

# run_trial TRIAL NODES PER_NODE ARG…: one trial, in fresh processes for each transport.
run_trial() {
	local transport
	for transport in ${transports//,/ }; do
		launch_trial "$@" --transport "$transport"
	done
}

# launch_trial TRIAL NODES PER_NODE ARG…: one launch. Cases that its folder has are left out.
launch_trial() {
	local trial=$1 nodes=$2 per_node=$3 dir command status before attempt
	shift 3
	dir=$(folder "$nodes")
	for attempt in 1 2; do
		[ -z "$stopping" ] || return 0
		local go_on=(-o "$dir")
		[ ! -s "$dir/results.jsonl" ] || go_on=(--resume "$dir")
		command_line "$nodes" "$per_node" run "$@" "${go_on[@]}" --trial "$trial" --seed "$seed"
		say "trial $trial on $nodes node(s): ${command[*]}"
		before=$(count '"status":"\(ok\|failed\|timeout\)"' "$dir/results.jsonl")
		"${command[@]}" &
		child=$!
		# A signal that is trapped ends wait before the launcher has ended.
		while kill -0 "$child" 2>/dev/null; do wait "$child" || true; done
		wait "$child" && status=0 || status=$?
		child=
		case $status in
		0) return 0 ;;
		2) exit 2 ;; # the command line: no other trial would fare better
		esac
		[ -z "$stopping" ] || return 0
		# A launch may fail before MPI is up, for a lost socket or a port that is taken.
		if [ "$(count '"status":"\(ok\|failed\|timeout\)"' "$dir/results.jsonl")" -gt "$before" ]; then break; fi
		[ $attempt = 2 ] || say "the launch ended with status $status before its first case: once more"
	done
	say "trial $trial on $nodes node(s) ended with status $status"
	failed=1
}

# finish ends the job: completed, or stopped with what is left to do. A stopped job that got on is queued again.
finish() {
	if [ -z "$stopping" ]; then
		say "all trials are done; records are in $out/*/results.jsonl"
		[ -z "$failed" ] || { say "some cases failed"; exit 1; }
		exit 0
	fi
	local new=$(($(count '"status":"ok"' "$out"/*/results.jsonl) - ok_at_start))
	say "$stopping: $new cases were finished in this start"
	# Of a job that is being ended somebody else decides. One that gets nowhere would be queued again for ever.
	if [ "$requeue" = yes ] && [ $new -gt 0 ] && [ "$stopping" = "the time is almost up" ]; then
		say "queued again, to go on"
		trap '' TERM # that ends this shell otherwise, as it ends the job
		if scontrol requeue "$SLURM_JOB_ID"; then
			sleep 30
		fi
		say "it could not be queued again"
	fi
	say "to go on submit the same script with the same settings again: what is in $out is kept"
	exit 1
}
