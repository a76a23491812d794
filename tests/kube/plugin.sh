#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kubectl countersign: a real API server, kubelets that run what `kubectl exec` asks for, and real
# agents. Nodes node-a and node-b have an agent with programs, workloads and connections; on
# node-c the agent's pod is there and the agent is not; node-d has no pod.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh

[ "$(id -u)" -eq 0 ] || skip "needs root: cgroups and BPF programs"

readonly PORT_A=18091 PORT_B=18092
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
readonly root CGROUPS=$root/countersign-plugin-$$
bpffs=$dir/bpf
readonly bpffs

end_agents() {
	local node

	for node in a b; do
		stop "agent-$node"
		[ ! -d "$bpffs-$node" ] || build/countersignd --uninstall --bpffs "$bpffs-$node" \
			--state "$dir/node-$node/state" >>"$dir/uninstall.log" 2>&1 || true
	done
}

end() {
	end_agents
	cluster stop || true
	cleanup
	# A process that has ended leaves its cgroup a moment later.
	sleep 0.2
	find "$CGROUPS" -depth -type d -exec rmdir {} \; 2>/dev/null || true
}

# ---- nodes ----------------------------------------------------------------------------

# All nodes read the same.
manifests() {
	local node

	mkdir -p "$dir/manifests"
	for node in a b; do
		cat <<-EOF
			apiVersion: countersign.dev/v1alpha1
			kind: Workload
			metadata: {name: server-$node, namespace: shop, labels: {app: server}}
			spec: {node: node-$node, serviceAccount: server-$node, cgroup: server}
			---
			apiVersion: countersign.dev/v1alpha1
			kind: Workload
			metadata: {name: client-$node, namespace: web, labels: {app: client}}
			spec: {node: node-$node, serviceAccount: client-$node, cgroup: client}
			---
		EOF
	done >"$dir/manifests/all.yaml"
	cat >>"$dir/manifests/all.yaml" <<-EOF
		apiVersion: countersign.dev/v1alpha1
		kind: IdentityPolicy
		metadata: {name: server, namespace: shop}
		spec:
		  subject: {selector: {matchLabels: {app: server}}}
		  ingress:
		  - name: from-client
		    from: [{serviceAccounts: [{namespace: web, name: client-a}, {namespace: web, name: client-b}]}]
	EOF
}

start_agent() {
	local node=$1 number=$2

	mkdir -p "$CGROUPS/$node"/{server,client} "$dir/node-$node/state"
	chmod 0700 "$dir/node-$node/state"
	start "agent-$node" build/countersignd --manifests "$dir/manifests" \
		--cgroup-root "$CGROUPS/$node" --bpffs "$bpffs-$node" --state "$dir/node-$node/state" \
		--node "$number" --node-name "node-$node" --trust-domain example.org \
		--nodes "$dir/nodes" --credential "ca:$dir/ca"
	within 20 "the agent of node-$node is healthy" \
		build/countersign --state "$dir/node-$node/state" status --check healthy
}

