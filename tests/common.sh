# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What test scripts share. A script prints "ok - ..." per thing that it saw to be so, ends with
# 77 after saying why it cannot run, and with any other code when something is not so. It ends
# the processes that it started, and no others.

readonly STEP_S=0.1

declare -A pids=() # name -> process
dir=$(mktemp -d /tmp/countersign-test-XXXXXX)

now_ms() {
	date +%s%3N
}

pass() {
	echo "ok - $*"
}

# The logs' ends are what one needs when this happened on somebody else's machine.
fail() {
	local log

	echo "not ok - $*" >&2
	for log in "$dir"/*.log "$dir"/*/*.log "$dir"/watch.json; do
		[ ! -s "$log" ] || { echo "--- ${log##*/}" && tail -n 15 "$log"; } >&2
	done
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

# $1: name; the rest: command, whose output goes to NAME.log
start() {
	local name=$1

	shift
	"$@" >>"$dir/$name.log" 2>&1 &
	pids[$name]=$!
}

# $1: name, $2: signal. Returns when the process is gone.
stop() {
	local pid=${pids[$1]:-}

	[ -n "$pid" ] || return 0
	kill -"${2:-TERM}" "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	unset "pids[$1]"
}

cleanup() {
	local name

	for name in "${!pids[@]}"; do
		stop "$name" KILL
	done
	rm -rf "$dir"
}
trap cleanup EXIT

# $1: seconds, $2: what for; the rest: command that must become true
within() {
	local seconds=$1 what=$2 end

	shift 2
	end=$(($(now_ms) + seconds * 1000))
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt $end ] || fail "not within $seconds s: $what"
		sleep $STEP_S
	done
}
