# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts of this folder share. A script prints "ok - ..." per thing that it saw to be
# so, ends with 77 after saying why it cannot run, and with any other code when something is
# not so. It ends the processes that it started, and no others.

readonly WATCH=build/credential-watch
readonly STEP_S=0.1

declare -A pids=() # name -> process
dir=$(mktemp -d /tmp/peers-XXXXXX)

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
	for log in "$dir"/*.log "$dir"/watch.json; do
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

# ---- credential-watch: $dir/watch.json has its lines --------------------------------

# $@: its arguments
watch_start() {
	touch "$dir/watch.json"
	"$WATCH" "$@" >>"$dir/watch.json" 2>>"$dir/watch.log" &
	pids[watch]=$!
}

lines() {
	wc -l <"$dir/watch.json"
}

# $1: lines to pass over, $2: extended expression that a later line matches
seen_after() {
	tail -n "+$(($1 + 1))" "$dir/watch.json" | grep -E "$2"
}

# $1: key; of the last credential
last() {
	grep '"event":"credential"' "$dir/watch.json" | tail -n 1 |
		grep -oE "\"$1\":(\"[^\"]*\"|[0-9]+)" | sed -E 's/^"[^"]*"://; s/"//g'
}

serial_is_not() {
	[ -n "$(last serial)" ] && [ "$(last serial)" != "$1" ]
}

# Every credential came before the one before it had ended. Prints how many there were.
no_gap() {
	grep '"event":"credential"' "$dir/watch.json" | awk '
		function value(key) {
			match($0, "\"" key "\":[0-9]+")
			return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0
		}
		NR > 1 && value("at_ms") > 1000 * ends { print "gap before credential " NR; bad = 1 }
		{ ends = value("not_after") }
		END { print NR; exit bad }'
}

# A source sleeps when there is nothing to do; stops the program and looks at its count.
watch_stop() {
	local most=$1 wakeups

	stop watch
	wakeups=$(grep '"event":"end"' "$dir/watch.json" | grep -oE '"wakeups":[0-9]+' | cut -d: -f2)
	[ -n "$wakeups" ] || fail "credential-watch did not end well"
	[ "$wakeups" -le "$most" ] || fail "credential-watch woke up $wakeups times, not $most"
	pass "no busy loop: woken up $wakeups times"
}
