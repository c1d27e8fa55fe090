#!/usr/bin/env bash
# Sets up (scripts/setup.sh) and builds: kernels and shims into build/lib/gpubench, the program as build/gpubench.
#   scripts/build.sh [-q] [--tests] [ARGS of setup.sh]
#   -q        only say what goes wrong
#   --tests   also build what ctest runs, and the test binaries that scripts/gpu-acceptance.sh takes to a GPU: build/tests
# Environment: GPUBENCH_BUILD (folder, default build), GPUBENCH_CUDA_ARCHITECTURES (as "80;90"; default all).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${GPUBENCH_BUILD:-$root/build}
quiet= tests=OFF setup=()
for arg in "$@"; do
	case $arg in
	-q | --quiet) quiet=1 setup+=(-q) ;;
	--tests) tests=ON ;;
	-h | --help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	*) setup+=("$arg") ;;
	esac
done
die() { printf 'build: %s\n' "$*" >&2; exit 1; }

command -v go >/dev/null || die "go is missing: install Go $(sed -n 's/^go //p' "$root/go.mod") or newer (https://go.dev/dl)"
"$root/scripts/setup.sh" ${setup[@]+"${setup[@]}"}
# shellcheck source=/dev/null
. "${GPUBENCH_TOOLCHAIN:-$root/.toolchain}/env.sh"

mkdir -p "$build" || die "cannot make the folder $build"
log=$build/build.log
# step NAME COMMAND…: quietly, and in full where it fails.
step() {
	local name=$1
	shift
	[ -n "$quiet" ] || printf 'build: %s\n' "$name"
	"$@" >"$log" 2>&1 || { cat "$log" >&2; die "$name failed"; }
	! grep -i 'warning' "$log" >&2 || true
}

generator=()
if [ ! -f "$build/CMakeCache.txt" ]; then
	if [ -n "$GPUBENCH_NINJA" ]; then
		generator=(-G Ninja -DCMAKE_MAKE_PROGRAM="$GPUBENCH_NINJA")
	else
		generator=(-G "Unix Makefiles")
	fi
fi
step "configure (CMake)" "$GPUBENCH_CMAKE" -S "$root" -B "$build" ${generator[@]+"${generator[@]}"} \
	-DCMAKE_CXX_COMPILER="$GPUBENCH_CXX" -DGPUBENCH_TESTS=$tests -DGPUBENCH_NVCC="$GPUBENCH_NVCC" \
	-DGPUBENCH_MPICC_OPENMPI="$GPUBENCH_MPICC_OPENMPI" -DGPUBENCH_MPICC_MPICH="$GPUBENCH_MPICC_MPICH" \
	-DGPUBENCH_UCX="$GPUBENCH_UCX" \
	${GPUBENCH_CUDA_ARCHITECTURES+-DGPUBENCH_CUDA_ARCHITECTURES="$GPUBENCH_CUDA_ARCHITECTURES"}
[ -n "$quiet" ] || grep -E '^-- (Kernels|MPI|UCX):' "$log" | sed 's/^-- /build: /' || true
step "kernels and shims" "$GPUBENCH_CMAKE" --build "$build" --parallel
cd "$root"
step "gpubench (Go)" env CGO_ENABLED=1 CXX="$GPUBENCH_CXX" go build -o "$build/gpubench" ./cmd/gpubench
if [ $tests = ON ]; then
	mkdir -p "$build/tests"
	for p in gpu/gputest kernels runtimes/transport/inproc runtimes/transport/libmpi runtimes/transport/libucx; do
		step "tests of $p" env CGO_ENABLED=1 CXX="$GPUBENCH_CXX" go test -c -ldflags "-s -w" -o "$build/tests/$(basename "$p").test" "./$p"
	done
fi
[ -n "$quiet" ] || printf 'build: %s\n' "$build/gpubench"
