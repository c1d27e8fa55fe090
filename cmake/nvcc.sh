#!/bin/sh
# nvcc.sh REPORT NVCC ARGS…: runs nvcc, keeps what it says (ptxas -v) in REPORT, and shows it when it fails.
report=$1
shift
if "$@" >"$report.new" 2>&1; then
	mv "$report.new" "$report"
	grep -i ': warning' "$report" >&2
	exit 0
fi
cat "$report.new" >&2
exit 1
