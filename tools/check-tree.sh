#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What must not be in the tree: generated files, binaries, control and bidirectional
# characters, paths of somebody's machine, sources without a licence line.
set -euo pipefail
cd "$(dirname "$0")/.."

bad=0

# $1: what is wrong; stdin: where
judge() {
	local where

	while IFS= read -r where; do
		echo "$where: $1" >&2
		bad=1
	done
}

# Tracked files and those that would be; without git, everything outside build/.
list() {
	git -c 'safe.directory=*' ls-files -co --exclude-standard 2>/dev/null ||
		find . \( -name .git -o -path ./build \) -prune -o -type f -printf '%P\n'
}

# Inputs that are broken on purpose are as they are.
mapfile -t files < <(list | grep -vE '^tests/(corpus/malformed|fuzz/corpus)/' |
	while IFS= read -r f; do [ ! -f "$f" ] || echo "$f"; done)

matching() {
	printf '%s\n' "${files[@]}" | grep -E "$1" || true
}

containing() {
	printf '%s\0' "${files[@]}" | LC_ALL=C xargs -0 grep -InP "$1" -- | cut -c 1-120 || true
}

judge "generated, must not be checked in" < <(
	matching '(^|/)(vmlinux[^/]*\.h|[^/]*\.skel\.h|[^/]*\.(o|a|so|d|pyc))$|^build/'
)
judge "binary file" < <(
	for f in "${files[@]}"; do [ ! -s "$f" ] || grep -qI . "$f" || echo "$f"; done
)
judge "control character" < <(containing '[\x00-\x08\x0b-\x1f\x7f]')
judge "invisible or bidirectional character" < <(
	containing '\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xc2[\x80-\x9f]'
)
judge "path of somebody's machine" < <(
	containing '(^|[^\w./-])/([w]ork|[h]ome/\w+|[U]sers/\w+)(/|\b(?![\w.-]))'
)
judge "no SPDX-License-Identifier in the first two lines" < <(
	matching '\.([ch]|sh|py)$|^Makefile$' |
		while IFS= read -r f; do head -n 2 "$f" | grep -q SPDX-License || echo "$f"; done
)
judge "space at the end of the line" < <(containing '[ \t]+$')
exit $bad
