# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts of this folder share.
# shellcheck source=tests/common.sh
. tests/common.sh

readonly WATCH=build/credential-watch

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
