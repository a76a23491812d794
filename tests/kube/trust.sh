#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trust between nodes through a real API server: what one node's ServiceAccount token may not do
# to another node's objects, whose certificates are signed, how numbers are claimed and given up,
# and that agents go on when the API server is away. Agents are real, below a cgroup of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh

readonly NS=countersign-system SIGNER=countersign.dev/node
cgroups=

# $1: node; the rest: arguments of kubectl, as that node's agent
as() {
	local node=$1

	shift
	"$BIN/kubectl" --kubeconfig "$dir/$node.kubeconfig" "$@" 2>&1
}

# $1: what; $2: what the refusal says; the rest: command that must be refused so
refused() {
	local what=$1 why=$2 said

	shift 2
	! said=$("$@" 2>&1) || fail "$what was let through"
	[[ $said == *$why* ]] || fail "$what: $said"
	pass "$what is refused"
}

# $1: number, $2: node; JSON of a claim
claim() {
	printf '{"apiVersion": "countersign.dev/v1alpha1", "kind": "NodeIdentity",
		"metadata": {"name": "%s"},
		"spec": {"trustDomain": "cluster.local", "node": "%s", "number": %s}}' "$1" "$2" "$1"
}

create_claim() {
	claim "$2" "$3" | as "$1" create -f -
}

# $1: node, $2: its account
make_node() {
	kubectl create -f - >/dev/null <<-EOF
		apiVersion: v1
		kind: Node
		metadata: {name: $1}
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: agent-$1, namespace: $NS}
		spec: {nodeName: $1, serviceAccountName: $2, containers: [{name: agent, image: agent}]}
	EOF
	cluster mount $NS "$2" "$dir/$1" --pod "agent-$1"
}

policies_work() {
	local said

	said=$(claim 2 node-b | as node-a create --dry-run=server -f -) || true
	[[ $said == *"only create the record of its own node"* ]]
}

set_up() {
	cluster_start
	trap 'agents_tear_down; cluster stop || true; cleanup' EXIT
	crds_apply
	kubectl create namespace $NS >/dev/null
	kubectl apply --server-side -f deploy/base/rbac.yaml -f deploy/base/admission-policy.yaml \
		>/dev/null || fail "rights and policies are refused"
	make_node node-a countersign
	make_node node-b countersign
	make_node node-c countersign-signer
	within 20 "admission policies in force" policies_work
}

# ---- rights --------------------------------------------------------------------------

records() {
	create_claim node-a 10 node-a >/dev/null || fail "node-a cannot claim a number"
	pass "a node claims a number"
	create_claim node-b 11 node-b >/dev/null || fail "node-b cannot claim a number"
	refused "a claim in another node's name" "own node, node-a" create_claim node-a 12 node-b
	refused "another node's number" "AlreadyExists" create_claim node-a 11 node-a
	refused "a change of another's record" "own node, node-a" as node-a patch nodeidentity 11 \
		--type merge -p '{"spec": {"issued": "2026-01-01T00:00:00.000Z", "keys": [{"parity": 0,
		"publicKey": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"notBefore": "2026-01-01T00:00:00.000Z", "active": "2026-01-01T00:00:00.000Z",
		"notAfter": "2026-01-01T00:00:00.000Z"}], "certificates": ["AAAA"], "signature": "AAAA"}}'
	refused "taking another's record over" "stays its node's" as node-a patch nodeidentity 11 \
		--type merge -p '{"spec": {"node": "node-a"}}'
	refused "giving one's record away" "stays its node's" as node-a patch nodeidentity 10 \
		--type merge -p '{"spec": {"node": "node-b"}}'
	refused "deleting another's record" "marked as gone" as node-a delete nodeidentity 11
	refused "deleting one's own" "marked as gone" as node-a delete nodeidentity 10
	refused "deleting all" "cannot deletecollection" as node-a delete \
		--raw /apis/countersign.dev/v1alpha1/nodeidentities
	refused "replacing one" "cannot update" as node-a replace -f <(claim 11 node-a)
	"$BIN/kubectl" --kubeconfig "$kube/admin.kubeconfig" delete nodeidentities --all >/dev/null ||
		fail "administrators cannot delete records"
	pass "an administrator may delete records"
}

