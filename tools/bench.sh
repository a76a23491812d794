#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make bench: measures and writes build/bench.json. BENCH_ROUNDS=3 for a quick look.
set -euo pipefail

cd "$(dirname "$0")/.."
build=${COUNTERSIGN_BUILD:-$PWD/build}

if [ "$(id -u)" -ne 0 ]; then
	echo "bench.sh: needs root (cgroups, namespaces, BPF): sudo make bench" >&2
	exit 1
fi
exec "$build/bench" "$build/bench.json"
