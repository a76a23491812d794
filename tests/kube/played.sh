# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Scheduler, kubelet and runtime, played: what DaemonSets ask for is bound to its nodes and said
# to run; pods that are to end are taken away. Part of deploy.sh.
# shellcheck disable=SC2154 # kube is common.sh's

# NAME or NAME=control-plane
play_nodes() {
	local node name label

	for node; do
		name=${node%%=*} label=
		[ "$node" = "$name" ] || label=", node-role.kubernetes.io/${node#*=}: ''"
		kubectl create -f - >/dev/null <<-EOF
			apiVersion: v1
			kind: Node
			metadata:
			  name: $name
			  labels: {kubernetes.io/os: linux, kubernetes.io/hostname: $name$label}
		EOF
		kubectl patch node "$name" --subresource status -p '{"status": {"conditions":
			[{"type": "Ready", "status": "True", "reason": "Played"}],
			"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}' >/dev/null
	done
}

# name, phase, and whether it is to end, of each pod in the agents' namespace
played_pods() {
	kubectl -n countersign-system get pods -o jsonpath='{range .items[*]}{.metadata.name} {.spec.nodeName} {.status.conditions[?(@.type=="Ready")].status} {.metadata.deletionTimestamp}{"\n"}{end}' 2>/dev/null || true
}

played_run() {
	kubectl -n countersign-system patch pod "$1" --subresource status -p '{"status": {"phase":
		"Running", "conditions": [{"type": "Ready", "status": "True"}]}}' >/dev/null 2>&1 || true
}

# One word is missing when it is on no node, or is not ready.
play_once() {
	local name node ready ends

	cluster schedule >/dev/null 2>&1 || true
	played_pods | while IFS=' ' read -r name node ready ends; do
		case "$ready $ends" in
		*Z) kubectl -n countersign-system delete pod "$name" --force --grace-period 0 >/dev/null 2>&1 || true ;;
		"True "*) ;;
		*) [ -z "$node" ] || played_run "$name" ;;
		esac
	done
}

play() {
	while :; do
		play_once
		sleep 0.3
	done
}