unbound() {
	cluster mount $NS countersign "$dir/node-none"
	refused "a token of no pod" "names no node" create_claim node-none 10 node-a
}

report() {
	printf '{"apiVersion": "countersign.dev/v1alpha1", "kind": "NodeReport",
		"metadata": {"name": "%s"}, "spec": {"node": "%s"}}' "$2" "$3" | as "$1" create -f -
}

reports() {
	report node-a node-a node-a >/dev/null || fail "node-a cannot write its report"
	refused "another node's report" "own node, node-a" report node-a node-b node-b
	refused "a report under another's name" "named after its node" report node-a node-b node-a
	refused "another's status" "own node, node-b" as node-b patch nodereport node-a \
		--subresource status --type merge -p "$(printf '{"status": {"instance": "%032d",
		"reported": "2026-01-01T00:00:00Z", "observed": {"policies": 0, "digests": "%01024d"}}}' 0 0)"
}

mirror() {
	kubectl create -f - <<-EOF
		apiVersion: v1
		kind: Pod
		metadata: {name: mirror, namespace: $NS, annotations: {kubernetes.io/config.hash: abc}}
		spec: {serviceAccountName: countersign, containers: [{name: a, image: a}]}
	EOF
}

# ---- certificates ----------------------------------------------------------------------

# $1: name, $2: node in the name of which; a request as a node's agent makes it
csr_of() {
	local pem

	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /O=Test \
		-keyout "$dir/$1.key" -addext "subjectAltName=URI:spiffe://cluster.local/countersign/node/$2" \
		-config <(printf '[req]\ndistinguished_name=dn\n[dn]\n') -out "$dir/$1.csr" 2>/dev/null
	pem=$(base64 -w 0 "$dir/$1.csr")
	printf '{"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
		"metadata": {"name": "%s"}, "spec": {"request": "%s", "signerName": "%s",
		"expirationSeconds": 3600,
		"usages": ["digital signature", "client auth", "server auth"]}}' "$1" "$pem" "$3"
}

# $1: whose token, $2: name, $3: node, $4: signer
ask() {
	csr_of "$2" "$3" "${4:-$SIGNER}" | as "$1" create -f -
}

condition() {
	kubectl get csr "$1" -o jsonpath="{.status.conditions[?(@.type=='$2')].reason}"
}

has_condition() {
	[ "$(condition "$1" "$2")" = "$3" ]
}

has_certificate() {
	[ -n "$(kubectl get csr "$1" -o jsonpath='{.status.certificate}')" ]
}

no_certificate() {
	! has_certificate "$1" || fail "$1 was signed"
}

certificates() {
	refused "a request to one of the cluster's signers" "none of the cluster's own" \
		ask node-a kubelet node-a kubernetes.io/kube-apiserver-client
	ask node-a own node-a >/dev/null
	within 20 "a node's own request is signed" has_certificate own
	kubectl get csr own -o jsonpath='{.status.certificate}' | base64 -d |
		openssl x509 -noout -ext subjectAltName | grep -q "URI:spiffe://cluster.local/countersign/node/node-a$" ||
		fail "the certificate names another node"
	pass "a node's own request is approved and signed"
	ask node-a stolen node-b >/dev/null
	within 20 "a request in another node's name is denied" has_condition stolen Denied OtherNode
	no_certificate stolen
	pass "another node's certificate is not signed"
	csr_of admin node-b $SIGNER | kubectl create -f - >/dev/null
	within 20 "an administrator's request is denied" has_condition admin Denied NotAnAgent
	no_certificate admin
	pass "nobody but an agent gets a certificate"
	ask node-none unbound node-a >/dev/null
	within 20 "a request by an unbound token is denied" has_condition unbound Denied NoNodeName
	no_certificate unbound
	pass "a token of no pod gets no certificate"
	refused "deleting another's request" "only its own node's" as node-b delete csr own
	as node-a delete csr own >/dev/null || fail "node-a cannot delete its own request"
	pass "a node deletes its own request"
}