# What kubelet's runtime does: the command runs where the pod is. Here the pods differ by
# nothing but the directory that is /run/countersign in them.
write_wrapper() {
	cat >"$dir/wrapper" <<-EOF
		#!/bin/sh
		export COUNTERSIGN_STATE=$dir/\${POD_NAME#countersign-}/state PATH=$PWD/build:\$PATH
		printf '%s\n' "\$*" >>$dir/commands
		exec "\$@"
	EOF
	chmod 0755 "$dir/wrapper"
}

start_kubelet() {
	local node=node-$1

	cluster kubelet-cert "$node" 127.0.0.1
	start "kubelet-$1" "$BIN/lab-kubelet" --listen 127.0.0.1:0 --node-name "$node" \
		--tls-cert-file "$kube/kubelets/$node.crt" \
		--tls-private-key-file "$kube/kubelets/$node.key" \
		--client-ca-file "$kube/pki/ca.crt" --register "$kube/kubelets/$node.kubeconfig" \
		--exec-wrapper "$dir/wrapper"
	within 10 "$node has its address" grep -q 'serving on' "$dir/kubelet-$1.log"
}

# $1: namespace, $2: name, $3: node, $4: labels, $5: container
make_pod() {
	kubectl apply -f - >/dev/null <<-EOF
		apiVersion: v1
		kind: Pod
		metadata: {name: $2, namespace: $1, labels: {$4}}
		spec: {nodeName: $3, containers: [{name: $5, image: none}]}
	EOF
	kubectl -n "$1" patch pod "$2" --subresource status -p '{"status": {"phase": "Running",
		"containerStatuses": [{"name": "'"$5"'", "image": "none", "imageID": "none",
		"ready": true, "restartCount": 0, "state": {"running": {}}}]}}' >/dev/null
}

make_cluster() {
	local node

	for node in countersign-system shop web; do
		cluster namespace $node
	done
	write_wrapper
	for node in a b c; do
		start_kubelet $node
		make_pod countersign-system countersign-node-$node node-$node \
			'app.kubernetes.io/name: countersign' agent
	done
	kubectl create -f - >/dev/null <<-EOF
		apiVersion: v1
		kind: Node
		metadata: {name: node-d}
	EOF
	for node in a b; do
		make_pod shop server-$node node-$node 'app: server' server
		make_pod web client-$node node-$node 'app: client' client
	done
}

# ---- connections ------------------------------------------------------------------------

# A program of its own, so that what is started is what is ended.
write_inside() {
	cat >"$dir/inside" <<-'EOF'
		#!/bin/sh
		# $1: cgroup; the rest: command
		echo $$ >"$1/cgroup.procs" && shift && exec "$@"
	EOF
	chmod 0755 "$dir/inside"
}

# Nobody else may connect to it.
listens() {
	ss -Hltn "sport = :$1" | grep -q .
}

serve() {
	start "server-$1" "$dir/inside" "$CGROUPS/$1/server" \
		/usr/bin/python3 -m http.server "$2" --bind 127.0.0.1 --directory "$dir/www"
	within 10 "server-$1 listens" listens "$2"
}

# From the workload client-$1 to the server at port $2.
connect() {
	"$dir/inside" "$CGROUPS/$1/client" curl -s --max-time 3 -o /dev/null "http://127.0.0.1:$2/"
}

# ---- the plugin, found by kubectl ---------------------------------------------------------

# $1: kubeconfig
plugin_as() {
	local kubeconfig=$1

	shift
	PATH=$PWD/build:$PWD/$BIN:$PATH "$BIN/kubectl" countersign --kubeconfig "$kubeconfig" "$@"
}

plugin() {
	plugin_as "$kube/admin.kubeconfig" "$@"
}

# $1: exit code, $2: what for; the rest: the plugin's arguments. Output in $dir/{out,err}.
expect() {
	local want=$1 what=$2 code=0

	shift 2
	plugin "$@" >"$dir/out" 2>"$dir/err" || code=$?
	[ "$code" -eq "$want" ] || fail "$what: exit code $code: $(cat "$dir/out" "$dir/err")"
}

says() {
	grep -qE -- "$1" "$dir/out" || fail "no \"$1\" in: $(cat "$dir/out" "$dir/err")"
}

complains() {
	grep -qE -- "$1" "$dir/err" || fail "no \"$1\" in: $(cat "$dir/err")"
}

