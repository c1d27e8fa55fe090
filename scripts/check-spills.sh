#!/usr/bin/env bash
# Shows that no kernel spills registers to memory on any architecture: reads what ptxas -v said when CMake built the
# fatbins. scripts/check-spills.sh [BUILD FOLDER, default build]. 0: none does; 1: one does; 2: nothing to read.
set -euo pipefail
build=${1:-$(dirname "${BASH_SOURCE[0]}")/../build}
shopt -s nullglob
reports=("$build"/ptxas/*.txt)
if [ ${#reports[@]} -eq 0 ]; then
	echo "check-spills: no reports in $build/ptxas: build the kernels first (scripts/build.sh)" >&2
	exit 2
fi
exec awk '
/Compiling entry function/ { split($0, q, "\047"); entry = q[2]; arch = q[4]; kernels[entry]; archs[arch]; compiled++ }
# A kernel is judged by its own line alone; a function it calls has been compiled without inlining, which we never want.
/Function properties for/ { name = $NF }
/bytes stack frame/ {
	judged++
	if ($5 + 0 || $9 + 0 || $1 + 0) {
		printf "check-spills: %s on %s (%s): %s\n", name, arch, FILENAME, $0
		bad++
	}
}
/Used [0-9]+ registers/ { for (i = 1; i <= NF; i++) if ($i == "Used" && $(i + 1) > most[entry]) most[entry] = $(i + 1) }
END {
	if (compiled == 0 || judged != compiled) {
		printf "check-spills: %d kernels compiled, %d judged: these reports cannot be read\n", compiled, judged
		exit 2
	}
	for (k in kernels) printf "%-18s at most %3d registers\n", k, most[k]
	printf "%d kernels on %d architectures, %d compilations: %d spill or use a stack\n", length(kernels), length(archs), compiled, bad
	exit bad > 0
}' "${reports[@]}"