# Nobody signs while node-c's agent is away; an approval by hand makes a forged one no better.
forged_approval() {
	stop node-c
	ask node-a approved node-b >/dev/null
	refused "approving one's own request" "forbidden" as node-a certificate approve approved
	kubectl certificate approve approved >/dev/null
	start_agent node-c --signer "ca:$dir/ca"
	within 40 "a forged request that was approved fails" has_condition approved Failed OtherNode
	no_certificate approved
	pass "an approval by hand does not get a forged request signed"
}

# ---- agents ----------------------------------------------------------------------------

# $1: node; the rest: more options
start_agent() {
	local node=$1

	shift
	mkdir -p "$cgroups/$node" "$dir/state-$node"
	start "$node" build/countersignd --kubernetes --kubeconfig "$dir/$node.kubeconfig" \
		--kube-namespace $NS --cgroup-root "$cgroups/$node" --bpffs "$dir/bpf/$node" \
		--state "$dir/state-$node" --node auto --node-name "$node" --nodes kubernetes: \
		--credential kube-csr:$SIGNER --trust-bundle "$dir/ca/ca.crt" "$@"
}

agents_set_up() {
	local mounted

	[ "$(id -u)" -eq 0 ] || skip "agents need root"
	mounted=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	[ -n "$mounted" ] || skip "no cgroup version 2 is mounted"
	cgroups=$mounted/countersign-trust.$$
	mkdir -p "$cgroups" "$dir/bpf"
	mount -t bpf bpf "$dir/bpf" || skip "no bpf file system can be mounted"
	build/countersign ca init "$dir/ca" --trust-domain cluster.local >/dev/null
}

