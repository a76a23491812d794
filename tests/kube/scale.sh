#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One agent in a large cluster: kube-sim (tests/kube/sim) plays the API server, with all its
# nodes, pods and policies and what changes of them; scale.py measures the agent.
# docs/scale.md says what was measured. By default a small cluster, which is checked only;
# KUBE_SCALE=full takes 5,000 nodes and 150,000 pods, a quarter of an hour and 2 GiB of memory.
#
#	tests/kube/scale.sh [OPTION OF scale.py]...
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/common.sh
. tests/common.sh

readonly BIN=build/kube/bin
readonly AGENT=${COUNTERSIGND:-build/countersignd}
readonly SMALL=(--nodes 50 --pods 2000 --namespaces 20 --apps 200 --services 150
	--network-policies 160 --identity-policies 40)
readonly FULL=(--nodes 5000 --pods 150000 --namespaces 500 --apps 15000 --services 10000
	--network-policies 8000 --identity-policies 2000)
cgroups=""

set_up() {
	local mounted

	[ "$(id -u)" -eq 0 ] || skip "the agent needs root"
	[ -x "$AGENT" ] || skip "build first: make build"
	mounted=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$mounted" ] || skip "no cgroup version 2 is mounted"
	tests/kube/build.sh kube-sim || exit
	cgroups=$mounted/countersign-scale.$$
	mkdir -p "$cgroups" "$dir/bpf" "$dir/sim" "$dir/state"
	trap tear_down EXIT
	mount -t bpf bpf "$dir/bpf" || skip "no bpf file system can be mounted"
}

# What the agent left in the kernel goes with the pins.
tear_down() {
	stop agent
	stop sim
	umount "$dir/bpf" 2>/dev/null || true
	find "$cgroups" -depth -type d -exec rmdir {} + 2>/dev/null || true
	cleanup
}

# As a kubelet with systemd's driver names them.
make_cgroups() {
	local uid

	while read -r uid; do
		mkdir -p "$cgroups/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid//-/_}.slice/cri-1.scope"
	done <"$dir/sim/own-pods"
}

size=("${SMALL[@]}")
[ "${KUBE_SCALE:-}" != full ] || size=("${FULL[@]}")
set_up
start sim "$BIN/kube-sim" --dir "$dir/sim" --bpffs "$dir/bpf/agent" "${size[@]}"
within 120 "the simulator is ready" test -e "$dir/sim/ready"
make_cgroups
mkdir -p "$dir/bpf/agent"
tests/kube/scale.py --dir "$dir" ${KUBE_SCALE:+--full} "$@" -- \
	"$AGENT" --kubernetes --kubeconfig "$dir/sim/kubeconfig" --cgroup-root "$cgroups" \
	--bpffs "$dir/bpf/agent" --state "$dir/state" --node-name node-00000 --node 1 \
	--nodes kubernetes: --credential "files:$dir/sim" --key-lifetime 24h --log-level "${KUBE_SCALE_LOG:-info}"
