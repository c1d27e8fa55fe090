#!/usr/bin/env bash
# Sets up, builds, and runs: scripts/run.sh [ARGS of gpubench run]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/build.sh" -q
exec "$root/build/gpubench" run "$@"
