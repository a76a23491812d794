#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the cluster is told: of several candidates one leads, and never two, whatever happens to
# it; policies are Realized only while all nodes enforce this very generation; who refuses what
# is said in conditions and Events; and the conditions of others stay theirs.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh

readonly PROGRAM=build/kube-teller NODES=(host-a host-b host-c) LEASE=countersign-leader
readonly NAMESPACE=countersign-system
readonly TAKEOVER_MS=20000 # a lease of 15 s, seen by others within 3 s, and some

[ -x $PROGRAM ] || skip "no $PROGRAM: run make"

# $1: node; the rest: options
teller() {
	local node=$1

	shift
	$PROGRAM --kubeconfig "$kube/admin.kubeconfig" --node "$node" --namespace $NAMESPACE \
		"$@" >>"$dir/$node.json" 2>>"$dir/$node.log" &
	pids[$node]=$!
}

make_node() {
	printf '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "%s"}}' "$1" |
		kubectl create -f - >/dev/null
}

holder() {
	kubectl -n $NAMESPACE get lease $LEASE -o jsonpath='{.spec.holderIdentity}'
}

is_held_by_another() {
	[ "$(holder)" != "$1" ] && [ -n "$(holder)" ]
}

boot_ms() {
	python3 -c 'import time; print(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000000)'
}

# Prints when a node that is none of $@ was first seen to lead after moment $since.
first_lead_after() {
	python3 - "$since" "$dir" "$@" <<-'PYTHON'
		import glob, json, sys
		since, folder, others = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
		found = [l["ms"] for f in glob.glob(folder + "/*.json") for l in map(json.loads, open(f))
		         if l.get("leads") and l["ms"] > since and l["node"] not in others]
		print(min(found) if found else "")
	PYTHON
}

# All moments at which anybody led, in order: whoever leads has done so without another between.
never_two() {
	python3 - "$dir" <<-'PYTHON'
		import glob, json, sys
		leads = sorted((l["ms"], l["node"]) for f in glob.glob(sys.argv[1] + "/*.json")
		               for l in map(json.loads, open(f)) if l.get("leads"))
		turns = [n for i, (_, n) in enumerate(leads) if not i or leads[i - 1][1] != n]
		lines = {n: sum(1 for _, m in leads if m == n) for n in turns}
		gains = sum(1 for f in glob.glob(sys.argv[1] + "/*.json")
		            for l in map(json.loads, open(f)) if l.get("leader"))
		print(len(turns), gains, " ".join(turns))
		sys.exit(len(turns) > gains or len(leads) < 100)
	PYTHON
}

one_leads() {
	local node

	for node in "${NODES[@]}"; do
		make_node "$node"
		teller "$node"
	done
	within 10 "somebody leads" is_held_by_another ""
	pass "of ${#NODES[@]} candidates $(holder) leads"
}

# $1: how its process is ended; $2: how long it may take, in ms; $3: in words
leader_goes() {
	local old since at

	old=$(holder)
	since=$(boot_ms)
	stop "$old" "$1"
	within $((TAKEOVER_MS / 1000 + 5)) "another leads" is_held_by_another "$old"
	sleep 0.5
	at=$(first_lead_after "$old")
	[ -n "$at" ] || fail "the Lease has a holder, but nobody leads"
	[ $((at - since)) -le "$2" ] || fail "another leads only after $((at - since)) ms"
	pass "$3: another leads after $((at - since)) ms"
	teller "$old"
}

# It must not believe that it leads when it wakes up.
leader_sleeps() {
	local old since

	old=$(holder)
	kill -STOP "${pids[$old]}"
	within $((TAKEOVER_MS / 1000 + 5)) "another leads" is_held_by_another "$old"
	since=$(boot_ms)
	kill -CONT "${pids[$old]}"
	sleep 2
	python3 - "$since" "$dir/$old.json" <<-'PYTHON' || fail "$old believed that it leads"
		import json, sys
		sys.exit(any(l.get("leads") and l["ms"] > int(sys.argv[1])
		             for l in map(json.loads, open(sys.argv[2]))))
	PYTHON
	pass "a leader that stood still for longer than its lease leads no more"
}

# Without a server nobody can know that no other leads, so nobody does.
server_goes() {
	local since

	cluster stop-apiserver KILL
	sleep 11 # the leader's deadline is 10 s
	since=$(boot_ms)
	sleep 2
	[ -z "$(first_lead_after)" ] || fail "somebody leads while the API server is away"
	cluster start-apiserver >/dev/null
	within 40 "somebody leads again" leads_after
	pass "while the API server is away nobody leads; $(($(first_lead_after) - since)) ms later one does"
}

leads_after() {
	[ -n "$(first_lead_after)" ]
}

# ---- conditions -----------------------------------------------------------------------

# $1: kind/name, $2: condition type, $3: field
condition() {
	kubectl -n shop get "$1" -o jsonpath="{.status.conditions[?(@.type==\"$2\")].$3}"
}

# $1: kind/name, $2: type, $3: "status reason generation"
is_condition() {
	[ "$(condition "$1" "$2" status) $(condition "$1" "$2" reason) $(condition "$1" "$2" \
		observedGeneration)" = "$3" ]
}