# What they left in the kernel goes with the pins.
agents_tear_down() {
	local node

	for node in "${!pids[@]}"; do
		stop "$node"
	done
	[ -n "$cgroups" ] || return 0
	umount "$dir/bpf" 2>/dev/null || true
	rmdir "$cgroups"/* "$cgroups" 2>/dev/null || true
}

verb() {
	local node=$1

	shift
	build/countersign --state "$dir/state-$node" "$@"
}

# $1: node, $2: how many records it accepts, its own included
knows() {
	[ "$(verb "$1" nodes | grep -cE ' (accepted|this node) ')" = "$2" ]
}

agents_meet() {
	local node numbers

	start_agent node-a
	start_agent node-b
	for node in node-a node-b node-c; do
		within 30 "$node accepts three nodes" knows $node 3
	done
	numbers=$(kubectl get nodeidentities -o jsonpath='{.items[*].spec.number}')
	[ "$(tr ' ' '\n' <<<"$numbers" | sort -u | wc -l)" = 3 ] || fail "numbers: $numbers"
	pass "three agents claim numbers, get certificates and accept each other's records"
	[ -z "$(kubectl get csr -o name | grep '/countersign-' || true)" ] ||
		fail "requests that are over were left: $(kubectl get csr)"
	pass "requests that are over are deleted"
}

# $1: node
number_of() {
	kubectl get nodeidentities -o jsonpath="{.items[?(@.spec.node=='$1')].metadata.name}"
}

signature_of() {
	kubectl get nodeidentity "$1" -o jsonpath='{.spec.signature}'
}

is_signed() {
	[ -n "$(signature_of "$1")" ]
}

comes_back() {
	local number

	number=$(number_of node-b)
	kubectl delete nodeidentity "$number" >/dev/null
	within 20 "a record that was deleted is published again" is_signed "$number"
	pass "a record that was deleted is published again"
	stop node-b
	rm -r "$dir/state-node-b"
	start_agent node-b
	within 30 "node-b comes back" knows node-b 3
	[ "$(number_of node-b)" = "$number" ] || fail "node-b has $(number_of node-b), not $number"
	pass "a node that forgot its number finds it again"
}

without_server() {
	cluster stop-apiserver
	stop node-a
	start_agent node-a
	within 20 "node-a goes on" knows node-a 3
	grep -q "goes on with the node's keys" "$dir/node-a.log" || fail "node-a made new keys"
	verb node-a credentials | grep -q '^State *valid' || fail "$(verb node-a credentials)"
	pass "an agent that starts without the API server goes on with all nodes"
	cluster start-apiserver >/dev/null
	within 60 "node-a gets a certificate of its own" renewed
	pass "it gets a new certificate when the server is back"
}

# A certificate that has a key with it is renewed some time.
renewed() {
	verb node-a credentials | grep -q ^Renewal
}

# ---- numbers ---------------------------------------------------------------------------

race() {
	local first again

	first=$(build/kube-claim "$kube/admin.kubeconfig" 20 | sort)
	[ "$(cut -d' ' -f2 <<<"$first" | sort -u | wc -l)" = 20 ] || fail "claims collide: $first"
	pass "20 nodes that want one number at one moment get 20 numbers"
	again=$(build/kube-claim "$kube/admin.kubeconfig" 20 | sort)
	[ "$again" = "$first" ] || fail "the second claims differ"
	pass "they find their own numbers again"
	kubectl delete nodeidentities --all >/dev/null
}

has_mark() {
	[ -n "$(kubectl get nodeidentity "$1" -o jsonpath='{.metadata.annotations.countersign\.dev/gone}')" ]
}

has_no_mark() {
	! has_mark "$1"
}

is_gone() {
	! kubectl get nodeidentity "$1" >/dev/null 2>&1
}

is_labelled() {
	[ "$(kubectl get nodeidentity "$1" -o jsonpath='{.metadata.labels.countersign\.dev/node}')" = kubernetes ]
}

# $1: number, $2: node, $3: marked so long ago; of a node that was part of the cluster
lost() {
	claim "$1" "$2" | kubectl create -f - >/dev/null
	kubectl label nodeidentity "$1" countersign.dev/node=kubernetes >/dev/null
	[ -z "$3" ] || kubectl annotate nodeidentity "$1" \
		"countersign.dev/gone=$(date -u -d "$3 ago" +%Y-%m-%dT%H:%M:%S.000Z)" >/dev/null
}

collected() {
	local number

	number=$(number_of node-b)
	within 60 "records of nodes are labelled" is_labelled "$number"
	claim 20 outside | kubectl create -f - >/dev/null
	lost 21 node-lost ""
	lost 22 node-long-lost "2 hours"
	lost 23 node-just-lost "10 minutes"
	stop node-b
	kubectl -n $NS delete pod agent-node-b --force --grace-period=0 >/dev/null 2>&1
	kubectl delete node node-b >/dev/null
	within 40 "the record of a node that is gone is marked" has_mark "$number"
	within 40 "others as well" has_mark 21
	pass "the records of nodes that are gone are marked"
	within 40 "a number is free after the life of a key" is_gone 22
	if is_gone 21 || is_gone 23 || is_gone "$number"; then
		fail "a record is gone too early"
	fi
	pass "they are deleted when the life of a key is over, and not before"
	if is_gone 20 || has_mark 20; then
		fail "the record of a node outside of the cluster was taken for one that is gone"
	fi
	pass "the record of a node that never was one of the cluster stays"
	refused "the number of a node that is gone" "AlreadyExists" create_claim node-a "$number" node-a
	make_node node-b countersign
	start_agent node-b
	within 40 "the node comes back" has_no_mark "$number"
	[ "$(number_of node-b)" = "$number" ] || fail "node-b has $(number_of node-b), not $number"
	pass "a node that comes back has its number again"
}

set_up
agents_set_up
records
unbound
reports
refused "a pod that says it is a static pod's mirror" "only a kubelet" mirror
race
start_agent node-c --signer "ca:$dir/ca"
certificates
forged_approval
agents_meet
comes_back
without_server
collected
