#!/usr/bin/env bash
# What to run on a machine with a GPU and no Go: prebuilt test binaries, the conformance suites on the device,
# compute-sanitizer on the kernels, and the benchmarks. Records and logs go into one folder.
#
#   scripts/build.sh --tests           # where Go is: build/gpubench, build/tests/, build/lib/gpubench/
#   scripts/gpu-acceptance.sh [--device cuda|emulated] [-o DIR] [--quick]      # where the GPU is
#
# Carry build/ and scripts/ along (and .toolchain/openmpi for --transport mpi). CI runs it on the emulated device.
set -uo pipefail

usage() { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
device=cuda out=${OUT:-$root/build/acceptance} quick=
while [ $# -gt 0 ]; do
	case $1 in
	--device) device=${2:-}; shift ;;
	-o) out=${2:-}; shift ;;
	--quick) quick=1 ;;
	-h | --help) usage; exit 0 ;;
	*) printf 'gpu-acceptance: unknown argument %q (see --help)\n' "$1" >&2; exit 2 ;;
	esac
	shift
done
case $device in cuda | emulated) ;; *) printf 'gpu-acceptance: --device is cuda or emulated, not %q\n' "$device" >&2; exit 2 ;; esac
[ -x "$root/build/gpubench" ] && [ -d "$root/build/tests" ] || {
	echo "gpu-acceptance: build/gpubench or build/tests is missing: run scripts/build.sh --tests where Go is" >&2
	exit 2
}
mkdir -p "$out" || exit 2
export GPUBENCH_LIB=$root/build/lib/gpubench
export GPUBENCH_TEST_DRIVER=$device
[ "$device" = cuda ] && export GPUBENCH_REQUIRE_CUDA=1

passed=0 failed=0 left=0
# step NAME COMMAND...: runs it in the folder of its log, counts how it ended.
step() {
	local name=$1 rc begin=$SECONDS
	shift
	timeout 900 "$@" >"$out/$name.log" 2>&1
	rc=$?
	if [ $rc -eq 0 ]; then
		passed=$((passed + 1))
		printf 'ok    %-28s %4d s\n' "$name" $((SECONDS - begin))
	else
		failed=$((failed + 1))
		printf 'FAIL  %-28s %4d s  exit %d, %s\n' "$name" $((SECONDS - begin)) $rc "$out/$name.log"
		tail -n 15 "$out/$name.log" | sed 's/^/      | /'
	fi
}
skip() {
	left=$((left + 1))
	printf 'skip  %-28s %s\n' "$1" "$2"
}

{
	date -u +%FT%TZ
	uname -a
	"$root/build/gpubench" version
	command -v nvidia-smi >/dev/null && nvidia-smi -q -d MEMORY,CLOCK,POWER,ECC,COMPUTE
} >"$out/machine.txt" 2>&1

step list "$root/build/gpubench" list
for t in "$root"/build/tests/*.test; do
	name=$(basename "$t" .test)
	step "test-$name" env -C "$root/build/tests" "$t" -test.short -test.timeout 600s
done

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -n 1)
if [ "$device" != cuda ]; then
	skip sanitizer "there are no GPU kernels on the emulated device"
elif [ -z "$sanitizer" ]; then
	skip sanitizer "compute-sanitizer is not on this machine"
else
	for tool in memcheck racecheck initcheck; do
		step "sanitizer-$tool" env -C "$root/build/tests" "$sanitizer" --tool $tool --error-exitcode 9 \
			"$root/build/tests/kernels.test" -test.short -test.timeout 600s
	done
fi

size=8:16M
[ -n "$quick" ] && size=8,64K,1M
bench=("$root/build/gpubench" run --device "$device" --path staged,direct -o "$out/records" --order listed --timeout 2m)
[ -n "$quick" ] && bench+=(--quick)
step run-messages "${bench[@]}" pingpong bandwidth -m "$size"
step run-simple "${bench[@]}" pingpong --path staged --staging simple -m "$size"
step run-jacobi3d "${bench[@]}" jacobi3d ${quick:+--grid 48,48,48} --odf 1,4
step run-jacobi3d-charm-field "${bench[@]}" jacobi3d --grid 64,64,64 --field charm
if "$root/build/gpubench" list --format jsonl 2>/dev/null | grep -q '"kind":"transport","name":"mpi","available":true'; then
	step run-mpi-staged "${bench[@]}" pingpong bandwidth jacobi3d --path staged --transport mpi -m "$size" ${quick:+--grid 48,48,48}
else
	skip run-mpi-staged "no MPI here"
fi

printf '%d passed, %d failed, %d skipped; logs and records in %s\n' $passed $failed $left "$out"
[ $failed -eq 0 ]