# $1: kind/name, $2: type, $3: "status reason generation"
expect() {
	local end=$(($(now_ms) + 15000))

	until is_condition "$1" "$2" "$3"; do
		[ "$(now_ms)" -lt $end ] || fail "not within 15 s: $1 is $2=$3, but $(condition "$1" \
			"$2" status) $(condition "$1" "$2" reason): $(condition "$1" "$2" message)"
		sleep $STEP_S
	done
}

policy() {
	kubectl apply -f - >/dev/null <<-YAML
		apiVersion: countersign.dev/v1alpha1
		kind: IdentityPolicy
		metadata: {name: $1, namespace: shop}
		spec:
		  subject: {selector: {matchLabels: {app: web}}}
		  mode: $2
		  ingress:
		  - name: in
		    from: [{cidrs: [{cidr: "$3"}]}]
	YAML
}

realized_when_all_enforce() {
	local columns since

	policy web Enforce 10.0.0.0/8
	expect identitypolicy/web Realized "True AllNodes 1"
	expect identitypolicy/web Accepted "True Accepted 1"
	columns=$(kubectl -n shop get identitypolicies web | tr -s ' ')
	grep -q '^NAME MODE SUBJECTS REALIZED AGE$' <<<"$columns" || fail "columns: $columns"
	grep -qE '^web Enforce .*3/3 [0-9]+s$' <<<"$columns" || fail "columns: $columns"
	pass "a policy that all nodes enforce is Realized: $(tail -n 1 <<<"$columns")"
	since=$(condition identitypolicy/web Accepted lastTransitionTime)
	kill -USR1 "${pids[host-b]}" # puts nothing in force any more
	sleep 1.1
	policy web Audit 10.0.0.0/8
	expect identitypolicy/web Realized "False NodesPending 2"
	[[ $(condition identitypolicy/web Realized message) == "2 of 3 nodes; host-b "* ]] ||
		fail "$(condition identitypolicy/web Realized message)"
	sleep 3
	is_condition identitypolicy/web Realized "False NodesPending 2" ||
		fail "it is Realized while host-b does not enforce it"
	kill -USR1 "${pids[host-b]}"
	expect identitypolicy/web Realized "True AllNodes 2"
	[ "$(condition identitypolicy/web Accepted lastTransitionTime)" = "$since" ] ||
		fail "Accepted did not change, but its time did"
	pass "one node that does not enforce the new generation keeps it from being Realized"
}

refused_is_said() {
	policy bad Enforce 10.0.0.1/8
	expect identitypolicy/bad Accepted "False Invalid 1"
	expect identitypolicy/bad Realized "False NotAccepted 1"
	[[ $(condition identitypolicy/bad Accepted message) == *"cidrs[0].cidr"*"10.0.0.1/8"* ]] ||
		fail "$(condition identitypolicy/bad Accepted message)"
	within 10 "an Event about it" event_of bad PolicyRefused
	[ "$(kubectl get events.events.k8s.io -A -o name | wc -l)" -eq 1 ] ||
		fail "not one Event, but $(kubectl get events.events.k8s.io -A)"
	policy bad Enforce 10.0.0.0/8
	expect identitypolicy/bad Accepted "True Accepted 2"
	expect identitypolicy/bad Realized "True AllNodes 2"
	pass "a policy that is refused says so with the field, once in an Event; mended, it is fine"
}

# $1: name of the object, $2: reason
event_of() {
	kubectl get events.events.k8s.io -A \
		-o jsonpath='{range .items[*]}{.regarding.name} {.reason}{"\n"}{end}' |
		grep -qx "$1 $2"
}

# $1: node, $2: policy. The others enforce it, so it is written well, whoever leads.
refused_by() {
	stop "$1" KILL # its Lease, if it has one, stays its own until it is back
	teller "$1" --refuse "IdentityPolicy/shop/$2"
	within 40 "somebody leads" leads_soon
	policy "$2" Enforce 10.0.0.0/8
	expect "identitypolicy/$2" Realized "False NodesRefused 1"
	expect "identitypolicy/$2" Accepted "True Accepted 1"
	within 15 "$1 is named: $(condition "identitypolicy/$2" Realized message)" \
		names_refuser "$1" "$2"
	[ "$(holder)" = "$leader" ] || fail "$(holder) leads now, no longer $leader"
	expect identitypolicy/web Realized "True AllNodes 2"
	kubectl -n shop delete identitypolicy "$2" >/dev/null
	stop "$1" TERM
	teller "$1"
}

# $1: node, $2: policy
names_refuser() {
	[[ $(condition "identitypolicy/$2" Realized message) == \
		"2 of 3 nodes; $1 refuses it: this node has no room for it" ]]
}

# Somebody has led within the last seconds, or does so now.
leads_soon() {
	since=$(($(boot_ms) - 1000))
	[ -n "$(first_lead_after)" ]
}

refused_by_one_node() {
	local node leader

	leader=$(holder)
	for node in "${NODES[@]}"; do
		[ "$node" = "$leader" ] || break
	done
	refused_by "$node" large
	pass "what one node refuses is accepted, not realised, and the node is named"
	leader=$(holder)
	refused_by "$leader" larger
	pass "the same when it is the leader that refuses it"
}

