#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests with real peers, one script after the other. The last line is
#	N passed, N failed, N skipped
# counting what the scripts saw to be so, and scripts that failed or could not run.
#
#	tests/peers/run.sh [NAME]...    default: all
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly OUT=build/test-peers
readonly SKIPPED=77

passed=0 failed=0 skipped=0
if [ $# -eq 0 ]; then
	for script in tests/peers/*.sh; do
		case ${script##*/} in
		run.sh | common.sh) ;;
		*) set -- "$@" "$(basename "$script" .sh)" ;;
		esac
	done
fi
mkdir -p "$OUT"
for name; do
	echo "== $name"
	code=0
	tests/peers/"$name".sh 2>&1 | tee "$OUT/$name.log" || code=$?
	n=$(grep -c '^ok - ' "$OUT/$name.log" || true)
	passed=$((passed + n))
	case $code in
	0)
		if [ "$n" -eq 0 ]; then
			echo "FAILED: $name saw nothing" >&2
			failed=$((failed + 1))
		fi
		;;
	"$SKIPPED") skipped=$((skipped + 1)) ;;
	*)
		echo "FAILED: $name ended with code $code" >&2
		failed=$((failed + 1))
		;;
	esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
