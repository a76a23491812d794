#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the test programs in order and sums them up. The last line is
#	N passed, N failed, N skipped
# The exit code is 0 only when nothing failed and every program ran at least one test.
# A leak that LeakSanitizer finds, a test that vanished from the report and a program
# that is missing count as failed. Where real time and real sockets are tested, a busy
# machine can be the reason: there a failed test gets a second chance, alone, and if it takes
# it that is said ("UNSTEADY"). More than a few in one run are a failure all the same.
#
#	tools/test.sh [PROGRAM]...    default: test-unit test-bpf test-lab of build/
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OUT=${TEST_OUT:-build/test} # reports of the last run
readonly TEST_SECONDS=300 # one test takes no longer, unless it asks for less itself

readonly UNSTEADY_MAX=2 # tests of one run that may have a second chance
readonly LEAK_CODE=66 # how a program ends whose only fault is a leak

passed=0 failed=0 skipped=0 runner_leaks=0

# $1: what happened; counts as one failed test.
failure() {
	echo "FAILED: $1" >&2
	failed=$((failed + 1))
}

count() {
	grep -cE "$1" "$2" || true
}

# The leaks of a report that are not the test runner's own: an allocation that libcriterion
# makes for itself (frame 1), such as its note of the last timeout, is nobody's here.
leaks() {
	awk '/^(Direct|Indirect) leak of / { direct = $0 }
		direct != "" && /^ *#1 / {
			if ($0 !~ /\/libcriterion\.so/) n++
			direct = ""
		}
		END { print n + 0 }' "$1"
}

# Criterion judges a test before its process ends, so leaks must be counted here. Sets
# `runner_leaks` when some report holds a leak of the runner and nothing else.
sanitizer_reports() {
	local name=$1 report

	runner_leaks=0
	for report in "$OUT/$name".sanitizer.*; do
		[ -s "$report" ] || continue
		if ! grep -q 'ERROR: LeakSanitizer: detected' "$report"; then
			cat "$report" >&2
		elif [ "$(leaks "$report")" -gt 0 ]; then
			cat "$report" >&2
			failure "$name leaks memory: see above, or $report"
		else
			runner_leaks=1
		fi
	done
}

add_report() {
	local name=$1 report=$2 code=$3 ok not_ok skip plan

	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$report" | head -n 1)
	skip=$(count '^ok .*# SKIP' "$report")
	ok=$(($(count '^ok ' "$report") - skip))
	not_ok=$(count '^not ok ' "$report")
	passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skip))
	[ $((ok + not_ok + skip)) -eq "${plan:-0}" ] ||
		failure "$name: of ${plan:-0} tests only $((ok + not_ok + skip)) reported"
	[ $((ok + not_ok)) -gt 0 ] || failure "$name ran no test"
	[ "$code" -eq 0 ] || [ "$not_ok" -gt 0 ] || failure "$name ended with code $code"
}

# Runs the failed tests of a report again, if they are few.
second_chance() {
	local program=$1 report=$2 log=$3 test tests

	mapfile -t tests < <(sed -nE 's/^not ok - ([^ ]+::[^ :]+).*/\1/p' "$report")
	[ ${#tests[@]} -le $UNSTEADY_MAX ] || return 0
	for test in "${tests[@]}"; do
		"$program" -j1 --verbose --timeout $TEST_SECONDS --filter "${test/::/\/}" 2>&1 |
			tee -a "$log" || continue
		echo "UNSTEADY: $test failed, and passed when it ran again, alone" >&2
		failed=$((failed - 1)) passed=$((passed + 1))
	done
}

run() {
	local program=$1 name=${1##*/} code=0 options=()

	echo "== $name"
	if [ ! -x "$program" ]; then
		failure "$program is missing: it has no sources or was not built"
		return
	fi
	# What touches cgroups, namespaces and the kernel's tables runs alone.
	[ "$name" = test-unit ] || options=(-j1 --verbose)
	ASAN_OPTIONS="log_path=$OUT/$name.sanitizer:detect_stack_use_after_return=1" \
	LSAN_OPTIONS="exitcode=$LEAK_CODE" UBSAN_OPTIONS="print_stacktrace=1" \
		"$program" "${options[@]}" --timeout $TEST_SECONDS --tap="$OUT/$name.tap" 2>&1 |
		tee "$OUT/$name.log" || code=$?
	sanitizer_reports "$name"
	[ "$code" -ne $LEAK_CODE ] || [ $runner_leaks -eq 0 ] || code=0
	if grep -q 'during its setup or teardown' "$OUT/$name.log"; then
		failure "$name: a test ended in its set-up or teardown: see above"
	fi
	if [ -s "$OUT/$name.tap" ]; then
		add_report "$name" "$OUT/$name.tap" "$code"
		[ "$name" != test-lab ] ||
			second_chance "$program" "$OUT/$name.tap" "$OUT/$name.log"
	else
		failure "$name left no report (code $code)"
	fi
}

skips() {
	local report

	for report in "$OUT"/*.tap; do
		[ -e "$report" ] || continue
		sed -nE 's/^ok - (.*[^ ]) +# SKIP ?(.*)$/skipped: \1: \2/p' "$report"
	done
}

[ $# -gt 0 ] || set -- build/test-unit build/test-bpf build/test-lab
rm -rf "$OUT"
mkdir -p "$OUT"
for program; do
	run "$program"
done
skips
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
