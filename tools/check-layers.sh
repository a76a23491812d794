#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The layer law, read from the #include lines. Arrows run down only, and there are no
# circles, neither of files nor of rooms. Tests may use everything; tests/lab/programs
# and tools/ are programs of their own.
#
#	tools/check-layers.sh [--show]    --show prints who uses whom
set -euo pipefail
cd "$(dirname "$0")/.."

# Who may include whom; each room may include itself.
declare -Ar LAW=(
	[include]=""
	[bpf]="include"
	[base]="include"
	[sdk]="include base"
	[identity]="include base"
	[kube]="include base identity"
	[flow]="include base identity"
	[policy]="include base identity kube flow"
	[credential]="include base identity kube flow"
	[source]="include base identity kube flow"
	[datapath]="include base identity kube flow"
	[cli]="include base identity flow policy credential source"
	[agent]="include base identity kube flow policy credential source datapath"
)

# Libraries that only some rooms may know: header prefix -> rooms.
declare -Ar LIBRARIES=(
	[bpf/]="bpf datapath"
	[openssl/]="identity credential kube agent cli"
	[nghttp2/]="credential kube"
	[protobuf-c/]="credential"
	[curl/]="kube"
	[event2/]="base agent kube credential source"
	[criterion/]=""
)

bad=0
complain() {
	echo "$1" >&2
	bad=1
}

# file -> room; nothing for what the law does not speak of
room_of() {
	case $1 in
	include/*) echo include ;;
	bpf/*) echo bpf ;;
	user/sdk/examples/*) ;;
	user/*/*) local rest=${1#user/} && echo "${rest%%/*}" ;;
	esac
}

# "file line <|\" name" of every #include
includes() {
	# shellcheck disable=SC2016 # awk's $, not the shell's
	find bpf include user tests tools -name '*.[ch]' -print0 | sort -z | xargs -0 awk '
		/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
			match($0, /[<"][^>"]*/)
			print FILENAME, FNR, substr($0, RSTART, 1), substr($0, RSTART + 1, RLENGTH - 1)
		}'
}

# The file of this tree that `#include name` in file $1 means, or nothing.
resolve() {
	local file=$1 kind=$2 name=$3 at

	[ "$kind" = '<' ] || [ ! -e "${file%/*}/$name" ] || {
		realpath --relative-to=. "${file%/*}/$name"
		return
	}
	for at in "$name" "include/$name" "bpf/$name"; do
		[ "$at" != "bpf/$name" ] || [[ $file == bpf/* || $file == tests/bpf/* ]] || continue
		[ ! -f "$at" ] || { echo "$at" && return; }
	done
}

check_library() {
	local file=$1 line=$2 name=$3 room=$4 prefix

	for prefix in "${!LIBRARIES[@]}"; do
		[[ $name != "$prefix"* || " ${LIBRARIES[$prefix]} " == *" $room "* ]] ||
			complain "$file:$line: $room must not use <$name>; allowed: ${LIBRARIES[$prefix]:-tests}"
	done
}

declare -A edges=() file_edges=()
while read -r file line kind name; do
	room=$(room_of "$file")
	target=$(resolve "$file" "$kind" "$name")
	[ -z "$room" ] || [ -n "${LAW[$room]+set}" ] || {
		complain "$file: no such room in tools/check-layers.sh: $room"
		continue
	}
	[ -z "$room" ] || [ -n "$target" ] || check_library "$file" "$line" "$name" "$room"
	[ -n "$target" ] || continue
	file_edges["$file $target"]=1
	to=$(room_of "$target")
	[ -n "$room" ] || continue
	if [ -z "$to" ]; then
		complain "$file:$line: $room must not include $target"
	elif [ "$room" != "$to" ]; then
		edges["$room $to"]=1
		[[ " ${LAW[$room]} " == *" $to "* ]] ||
			complain "$file:$line: $room must not include $to ($name)"
	fi
done < <(includes)

no_circle() {
	local circle

	circle=$(printf '%s\n' "${@:2}" | tsort 2>&1 >/dev/null) || true
	circle=$(sed -n '/: input contains a loop/d; s/^tsort: //p' <<<"$circle" | tr '\n' ' ')
	[ -z "$circle" ] || complain "$1: $circle"
}
no_circle "files that include each other" "${!file_edges[@]}"
no_circle "rooms that include each other" "${!edges[@]}"

[ "${1:-}" != --show ] || printf '%s\n' "${!edges[@]}" | sort | sed 's/ / -> /'
exit $bad
