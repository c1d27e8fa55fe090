#!/usr/bin/env bash
# Stops the Slurm that up.sh started in DIR: its jobs, then its daemons, by their process ids; the logs stay.
#   scripts/slurm/local/down.sh DIR
set -euo pipefail
[ $# = 1 ] || { echo "slurm: usage: down.sh DIR" >&2; exit 1; }
[ -d "$1/pid" ] || exit 0
dir=$(cd "$1" && pwd -P)
unset "${!SLURM_@}"
export SLURM_CONF=$dir/slurm.conf
# alive NAME: the process is there and is still that daemon: its number may have been given to another.
alive() {
	local id
	id=$(cat "$dir/pid/$1" 2>/dev/null) && [ "$(cat "/proc/$id/comm" 2>/dev/null)" = "${1%%-*}" ]
}
if alive slurmctld; then
	timeout 10 scancel --user="$(id -un)" 2>/dev/null || true
	for _ in $(seq 100); do
		[ -n "$(timeout 5 squeue -h -o %A 2>/dev/null)" ] || break
		sleep 0.1
	done
fi
# All are asked to end, and what has not ended after 8 seconds is killed.
names=$(ls "$dir/pid")
for name in $names; do ! alive "$name" || kill "$(cat "$dir/pid/$name")"; done
for _ in $(seq 80); do
	busy=
	for name in $names; do ! alive "$name" || busy=1; done
	[ -n "$busy" ] || break
	sleep 0.1
done
for name in $names; do
	! alive "$name" || { echo "slurm: $name had to be killed" >&2; kill -9 "$(cat "$dir/pid/$name")"; }
	rm -f "$dir/pid/$name"
done
rmdir "$dir/pid"
