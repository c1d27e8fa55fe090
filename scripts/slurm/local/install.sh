#!/usr/bin/env bash
# Installs what up.sh needs, in the versions of the distribution: Slurm, munge and PMIx; as root on Debian or Ubuntu. Their
# services are not started. Exit status 3, with a line that says why, where a Slurm cannot be had.
#   scripts/slurm/local/install.sh
set -euo pipefail
cannot() { printf 'slurm: no Slurm for tests here: %s\n' "$*" >&2; exit 3; }
export PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || cannot "that takes root"
unshare --uts --mount true 2>/dev/null || cannot "this container may not make namespaces, which give its nodes their host names"
complete() {
	local program
	for program in slurmctld slurmd munged srun; do command -v $program >/dev/null || return 1; done
	compgen -G "/usr/lib/*/pmix2/lib/libpmix.so.2" >/dev/null && compgen -G "/usr/lib/*/slurm*/mpi_pmix.so" >/dev/null
}
if ! complete; then
	command -v apt-get >/dev/null || cannot "this is neither Debian nor Ubuntu"
	# Packages start services, unless this program forbids it.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		trap 'rm -f $policy' EXIT
	fi
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	{ apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge libpmix2; } >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		cannot "apt-get failed"
	}
	rm -f "$log"
	complete || cannot "the distribution's Slurm comes without PMIx"
fi
# srun's plugin opens libpmix.so, which Debian has in the package of headers alone.
for lib in /usr/lib/*/pmix2/lib/libpmix.so.2; do
	[ -e "${lib%.2}" ] || ln -s libpmix.so.2 "${lib%.2}"
done