all_nodes() {
	expect 1 "two of four nodes are not well" status --all-nodes --timeout 20s
	says '^node-a +healthy '
	says '^node-b +healthy '
	says '^node-c +unreachable .*No such file or directory'
	says '^node-d +no agent '
	says '^4 nodes: 2 healthy, 0 unhealthy, 1 unreachable, 1 no agent$'
	pass "status of all nodes: one line each, a sum, exit code 1"
	expect 1 "the same as JSON" status -o json
	python3 - "$dir/out" <<-'EOF' || fail "the JSON is wrong: $(cat "$dir/out")"
		import json, sys
		answer = json.load(open(sys.argv[1]))
		states = {n["node"]: n["state"] for n in answer["nodes"]}
		assert states == {"node-a": "healthy", "node-b": "healthy", "node-c": "unreachable",
		                  "node-d": "no agent"}, states
		assert answer["nodes"][0]["status"]["node"] == "node-a"
		assert answer["summary"]["healthy"] == 2
	EOF
	pass "the same as JSON"
	kubectl delete node node-d >/dev/null
	kubectl -n countersign-system delete pod countersign-node-c --grace-period 0 --force \
		>/dev/null 2>&1
	kubectl delete node node-c >/dev/null
	expect 0 "all that are left are well" status
	says '^2 nodes: 2 healthy'
	pass "exit code 0 when every node is healthy"
}

one_node() {
	expect 0 "status of a node" status --node node-b
	says '^Node +node-b '
	says 'shop/server-b +active'
	expect 0 "status of a pod's node" status --pod shop/server-a
	says '^Node +node-a '
	expect 0 "namespace by -n" status -n shop --pod server-b
	says '^Node +node-b '
	expect 1 "no such pod" status --pod shop/nobody
	complains 'nobody.* not found'
	expect 1 "no such node" status --node node-x
	complains 'no agent runs there'
	expect 2 "no node" credentials
	complains 'which agent'
	pass "a verb asks the agent of one node, or of a pod's node; what is missing is said"
}

names_are_no_options() {
	local name

	: >"$dir/commands"
	for name in --help -c=x '../x' 'a b' 'x;id' '--kubeconfig=/dev/null' 'UPPER' ''; do
		expect 2 "a strange node" status --node "$name"
		expect 2 "a strange pod" status --pod "$name"
		expect 2 "a strange pod's namespace" status --pod "$name/x"
	done
	expect 1 "a context that is an option" --context=--help status
	complains 'context "--help" does not exist'
	[ ! -s "$dir/commands" ] || fail "something ran in a pod: $(cat "$dir/commands")"
	pass "names that are none are refused before kubectl runs, and no value is an option"
}

flows_of_all() {
	connect a $PORT_A || fail "an allowed connection fails"
	sleep 0.05
	connect b $PORT_B || fail "an allowed connection fails"
	sleep 0.05
	connect a $PORT_A || fail "an allowed connection fails"
	expect 0 "flows of a namespace" flows -n shop -o json --last 1000
	python3 - "$dir/out" <<-'EOF' || fail "not merged: $(cut -c 1-200 "$dir/out")"
		import json, sys
		flows = [json.loads(line) for line in open(sys.argv[1])]
		times = [f["time"] for f in flows]
		assert times == sorted(times), times
		nodes = [f["node_name"] for f in flows]
		assert set(nodes) == {"node-a", "node-b"}, nodes
		turns = sum(a != b for a, b in zip(nodes, nodes[1:]))
		assert turns >= 2, nodes
		for f in flows:
		    assert "shop" in (f["flow"]["source"].get("namespace"),
		                      f["flow"]["destination"].get("namespace"))
		assert flows[0]["flow"]["Type"] == "L3_L4"
	EOF
	pass "flows of two nodes are one stream in the order of time, in Hubble's JSON"
	expect 0 "nothing in another namespace" flows -n countersign-system
	[ ! -s "$dir/out" ] || fail "flows of another namespace: $(cat "$dir/out")"
	expect 0 "the last of all" flows -A --last 2
	[ "$(wc -l <"$dir/out")" -eq 2 ] || fail "not two: $(cat "$dir/out")"
	expect 0 "flows of a pod" flows --pod web/client-b --last 1000
	says 'web/client-b'
	! grep -q 'client-a' "$dir/out" || fail "flows of another pod: $(cat "$dir/out")"
	pass "by namespace, pod, and the last of all nodes"
}

