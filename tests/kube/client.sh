#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The API client against a real API server: lists in both ways, what happens when the server
# forgets, dies, hangs or changes its authority, tokens that end, and kinds that come and go.
# build/kube-watch prints what the agent would be told.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh

readonly OBJECTS=2000 # four pages of a list
readonly WATCH=${KUBE_WATCH:-build/kube-watch}
readonly DEAD_S=75 # within this a server that hangs is noticed
declare -A kinds=([ConfigMap]=/v1/configmaps/ConfigMap [Namespace]=/v1/namespaces/Namespace)

# ---- what the client knows ----------------------------------------------------------

# $1: name of the run; the rest: options and kinds
watch() {
	local name=$1

	shift
	start "$name" "$WATCH" --kubeconfig "$kube/admin.kubeconfig" "$@"
}

# $1: name of the run, $2: kind; the rest: see client_state.py
known() {
	local name=$1

	shift
	tests/kube/client_state.py "$@" <"$dir/$name.log"
}

# The same from counters of now.
counter() {
	local before

	before=$(grep -c '"event":"client"' "$dir/$1.log" || true)
	kill -USR1 "${pids[$1]}"
	within 5 "counters of $1" more_lines "$1" "$before"
	known "$1" "$2" "$3"
}

more_lines() {
	[ "$(grep -c '"event":"client"' "$dir/$1.log")" -gt "$2" ]
}

told() {
	[ "$(known "$1" "$2" count "$3")" -ge "${4:-1}" ]
}

# $3: a pattern
trouble_is() {
	# shellcheck disable=SC2053 # it is one
	[[ $(known "$1" "$2" last trouble text) == $3 ]]
}

served() {
	kubectl get "$1" -A --chunk-size 0 -o go-template='{{range .items}}{{if .metadata.namespace}}{{.metadata.namespace}}{{end}}/{{.metadata.name}} {{.metadata.resourceVersion}}
{{end}}' | sort
}

same() {
	diff <(served "$3") <(known "$1" "$2" | sort)
}

configmaps() {
	local i

	for ((i = 0; i < $1; i++)); do
		printf -- '---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c-%04d, namespace: many, labels: {n: "%d"}}, data: {text: "%s"}}\n' \
			"$i" "$i" "$(printf 'x%.0s' {1..2000})"
	done
}

# ---- the scenarios ------------------------------------------------------------------

list() {
	local peak

	watch "$1" --field metadata.labels "${kinds[ConfigMap]}" "${kinds[Namespace]}"
	within 30 "the list" told "$1" ConfigMap synced
	within 10 "what the server has is known" same "$1" ConfigMap configmaps
	peak=$(awk '/VmHWM/ { print $2 }' "/proc/${pids[$1]}/status")
	[ "$peak" -lt 20000 ] || fail "$peak KiB of memory for a list"
	pass "$1: $OBJECTS objects of 2 KiB, $peak KiB resident at most, $(counter "$1" client connections) connection(s), HTTP/2: $(counter "$1" client http2)"
	[ "$(known "$1" client connections)" -eq 1 ] || fail "more than one connection"
}

both_lists() {
	kubectl create namespace many >/dev/null
	configmaps $OBJECTS | kubectl create -f - >/dev/null
	list stream
	[ "$(counter stream ConfigMap bookmarks)" -ge 1 ] || fail "it was no streaming list"
	stop stream
}

paged_list() {
	cluster stop-apiserver
	echo --feature-gates=WatchList=false >>"$kube/flags"
	cluster start-apiserver
	list pages
	[ "$(counter pages ConfigMap lists)" -eq 2 ] || fail "it was not refused a streaming list"
	kubectl -n many create configmap paged >/dev/null
	within 5 "a change after pages" same pages ConfigMap configmaps
	pass "pages: a change after the list is told"
	stop pages
}

changes() {
	kubectl -n many create configmap "$1" >/dev/null
	kubectl -n many label configmap c-0001 change="$1" --overwrite >/dev/null
	kubectl -n many delete configmap c-"$2" >/dev/null
}

