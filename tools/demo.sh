#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make demo: nginx, redis, curl and redis-cli as four workloads in cgroups and network
# namespaces of their own; then two hosts, rotation of keys and revocation. Cleans up after itself, after Ctrl-C too. Exit code 0 only if
# everything was as expected.
set -euo pipefail

cd "$(dirname "$0")/.."
build=${COUNTERSIGN_BUILD:-$PWD/build}

if [ "$(id -u)" -ne 0 ]; then
	echo "demo.sh: needs root (cgroups, namespaces, BPF): sudo make demo" >&2
	exit 1
fi
export PATH="$PATH:/usr/sbin:/sbin"
exec "$build/demo"