has_flow() {
	grep -q "shop/server-$1" "$dir/follow.log"
}

flows_that_follow() {
	start follow env PATH="$PWD/build:$PWD/$BIN:$PATH" "$BIN/kubectl" countersign --kubeconfig \
		"$kube/admin.kubeconfig" flows -A -f --last 0
	within 10 "both nodes are followed" \
		bash -c "[ \"\$(grep -c 'countersign relay' $dir/commands)\" -ge $((2 + before)) ]"
	sleep 1
	connect b $PORT_B || fail "an allowed connection fails"
	connect a $PORT_A || fail "an allowed connection fails"
	within 5 "a flow of node-b" has_flow b
	within 5 "a flow of node-a" has_flow a
	stop follow
	within 10 "nothing goes on in the pods" no_relay
	pass "flows are followed on all nodes; when the one who asked is gone, nothing stays behind"
}

# Those of this test: they run in its directory of states.
no_relay() {
	local pid

	for pid in $(pgrep -x countersign); do
		! tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -q "STATE=$dir/" || return 1
	done
}

explains() {
	expect 0 "allowed" explain --from web/client-a --to shop/server-a --port 80
	says 'shop/server#from-client'
	expect 1 "denied on the other node" explain --from shop/server-a --to shop/server-b --port 80
	says '^Egress of shop/server-a: FORWARDED'
	says '^Ingress of shop/server-b: DROPPED'
	pass "explain asks the nodes of both sides and says what they say together"
}

stopped_agent() {
	stop agent-b
	expect 1 "an agent that ended" status
	says '^node-a +healthy '
	says '^node-b +unreachable .*is countersignd running'
	expect 1 "flows all the same" flows -A
	complains 'node node-b'
	says 'server-a'
	pass "an agent that ended is unreachable; the others' answers are shown"
}

who_may() {
	local user

	user=$(cluster kubeconfig reader)
	kubectl create clusterrole reader --verb get,list --resource nodes,pods >/dev/null
	kubectl create clusterrolebinding reader --clusterrole reader --user reader >/dev/null
	! plugin_as "$user" status --node node-a >"$dir/out" 2>"$dir/err" ||
		fail "served without the right"
	complains 'cannot create resource "pods/exec"'
	kubectl -n countersign-system create role reader --verb create --resource pods/exec >/dev/null
	kubectl -n countersign-system create rolebinding reader --role reader --user reader >/dev/null
	plugin_as "$user" status --node node-a >"$dir/out" 2>"$dir/err" ||
		fail "not served: $(cat "$dir/err")"
	pass "who may is who may exec into the agents' pods"
}

completes() {
	PATH=$PWD/build:$PATH "$BIN/kubectl" __complete countersign sta 2>/dev/null >"$dir/out"
	says '^status$'
	PATH=$PWD/build:$PATH "$BIN/kubectl" __complete countersign flows --fol 2>/dev/null >"$dir/out"
	says '^--follow$'
	pass "kubectl completes verbs and options"
}

[ -x build/countersignd ] || skip "build first: make build"
trap end EXIT
cluster_start
trap end EXIT
ln -sf countersign build/kubectl-countersign
cp tools/completion/kubectl_complete-countersign build/
mkdir -p "$dir/www"
: >"$dir/commands"
make_cluster
manifests
write_inside
mkdir "$dir/nodes"
build/countersign ca init "$dir/ca" --trust-domain example.org >/dev/null
start_agent a 1
start_agent b 2
serve a $PORT_A
serve b $PORT_B
all_nodes
one_node
names_are_no_options
flows_of_all
before=$(grep -c 'countersign relay' "$dir/commands")
flows_that_follow
explains
who_may
completes
stopped_agent
