#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# With kube-controller-manager the control plane makes what a cluster's makes: service accounts,
# the Pods of DaemonSets, and nothing that outlives its owner or namespace. That program is built
# here, as few other tests need it.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh

readonly WAIT_S=60

make_nodes() {
	local name

	for name in host-a host-b; do
		kubectl create -f - >/dev/null <<-EOF
			apiVersion: v1
			kind: Node
			metadata: {name: $name}
		EOF
		kubectl taint node $name node.kubernetes.io/not-ready- >/dev/null
	done
}

has_account() {
	kubectl -n app get serviceaccount default && kubectl -n app get configmap kube-root-ca.crt
}

pods_on() {
	kubectl -n app get pods -o jsonpath='{.items[*].spec.nodeName}' | tr ' ' '\n' | sort |
		paste -sd' '
}

bound() {
	cluster schedule
	[ "$(pods_on)" = "host-a host-b" ]
}

daemon_set() {
	kubectl create -f - >/dev/null <<-EOF
		apiVersion: apps/v1
		kind: DaemonSet
		metadata: {name: agent, namespace: app}
		spec:
		  selector: {matchLabels: {app: agent}}
		  template:
		    metadata: {labels: {app: agent}}
		    spec: {containers: [{name: agent, image: none}]}
	EOF
	within $WAIT_S "each node has its Pod" bound
	pass "a DaemonSet has a Pod on each node"
}

pods_are_ending() {
	[ "$(kubectl -n app get pods -o jsonpath='{.items[*].metadata.deletionTimestamp}' |
		wc -w)" -eq 2 ]
}

garbage() {
	kubectl -n app delete daemonset agent >/dev/null
	within $WAIT_S "the Pods are told to end with their DaemonSet" pods_are_ending
	# Whoever plays kubelet takes them away then.
	kubectl -n app delete pods --all --force --grace-period=0 >/dev/null 2>&1
	pass "the Pods of a deleted DaemonSet are told to end"
	kubectl create -f - >/dev/null <<-EOF
		apiVersion: v1
		kind: ConfigMap
		metadata:
		  name: of-host-b
		  namespace: app
		  ownerReferences: [{apiVersion: v1, kind: Node, name: host-b,
		    uid: $(kubectl get node host-b -o jsonpath='{.metadata.uid}')}]
	EOF
	kubectl delete node host-b >/dev/null
	within $WAIT_S "what a Node owns goes with it" gone configmap of-host-b
	pass "what a Node owns goes with it"
}

gone() {
	[ -z "$(kubectl -n app get "$1" "$2" -o name --ignore-not-found)" ]
}

namespace_gone() {
	[ -z "$(kubectl get namespace app -o name --ignore-not-found)" ]
}

tests/kube/build.sh kube-controller-manager || exit
cluster_start "$@"
make_nodes
cluster start-controllers
kubectl create namespace app >/dev/null
within $WAIT_S "a namespace has its account" has_account
pass "a namespace has its service account and the CA"
daemon_set
garbage
kubectl delete namespace app --wait=false >/dev/null
within $WAIT_S "the namespace goes" namespace_gone
pass "a namespace is emptied and goes"
cluster memory