killed() {
	local lists

	watch run --field metadata.labels "${kinds[ConfigMap]}" "${kinds[Namespace]}"
	within 30 "the list" told run ConfigMap synced
	within 30 "the list" told run Namespace synced
	lists=$(counter run ConfigMap lists)
	cluster stop-apiserver KILL
	within 10 "the trouble is told" trouble_is run ConfigMap '*onnect*'
	cluster start-apiserver
	changes killed 0100
	within 40 "all is known again" same run ConfigMap configmaps
	within 40 "the trouble is over" trouble_is run ConfigMap ''
	# A server that starts remembers no changes from before: it may say 410, and nobody else may.
	[ "$(counter run ConfigMap lists)" -eq $((lists + $(known run ConfigMap expired))) ] ||
		fail "a restart made it list anew, without a 410"
	pass "killed and back: goes on where it was ($(known run ConfigMap expired) times told 410)"
}

# A watch from a version that is compacted, for certain: it was stopped when that happened.
expired() {
	local gone before

	before=$(counter run ConfigMap expired)
	cluster stop-apiserver KILL
	kill -STOP "${pids[run]}"
	gone=$(known run ConfigMap count gone)
	cluster start-apiserver
	changes expired 0300
	cluster compact
	kill -CONT "${pids[run]}"
	within 60 "all is known again" same run ConfigMap configmaps
	[ "$(counter run ConfigMap expired)" -gt "$before" ] || fail "it was not told 410"
	[ "$(known run ConfigMap count gone)" -eq "$gone" ] || fail "something was told as gone"
	pass "410 Gone: listed anew, and nothing was told as gone in between"
}

hangs() {
	local pid at

	read -r pid _ <"$kube/kube-apiserver.pid"
	kill -STOP "$pid"
	at=$(now_ms)
	# The first failure is silent; the next one is the new connection's.
	within $DEAD_S "a server that hangs is noticed" trouble_is run ConfigMap '?*'
	at=$(($(now_ms) - at))
	kill -CONT "$pid"
	kubectl -n many create configmap after-hang >/dev/null
	within 45 "all is known again" same run ConfigMap configmaps
	pass "a server that hangs is noticed within $((at / 1000)) s, and its return"
}

rotated() {
	kubectl create serviceaccount reader >/dev/null
	kubectl create clusterrolebinding reader --clusterrole look --serviceaccount default:reader >/dev/null
	kubectl run a --image none --overrides '{"spec":{"serviceAccountName":"reader"}}' >/dev/null
	kubectl run b --image none --overrides '{"spec":{"serviceAccountName":"reader"}}' >/dev/null
	cluster mount default reader "$dir/sa" --pod a
	mkfifo "$dir/paths"
	exec {paths}<>"$dir/paths"
	# A job in the background has no input but what it is given itself.
	env KUBECONFIG= KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT="$port" \
		"$WATCH" --in-cluster "$dir/sa" --get - <&"$paths" >"$dir/pod.log" 2>&1 &
	pids[pod]=$!
	ask 200 "a pod's token"
	kubectl delete pod a --force --grace-period 0 >/dev/null 2>&1
	within 30 "the token of a deleted pod is refused" ask_is 401
	cluster mount default reader "$dir/sa" --pod b
	ask 200 "the token in its place"
	stop pod
	exec {paths}>&-
	pass "tokens: a new one is used as soon as the file has it"
}

ask_is() {
	local n

	n=$(grep -c '"path"' "$dir/pod.log" || true)
	echo /api/v1/namespaces/default/pods >&"$paths"
	within 10 "an answer" answers_are $((n + 1))
	tail -n 1 "$dir/pod.log" | grep -q "\"status\":$1"
}

answers_are() {
	[ "$(grep -c '"path"' "$dir/pod.log")" -ge "$1" ]
}

ask() {
	ask_is "$1" || fail "$2: $(tail -n 1 "$dir/pod.log")"
}

new_authority() {
	local before after

	cp "$kube/ca.crt" "$dir/old-ca.crt"
	cluster mount default reader "$dir/sa2" --pod b
	start pod2 env KUBECONFIG= KUBERNETES_SERVICE_HOST=127.0.0.1 \
		KUBERNETES_SERVICE_PORT="$port" "$WATCH" --in-cluster "$dir/sa2" "${kinds[ConfigMap]}"
	within 30 "the list" told pod2 ConfigMap synced
	before=$(counter pod2 client connections)
	cluster rotate-ca
	within 30 "a new connection under the new authority" connections_are pod2 $((before + 1))
	kubectl -n many create configmap new-authority >/dev/null
	within 10 "a change after that" same pod2 ConfigMap configmaps
	after=$(counter pod2 ConfigMap lists)
	[ "$after" -eq 1 ] || fail "it listed anew"
	cp -r "$dir/sa2" "$dir/sa3"
	cp --remove-destination "$dir/old-ca.crt" "$dir/sa3/ca.crt"
	env KUBECONFIG= KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT="$port" \
		"$WATCH" --in-cluster "$dir/sa3" --get /version >"$dir/old.log"
	grep -q '"status":0,.*certificate' "$dir/old.log" || fail "the old authority is believed: $(cat "$dir/old.log")"
	pass "authorities: a new one is taken from the file, connections under the old one end, and that is not believed any more"
	stop pod2
}

