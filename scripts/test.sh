#!/usr/bin/env bash
# Sets up, builds, and runs every test. scripts/test.sh [--fast]: without the processes of MPI, fuzzing, and the race
# detector.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
fast=
for arg in "$@"; do
	case $arg in
	--fast) fast=1 ;;
	-h | --help) sed -n '2,3s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) printf 'test: unknown argument %q (give --fast or nothing)\n' "$arg" >&2; exit 2 ;;
	esac
done

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

say build
scripts/build.sh -q --tests
# shellcheck disable=SC1091
. "${GPUBENCH_TOOLCHAIN:-$root/.toolchain}/env.sh"
export GPUBENCH_LIB=$root/build/lib/gpubench
# What this script set up must be there: a test that cannot find it fails.
[ -n "${GPUBENCH_MPIRUN_OPENMPI:-}" ] && export GPUBENCH_REQUIRE_MPI=1
[ -n "${GPUBENCH_UCX:-}" ] && export GPUBENCH_REQUIRE_UCX=1

say format, vet, lint
unformatted=$(gofmt -l $(git ls-files '*.go' 2>/dev/null || find . -name '*.go' -not -path './.toolchain/*'))
[ -z "$unformatted" ] || { echo "not formatted: $unformatted" >&2; exit 1; }
bin=${GPUBENCH_TOOLCHAIN:-$root/.toolchain}/bin
if [ "$(cat "$bin/staticcheck.version" 2>/dev/null)" != "$STATICCHECK $(go env GOVERSION)" ]; then
	GOBIN=$bin GOFLAGS=-mod=mod go install "$STATICCHECK"
	echo "$STATICCHECK $(go env GOVERSION)" >"$bin/staticcheck.version"
fi
for module in . gpu/cuda5; do
	(cd $module && go vet ./... && "$bin/staticcheck" ./...)
done
(cd gpu/cuda5 && CGO_ENABLED=0 go vet ./cu)

say "kernels: no spills; the GPU's wrappers, run on the CPU, equal the CPU's loops"
scripts/check-spills.sh
"$(dirname "$GPUBENCH_CMAKE")/ctest" --test-dir build --output-on-failure -E do_not_spill

say unit, conformance and command tests
if [ -n "$fast" ]; then
	go test -short ./...
	(cd gpu/cuda5 && go test -short ./...)
	exit 0
fi
# A Slurm on this host, where it can be had: its packages come from the distribution.
if scripts/slurm/local/install.sh; then
	export GPUBENCH_REQUIRE_SLURM=1
elif [ $? != 3 ]; then
	exit 1
fi
# Built side by side, run one after the other: PEs spin, and two packages' at a time would take each other's cores.
go test -exec true ./... >/dev/null
go test -p 1 -timeout 20m ./...
(cd gpu/cuda5 && go test -p 1 -timeout 10m ./...)

say race detector
go test -race -short -exec true ./... >/dev/null
go test -race -short -p 1 -timeout 20m ./...
(cd gpu/cuda5 && go test -race -short -p 1 -timeout 10m ./...)

say fuzzing, briefly
for target in internal/plan:FuzzParseSizes internal/plan:FuzzParseOwn internal/result:FuzzRead runtimes/transport/faulty:FuzzParse \
	runtimes/charm:FuzzUnpack; do
	go test ./"${target%%:*}" -run '^$' -fuzz "^${target##*:}\$" -fuzztime 5s
done

say what runs on a GPU machine, on the emulated device
scripts/gpu-acceptance.sh --device emulated --quick -o build/acceptance

say all tests passed
