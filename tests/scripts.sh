# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts tests/*/run.sh share: one test script after the other, counting what they
# saw to be so ("ok - ..."), and scripts that failed or could not run (exit code 77).

readonly SKIPPED=77

passed=0 failed=0 skipped=0

# $1: folder; the rest: scripts in it that are no tests
names_of() {
	local folder=$1 script name

	shift
	for script in "$folder"/*.sh; do
		name=$(basename "$script" .sh)
		[[ " $* " == *" $name "* ]] || echo "$name"
	done
}

# $1: folder, $2: where the logs go; the rest: names
run_scripts() {
	local folder=$1 out=$2 name code n

	shift 2
	mkdir -p "$out"
	for name; do
		echo "== $name"
		code=0
		"$folder/$name".sh 2>&1 | tee "$out/$name.log" || code=$?
		n=$(grep -c '^ok - ' "$out/$name.log" || true)
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
}

# The last line; fails when something failed.
sum_up() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
