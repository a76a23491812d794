#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The CustomResourceDefinitions of policy/crds and the policies of policy/ against a real API
# server: they are accepted, applying them again changes nothing, and what is wrong is refused by
# schema and rules, for the reason that it should be refused for.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh

readonly UPSTREAM=$BIN/crds/standard # of the network policy API group

versions() {
	kubectl get crd -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.resourceVersion}
{end}'
}

apply_crds() {
	local before crd bad

	for crd in policy/crds/*.yaml; do
		kubectl apply --server-side --validate=strict -f "$crd" >/dev/null ||
			fail "$crd is refused"
	done
	kubectl wait --for condition=Established --timeout 30s -f policy/crds >/dev/null ||
		fail "not all CRDs are served"
	bad=$(kubectl get crd -o jsonpath='{.items[*].status.conditions[?(@.type=="NonStructuralSchema")].message}')
	[ -z "$bad" ] || fail "$bad"
	pass "$(kubectl get crd -o name | wc -l) CRDs apply and are served"
	before=$(versions)
	crds_apply
	[ "$(versions)" = "$before" ] || fail "applying the CRDs again changed them"
	pass "applied again, nothing changes"
}

# Policies are refused in a namespace that is not there, even by a dry run.
make_namespaces() {
	local name

	sed -nE 's/.*namespace: ([a-z0-9-]+).*/\1/p' policy/examples/*.yaml policy/templates/*.yaml \
		policy/templates/tests/*.yaml | sort -u | while read -r name; do
		kubectl create namespace "$name" >/dev/null 2>&1 </dev/null || true
	done
}

