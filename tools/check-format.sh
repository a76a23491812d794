#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Says which C files are not in the project's format (.clang-format); --fix writes them.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <(find bpf include tests tools user -name '*.[ch]' | sort)
[ ${#files[@]} -gt 0 ] || exit 0

if [ "${1:-}" = --fix ]; then
	clang-format --style=file -i "${files[@]}"
	exit
fi

code=0
report=$(clang-format --style=file --dry-run -Werror "${files[@]}" 2>&1) || code=$?
if [ $code -ne 0 ]; then
	# The first line of each file will do; the rest of the report is its text.
	awk -F: '/: error: / && !seen[$1]++ { print $1 ":" $2 ": run: make format" }' <<<"$report" >&2
	grep -q ': error: ' <<<"$report" || echo "$report" >&2
fi
exit $code