others_keep_theirs() {
	kubectl apply -f - >/dev/null <<-YAML
		apiVersion: policy.networking.k8s.io/v1alpha2
		kind: ClusterNetworkPolicy
		metadata: {name: admin}
		spec: {tier: Admin, priority: 10, subject: {namespaces: {}}}
	YAML
	kubectl apply --server-side --field-manager other --subresource status -f - >/dev/null <<-YAML
		apiVersion: policy.networking.k8s.io/v1alpha2
		kind: ClusterNetworkPolicy
		metadata: {name: admin}
		status:
		  conditions:
		  - {type: Accepted, status: "False", reason: Other, message: m,
		     lastTransitionTime: "2026-01-01T00:00:00Z"}
	YAML
	expect clusternetworkpolicy/admin countersign.dev/Realized "True AllNodes 1"
	[ "$(condition clusternetworkpolicy/admin Accepted reason)" = Other ] ||
		fail "another manager's condition is gone"
	pass "beside our conditions another manager's stays"
}

# A status that somebody wrote over or took away is put right.
put_right() {
	kubectl -n shop patch identitypolicy web --subresource status --type merge \
		-p '{"status": {"realized": "99/3", "conditions": []}}' >/dev/null
	expect identitypolicy/web Realized "True AllNodes 2"
	within 15 "the nodes are right" realized_is 3/3
	pass "a status that somebody wrote over is put right"
}

nodes_come_and_go() {
	make_node host-d
	within 60 "the silence is said" is_condition identitypolicy/web Realized \
		"Unknown NodesSilent 2" # not at once after an election
	kubectl label node host-d countersign.dev/agent=none >/dev/null
	expect identitypolicy/web Realized "True AllNodes 2"
	kubectl label node host-d countersign.dev/agent- >/dev/null
	expect identitypolicy/web Realized "Unknown NodesSilent 2"
	teller host-d
	expect identitypolicy/web Realized "True AllNodes 2"
	kubectl delete node host-d >/dev/null
	stop host-d KILL
	expect identitypolicy/web Realized "True AllNodes 2"
	within 15 "the deleted node counts no more" realized_is 3/3
	pass "a node without word makes it Unknown, one that reports True; one that is gone is gone"
}

realized_is() {
	[ "$(kubectl -n shop get identitypolicy web -o jsonpath='{.status.realized}')" = "$1" ]
}

# The same version again is not written: neither reports nor conditions.
calm() {
	local before after

	sleep 3
	before=$(kubectl get nodereports,identitypolicies,clusternetworkpolicies -A \
		-o jsonpath='{.items[*].metadata.resourceVersion}')
	sleep 5
	after=$(kubectl get nodereports,identitypolicies,clusternetworkpolicies -A \
		-o jsonpath='{.items[*].metadata.resourceVersion}')
	[ "$before" = "$after" ] || fail "something was written while nothing changed"
	pass "while nothing changes nothing is written"
}

many_policies() {
	local start took i

	start=$(now_ms)
	for i in $(seq 300); do
		printf -- '---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n'
		printf 'metadata: {name: many-%d, namespace: shop}\nspec: {subject: {}}\n' "$i"
	done | kubectl apply --server-side -f - >/dev/null
	within 30 "all are Realized" all_realized
	took=$(($(now_ms) - start))
	pass "300 policies, applied and Realized after $took ms"
	kubectl -n shop delete identitypolicies -l '!none' >/dev/null
}

all_realized() {
	[ "$(kubectl -n shop get identitypolicies --no-headers | grep -c ' 3/3 ')" -ge 302 ]
}

cluster_start
crds_apply
kubectl apply --server-side -f "$BIN/crds/standard" >/dev/null
kubectl wait --for condition=Established --timeout 30s -f "$BIN/crds/standard" >/dev/null
kubectl create namespace $NAMESPACE >/dev/null
kubectl create namespace shop >/dev/null
one_leads
realized_when_all_enforce
refused_is_said
others_keep_theirs
put_right
calm
nodes_come_and_go
since_true=$(condition identitypolicy/web Realized lastTransitionTime)
leader_goes KILL $TAKEOVER_MS "the leader was killed"
expect identitypolicy/web Realized "True AllNodes 2"
leader_goes TERM 6000 "the leader ended in order"
leader_sleeps
server_goes
sleep 5
[ "$(condition identitypolicy/web Realized lastTransitionTime)" = "$since_true" ] ||
	fail "a change of leaders changed whether a policy is Realized"
is_condition identitypolicy/web Realized "True AllNodes 2" || fail "it is not Realized any more"
pass "through all of that the policy stayed Realized"
policy after Enforce 10.0.0.0/8
within 60 "every node hears of policies again" is_condition identitypolicy/after Realized \
	"True AllNodes 1"
kubectl -n shop delete identitypolicy after >/dev/null
refused_by_one_node
many_policies
turns=$(never_two) || fail "two led at one time: $turns"
pass "never did two lead at one time (turns, gains and who: $turns)"
