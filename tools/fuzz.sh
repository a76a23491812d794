#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzzer that was built for some seconds on a copy of its corpus, then the
# differential fuzzer with a seed of its own. What is found is left in build/fuzz.
#
#	tools/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."

readonly SECONDS_EACH=${1:-60}

code=0
for fuzzer in build/fuzz/*; do
	[ -f "$fuzzer" ] || continue # the objects' folder, or what was found
	[ -x "$fuzzer" ] || continue
	name=${fuzzer##*/}
	mkdir -p "build/fuzz/corpus/$name"
	echo "== $name: $SECONDS_EACH s; its corpus grows in build/fuzz/corpus/$name"
	"$fuzzer" -max_total_time="$SECONDS_EACH" -max_len=16384 -timeout=10 -rss_limit_mb=4096 \
		-dict="tests/fuzz/$name.dict" -artifact_prefix="build/fuzz/$name-" -print_final_stats=1 \
		"build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" 2>&1 |
		grep -E 'ERROR|SUMMARY|stat::|Test unit written' || code=1
	! compgen -G "build/fuzz/$name-*" >/dev/null || code=1
done
seed=$(date +%s)
echo "== differential, seed $seed"
build/fuzz-differential --seed="$seed" || code=1
exit $code
