#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cppcheck over user space, tests and BPF programs. Results are kept in build/, so that only what
# changed is looked at again. A finding that is wrong gets an inline suppression with
# its reason: /* cppcheck-suppress id ; reason */
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p build/cppcheck/user build/cppcheck/bpf

# $1: name of the cache; the rest: what differs
analyse() {
	cppcheck --quiet --error-exitcode=1 -j2 --cppcheck-build-dir="build/cppcheck/$1" \
		--std=c11 --language=c --platform=unix64 --max-configs=4 --template=gcc \
		--enable=warning,performance,portability --inline-suppr \
		--suppress=missingInclude --suppress=missingIncludeSystem \
		--suppress=unmatchedSuppression "${@:2}"
}

mapfile -t user < <(find tests tools user -name '*.c' ! -name '*.bpf.c' | sort)
mapfile -t bpf < <(find bpf tests -name '*.bpf.c' | sort)
code=0

# Criterion's macros are not expanded: what they make is not ours to judge. cppcheck does
# not know __attribute__((cleanup)), so leaks are left to LeakSanitizer in `make test`; and
# glibc's readdir is safe on a stream that one thread uses.
[ ${#user[@]} -eq 0 ] || analyse user --library=gnu,posix \
	--suppress=memleak --suppress=resourceLeak --suppress=readdirCalled \
	--suppress=unknownMacro -I. -Iinclude -D_GNU_SOURCE= -D__linux__ -D__GNUC__=12 \
	-DCOUNTERSIGN_VERSION='"0"' "${user[@]}" || code=1

[ ${#bpf[@]} -eq 0 ] || analyse bpf -Ibpf -Iinclude -D__bpf__ -D__clang__ '-DSEC(name)=' \
	-D__always_inline=inline -D__noinline= "${bpf[@]}" || code=1
exit $code