connections_are() {
	[ "$(counter "$1" client connections)" -ge "$2" ]
}

# A plugin whose credentials end at once runs again, and what it says is used.
plugin() {
	local config=$dir/plugin.kubeconfig

	cluster token default reader >"$dir/plugin.token"
	cat >"$dir/plugin" <<-EOF
		#!/bin/sh
		echo run >>"$dir/plugin.runs"
		printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s","expirationTimestamp":"2020-01-01T00:00:00Z"}}' "\$(cat "$dir/plugin.token")"
	EOF
	chmod +x "$dir/plugin"
	cat >"$config" <<-EOF
		current-context: c
		contexts: [{name: c, context: {cluster: k, user: u}}]
		clusters: [{name: k, cluster: {server: "https://127.0.0.1:$port", certificate-authority: kube/ca.crt, tls-server-name: $1}}]
		users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, interactiveMode: Never}}}]
	EOF
	"$WATCH" --kubeconfig "$config" --get /api/v1/namespaces/default/pods /version >"$dir/plugin.log"
}

plugins() {
	plugin kubernetes.default.svc
	[ "$(grep -c '"status":200' "$dir/plugin.log")" -eq 2 ] || fail "a plugin's token is not used"
	[ "$(wc -l <"$dir/plugin.runs")" -ge 2 ] || fail "credentials that have ended were used again"
	plugin another.name
	grep -q '"status":0,.*another.name' "$dir/plugin.log" || fail "tls-server-name is not looked at"
	pass "a credential plugin, and a server by another name"
}

forbidden() {
	kubectl create serviceaccount nobody >/dev/null
	cluster mount default nobody "$dir/nobody"
	start nobody "$WATCH" --kubeconfig "$dir/nobody.kubeconfig" "${kinds[Namespace]}"
	within 10 "403 is told" trouble_is nobody Namespace '*Forbidden*'
	! told nobody Namespace synced || fail "403 counts as a list"
	kubectl create clusterrolebinding nobody --clusterrole look --serviceaccount default:nobody >/dev/null
	within 45 "it goes on when it is allowed" told nobody Namespace synced
	within 5 "the trouble is over" trouble_is nobody Namespace ''
	pass "403: told, tried again, and over when it is allowed"
	stop nobody
}

custom() {
	watch custom --optional countersign.dev/v1alpha1/identitypolicies/IdentityPolicy
	within 10 "an absent kind is empty" told custom IdentityPolicy synced
	[ "$(counter custom IdentityPolicy served)" = False ] || fail "an absent kind is served"
	crds_apply
	kubectl apply -f - >/dev/null <<-EOF
		apiVersion: countersign.dev/v1alpha1
		kind: IdentityPolicy
		metadata: {name: p, namespace: default}
		spec: {subject: {selector: {}}}
	EOF
	within 25 "a kind that comes" same custom IdentityPolicy identitypolicies
	[ "$(known custom IdentityPolicy | wc -l)" -eq 1 ] || fail "the object is not known"
	kubectl delete crd identitypolicies.countersign.dev >/dev/null
	within 45 "a kind that vanishes" not_served custom IdentityPolicy
	[ -z "$(known custom IdentityPolicy)" ] || fail "objects of a kind that vanished are known"
	pass "a kind that comes later is followed, and is empty when it vanishes"
	stop custom
}

not_served() {
	[ "$(counter "$1" "$2" served)" = False ]
}

cluster_start "$@"
port=$(kubectl config view -o jsonpath='{.clusters[0].cluster.server}')
port=${port##*:}
kubectl create clusterrole look --verb get,list,watch --resource pods,configmaps,namespaces >/dev/null
both_lists
custom
forbidden
rotated
plugins
new_authority
killed
expired
hangs
stop run
paged_list
