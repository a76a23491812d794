#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# No function is longer than 100 lines, no file longer than 500. There is no list of
# exceptions. Prints the longest of each.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly FUNCTION_MAX=100 FILE_MAX=500

mapfile -t files < <(
	find bpf include tests tools user .ci Makefile -type f \
		\( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -path '.ci/*' -o -name Makefile \)
)

# "lines file:line name" of each function, longest first. A tag is name, file, line and
# kind between TABs, then line:N and end:N. Criterion's Test(...) is told to ctags.
functions() {
	ctags --param-CPreProcessor:_expand=1 -D 'Test(suite,name)=void name(void)' \
		-D 'ParameterizedTest(param,suite,name)=void name(void)' \
		--languages=C,Python --langmap=C:.c.h --kinds-C=f --kinds-Python=fm \
		--fields=+ne --excmd=number -o - "${files[@]}" | awk -F '\t' '
		{
			line = end = 0
			for (i = 4; i <= NF; i++) {
				if ($i ~ /^line:/) line = substr($i, 6)
				if ($i ~ /^end:/) end = substr($i, 5)
			}
			if (end) print end - line + 1, $2 ":" line, $1
		}' | sort -rn
}

lengths() {
	wc -l "${files[@]}" | awk '$2 != "total"' | sort -rn
}

# $1: what; $2: limit; stdin: "lines where...", longest first
judge() {
	awk -v what="$1" -v max="$2" '
		NR == 1 { printf "longest %s: %s lines: %s %s (limit %d)\n", what, $1, $2, $3, max }
		$1 > max { print $2 ": " what " " $3 " has " $1 " lines, limit " max; bad = 1 }
		END { exit bad }'
}

bad=0
functions | judge function $FUNCTION_MAX || bad=1
lengths | judge file $FILE_MAX || bad=1
exit $bad
