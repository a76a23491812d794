#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests with a real API server: first builds it, which takes minutes once, then one
# script after the other, then the program build/test-kube. The last line is
#	N passed, N failed, N skipped
#
#	tests/kube/run.sh [NAME]...    default: all; "test-kube" is the program
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/scripts.sh
. tests/scripts.sh

readonly OUT=build/test-kube-logs PROGRAM=build/test-kube

build() {
	local code=0

	tests/kube/build.sh || code=$?
	case $code in
	0) return ;;
	"$SKIPPED") skipped=1 ;;
	*) failed=1 ;;
	esac
	sum_up
	exit
}

# The program's own last line is the count.
run_program() {
	local log=$OUT/test-kube.log counts

	TEST_OUT=$OUT/reports tools/test.sh $PROGRAM 2>&1 | tee "$log" || true
	counts=$(tail -n 1 "$log")
	if [[ ! $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		echo "FAILED: $PROGRAM was not counted" >&2
		failed=$((failed + 1))
		return
	fi
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	skipped=$((skipped + BASH_REMATCH[3]))
}

build
mkdir -p "$OUT"
names=("$@")
if [ $# -eq 0 ]; then
	mapfile -t names < <(names_of tests/kube run common build cluster pki clients played)
	[ ! -x $PROGRAM ] || names+=(test-kube)
fi
for name in "${names[@]}"; do
	if [ "$name" = test-kube ]; then
		run_program
	else
		run_scripts tests/kube "$OUT" "$name"
	fi
done
sum_up