manifests_are_accepted() {
	local file n=0

	kubectl apply --server-side -f "$UPSTREAM" >/dev/null
	kubectl wait --for condition=Established --timeout 30s -f "$UPSTREAM" >/dev/null
	make_namespaces
	for file in policy/examples/*.yaml policy/templates/*.yaml policy/templates/tests/*.yaml; do
		kubectl apply --server-side --force-conflicts --dry-run=server --validate=strict \
			-f "$file" >"$dir/dry-run.log" 2>&1 || fail "$file is refused"
		n=$((n + 1))
	done
	pass "$n files of examples, templates and their tests pass a server-side dry run"
}

# ---- what must be refused -----------------------------------------------------------

# stdin: object, on standard output what kubectl says
try() {
	kubectl create --dry-run=server --validate=strict -f - 2>&1
}

# $1: kind, $2: name, $3: namespace or nothing, $4: spec
object() {
	printf '{"apiVersion": "countersign.dev/v1alpha1", "kind": "%s", "metadata": {"name": "%s"%s}, "spec": %s}' \
		"$1" "$2" "${3:+, \"namespace\": \"$3\"}" "$4"
}

# Each was accepted with one value changed or left out: so it is that value that is refused.
# $1: kind, $2: name, $3: namespace or nothing, $4: sed expression that breaks $spec,
# $5: what the answer must say
refused() {
	local broken answer

	broken=$(sed -E "$4" <<<"$spec")
	[ "$broken" != "$spec" ] || fail "$4 breaks nothing of $1"
	if answer=$(object "$1" "$2" "$3" "$broken" | try); then
		fail "$1 is accepted with $4"
	fi
	grep -qF -- "$5" <<<"$answer" || fail "$1 with $4 is refused, but not for \"$5\": $answer"
	n=$((n + 1))
}

accepted() {
	local answer

	answer=$(object "$1" "$2" "$3" "$spec" | try) || fail "a good $1 is refused: $answer"
}

broken_policies() {
	local kind=$1 in=$2 n=0 spec

	spec='{"subject": {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}},
		"tier": "Admin", "priority": 10, "mode": "Audit", "rollout": {"percent": 5},
		"ingress": [{"name": "r", "action": "Allow", "authentication": "Required",
		"from": [{"serviceAccounts": [{"namespace": "shop", "name": "web"}]}],
		"ports": [{"port": 80, "endPort": 90, "protocol": "TCP"}],
		"expires": "2099-12-31T00:00:00Z", "reason": "why"}]}'
	accepted "$kind" p "$in"
	refused "$kind" p "$in" 's/"subject"/"subjects"/' 'unknown field "spec.subjects"'
	refused "$kind" p "$in" 's/"values": \["a"\]/"values": []/' 'In and NotIn need values'
	refused "$kind" p "$in" 's/"operator": "In"/"operator": "Is"/' 'matchExpressions[0].operator'
	refused "$kind" p "$in" 's/"Admin"/"admin"/' 'spec.tier'
	refused "$kind" p "$in" 's/"priority": 10/"priority": 1001/' 'spec.priority'
	refused "$kind" p "$in" 's/"Audit"/"Try"/' 'spec.mode'
	refused "$kind" p "$in" 's/"percent": 5/"percent": 101/' 'spec.rollout.percent'
	refused "$kind" p "$in" 's/"Allow"/"Accept"/' 'spec.ingress[0].action'
	refused "$kind" p "$in" 's/"Allow"/"Deny"/' 'authentication: Required is for Allow'
	refused "$kind" p "$in" 's/"Required"/"Always"/' 'spec.ingress[0].authentication'
	refused "$kind" p "$in" 's/"name": "web"/"name": "We b"/' 'serviceAccounts[0].name'
	refused "$kind" p "$in" 's/"serviceAccounts": [^]]*\]/"entities": ["Moon"]/' 'entities[0]'
	refused "$kind" p "$in" 's/"serviceAccounts": \[/"entities": ["World"], &/' 'exactly one of'
	refused "$kind" p "$in" 's/"serviceAccounts": [^]]*\]//' 'exactly one of'
	refused "$kind" p "$in" 's/"serviceAccounts": [^]]*\]/"spiffeIDs": ["http:\/\/a\/b"]/' \
		'spiffeIDs[0]'
	refused "$kind" p "$in" 's/"port": 80/"port": 65536/' 'port is a number from 1 to 65535'
	refused "$kind" p "$in" 's/"port": 80/"port": 91/' 'endPort needs a port number'
	refused "$kind" p "$in" 's/"TCP"/"ICMP"/' 'ports[0].protocol'
	refused "$kind" p "$in" 's/2099-12-31T/31.12.99 /' 'expires'
	refused "$kind" p "$in" 's/, "reason": "why"//' 'a rule that expires says why'
	refused "$kind" p "$in" 's/"expires": [^,]*, //' 'are for rules with expires'
	pass "$n wrong values of $kind are refused, each for its reason"
}

broken_others() {
	local n=0 spec

	spec='{"workloads": [{"namespace": "shop", "name": "web"}], "spiffeIDs": ["spiffe://example.org/ns/a/sa/b"],
		"serials": ["0a:ff"], "nodes": ["host-a"], "reason": "stolen"}'
	accepted Revocation r ""
	refused Revocation r "" 's/, "reason": "stolen"//' 'spec.reason'
	refused Revocation r "" 's/"0a:ff"/"0a:f"/' 'spec.serials[0]'
	refused Revocation r "" 's/spiffe:/http:/' 'spec.spiffeIDs[0]'
	refused Revocation r "" 's/"host-a"/"-"/' 'spec.nodes[0]'
	refused Revocation r "" 's/, "name": "web"//' 'spec.workloads[0].name'
	refused Revocation r "" ':a;N;$!ba;s/"workloads".*"reason"/"reason"/' 'it revokes nothing'
	spec='{"serviceAccount": "web", "cgroup": "shop/web", "addresses": ["10.0.0.1"],
		"ports": [{"name": "http", "port": 80}]}'
	accepted Workload w shop
	refused Workload w shop 's/"cgroup"/"systemdUnit": "a.service", &/' 'one of cgroup'
	refused Workload w shop 's/"cgroup"/"podUID": "a-uid", &/' 'one of cgroup'
	refused Workload w shop 's/"cgroup"/"hostNetwork": true, &/' 'leave them out'
	refused Workload w shop 's/"port": 80/"port": 0/' 'spec.ports[0].port'
	refused Workload w shop 's/"http"/"HTTP"/' 'spec.ports[0].name'
	spec='{"cases": [{"from": "a/b", "to": "c/d", "port": 80, "want": "allow"}]}'
	accepted PolicyTest t shop
	refused PolicyTest t shop 's/"allow"/"yes"/' 'spec.cases[0].want'
	refused PolicyTest t shop 's/"from": "a\/b", //' 'spec.cases[0].from'
	pass "$n wrong values of Revocation, Workload and PolicyTest are refused, each for its reason"
}

broken_records() {
	local n=0 spec

	spec=$(printf '{"trustDomain": "example.org", "node": "host-a", "number": 7,
		"issued": "2026-01-01T00:00:00Z", "certificates": ["AAAA"], "signature": "AAAA",
		"keys": [{"parity": 0, "publicKey": "%s=", "notBefore": "2026-01-01T00:00:00Z",
		"active": "2026-01-01T00:00:00Z", "notAfter": "2026-01-02T00:00:00Z"}]}' \
		"$(printf 'A%.0s' {1..43})")
	accepted NodeIdentity 7 ""
	refused NodeIdentity 7 "" 's/"number": 7/"number": 8/' "named after the node's number"
	refused NodeIdentity 0 "" 's/"number": 7/"number": 0/' 'spec.number'
	refused NodeIdentity 65536 "" 's/"number": 7/"number": 65536/' 'spec.number'
	refused NodeIdentity 7 "" 's/"parity": 0/"parity": 2/' 'spec.keys[0].parity'
	refused NodeIdentity 7 "" 's/"AAAA"\]/"not base64"]/' 'spec.certificates[0]'
	refused NodeIdentity 7 "" 's/A=/A/' 'spec.keys[0].publicKey'
	refused NodeIdentity 7 "" 's/, "signature": "AAAA"//' 'a record has all, a claim none'
	spec='{"trustDomain": "example.org", "node": "host-a", "number": 7}'
	accepted NodeIdentity 7 ""
	refused NodeIdentity 7 "" 's/"node": "host-a", //' 'spec.node'
	kubectl create -f - <<<"$(object NodeIdentity 7 "" "$spec")" >/dev/null
	if kubectl patch nodeidentity 7 --type merge -p '{"spec": {"node": "host-b"}}' >/dev/null 2>&1; then
		fail "a number is taken over by another node"
	fi
	kubectl delete nodeidentity 7 >/dev/null
	pass "$n wrong values of NodeIdentity are refused, each for its reason"
}

cluster_start "$@"
apply_crds
manifests_are_accepted
broken_policies IdentityPolicy shop
broken_policies ClusterIdentityPolicy ""
broken_others
broken_records
