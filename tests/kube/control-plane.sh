#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The control plane that the other tests stand on does what they take for granted: tokens name
# their node, old versions are told 410, a new authority is taken up, kubectl's exec and
# port-forward reach a network namespace through lab-kubelet.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh

readonly NODE=host-a PORT=18080

whoami_of() {
	"$BIN/kubectl" --kubeconfig "$1" auth whoami -o json
}

make_pod() {
	cluster namespace team-a team=a
	kubectl apply -f - >/dev/null <<-EOF
		apiVersion: v1
		kind: Pod
		metadata: {name: web, namespace: team-a}
		spec: {nodeName: $NODE, containers: [{name: web, image: none}]}
	EOF
	kubectl -n team-a patch pod web --subresource status -p '{"status": {"phase": "Running",
		"containerStatuses": [{"name": "web", "image": "none", "imageID": "none",
		"ready": true, "restartCount": 0, "state": {"running": {}}}]}}' >/dev/null
}

# The pod is a network namespace with nothing but loopback.
start_kubelet() {
	start pod unshare --net sh -c "ip link set lo up && cd '$dir/www' &&
		exec python3 -m http.server $PORT --bind 127.0.0.1"
	cluster kubelet-cert $NODE 127.0.0.1
	start kubelet "$BIN/lab-kubelet" --listen 127.0.0.1:0 --node-name $NODE \
		--tls-cert-file "$kube/kubelets/$NODE.crt" \
		--tls-private-key-file "$kube/kubelets/$NODE.key" \
		--client-ca-file "$kube/pki/ca.crt" --register "$kube/kubelets/$NODE.kubeconfig" \
		--exec-wrapper "nsenter --net=/proc/${pids[pod]}/ns/net"
	within 10 "the Node has its address" grep -q 'serving on' "$dir/kubelet.log"
}

tokens() {
	cluster mount team-a default "$dir/volume" --pod web
	whoami_of "$dir/volume.kubeconfig" >"$dir/who"
	grep -A 1 'authentication.kubernetes.io/node-name' "$dir/who" | grep -q "\"$NODE\"" ||
		fail "a pod's token does not name its node: $(cat "$dir/who")"
	pass "a pod's token names its node"
	cp "$dir/volume/token" "$dir/token"
	cluster refresh "$dir/volume"
	! cmp -s "$dir/token" "$dir/volume/token" || fail "the token is the old one"
	whoami_of "$dir/volume.kubeconfig" >/dev/null || fail "the new token is refused"
	pass "a new token was put in place and is accepted"
}

pod_exec() {
	kubectl -n team-a exec web -- "$@"
}

exec_works() {
	local code=0 inner

	inner=$(pod_exec readlink /proc/self/ns/net)
	[ "$inner" = "$(readlink "/proc/${pids[pod]}/ns/net")" ] || fail "exec ran in $inner"
	pass "exec runs in the pod's network namespace"
	pod_exec sh -c 'exit 7' 2>/dev/null || code=$?
	[ "$code" -eq 7 ] || fail "the exit code is $code"
	pass "exec gives the command's exit code"
	[ "$(head -c 3000000 /dev/zero | kubectl -n team-a exec -i web -- wc -c)" = 3000000 ] ||
		fail "input is not what was sent"
	[ "$(KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false pod_exec echo spdy)" = spdy ] ||
		fail "exec over SPDY does not work"
	pass "exec passes input, over WebSocket and SPDY"
}

forwards() {
	curl -sf --max-time 2 "http://127.0.0.1:$port/file" | cmp -s - "$dir/www/file"
}

port_forward_works() {
	start forward "$BIN/kubectl" --kubeconfig "$kube/admin.kubeconfig" -n team-a \
		port-forward web ":$PORT" --address 127.0.0.1
	within 10 "kubectl forwards a port" grep -q '^Forwarding from' "$dir/forward.log"
	port=$(sed -nE 's/^Forwarding from 127.0.0.1:([0-9]+) .*/\1/p' "$dir/forward.log")
	forwards || fail "what came through the forwarded port is not the file"
	pass "port-forward reaches loopback of the pod's network namespace"
	stop forward
}

other_clients_are_refused() {
	local at code

	at=$(grep -oE '127.0.0.1:[0-9]+$' "$dir/kubelet.log" | head -n 1)
	cluster kubeconfig mallory devs >/dev/null
	code=$(curl -sk --cert "$kube/mallory.crt" --key "$kube/mallory.key" -o /dev/null \
		-w '%{http_code}' "https://$at/exec/team-a/web/web?command=id&output=1")
	[ "$code" = 403 ] || fail "the kubelet served another client: $code"
	pass "the kubelet serves the API server alone"
}

watch_from() {
	timeout 10 "$BIN/kubectl" --kubeconfig "$kube/admin.kubeconfig" get --raw \
		"/api/v1/pods?watch=1&resourceVersion=$1&timeoutSeconds=1"
}

old_versions_are_gone() {
	local version

	version=$(kubectl get --raw /api/v1/pods | grep -oE '"resourceVersion":"[0-9]+"' |
		head -n 1 | tr -dc 0-9)
	for round in 1 2 3; do
		kubectl -n team-a annotate pod web --overwrite round=$round >/dev/null
	done
	watch_from "$version" >"$dir/watch"
	[ "$(grep -c '"MODIFIED"' "$dir/watch")" -eq 3 ] || fail "a watch misses changes"
	cluster compact >/dev/null
	watch_from "$version" >"$dir/watch"
	grep -q '"code":410' "$dir/watch" || fail "no 410: $(cat "$dir/watch")"
	pass "after compaction a watch from an old version is told 410"
}

new_authority() {
	cluster rotate-ca --overlap >/dev/null
	[ "$(grep -c BEGIN "$dir/volume/ca.crt")" -eq 2 ] || fail "the volume has not both"
	whoami_of "$dir/volume.kubeconfig" >/dev/null || fail "not accepted with both authorities"
	cp "$kube/ca.crt" "$dir/both.crt"
	cluster rotate-ca >/dev/null
	whoami_of "$dir/volume.kubeconfig" >/dev/null || fail "not accepted with the new one"
	! kubectl --certificate-authority "$dir/both.crt" get --raw /version 2>/dev/null ||
		fail "clients that do not know the new authority are served"
	kubectl -n team-a get configmap kube-root-ca.crt -o jsonpath='{.data.ca\.crt}' >"$dir/root.crt"
	cmp -s "$dir/root.crt" "$kube/ca.crt" || fail "kube-root-ca.crt has another authority"
	pass "a new serving authority: old bundles fail, volumes and ConfigMaps have it"
}

namespace_is_deleted() {
	cluster delete-namespace team-a
	[ -z "$(kubectl get namespace team-a --ignore-not-found)" ] || fail "it is still there"
	cluster namespace team-a
	[ -z "$(kubectl -n team-a get pods -o name)" ] || fail "its pods are still there"
	pass "a namespace is deleted with what was in it"
}

[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
mkdir -p "$dir/www"
head -c 2000000 /dev/urandom >"$dir/www/file"
cluster_start "$@"
make_pod
start_kubelet
tokens
exec_works
port_forward_works
other_clients_are_refused
old_versions_are_gone
new_authority
namespace_is_deleted
