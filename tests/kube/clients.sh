# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Part of cluster.sh: what clients get, and what controllers would make for them.
# shellcheck disable=SC2154 # dir, bin, url are cluster.sh's

readonly TOKEN_S=3600

kubectl() {
	inside "$bin/kubectl" --kubeconfig "$dir/admin.kubeconfig" "$@"
}

# $1: file, $2: authorities' file; stdin: the user, as YAML
write_kubeconfig() {
	put "$1" <<-EOF
		apiVersion: v1
		kind: Config
		current-context: lab
		clusters:
		- name: lab
		  cluster: {server: "$url", certificate-authority: $2}
		contexts:
		- name: lab
		  context: {cluster: lab, user: lab}
		users:
		- name: lab
		  user: $(cat)
	EOF
	chmod 0600 "$1"
}

# $1: file below DIR, $2: user; the rest: groups
client_kubeconfig() {
	local file=$dir/$1 user=$2 group subject=

	shift 2
	for group; do
		subject+=/O=$group
	done
	make_cert "${file%.kubeconfig}" "$dir/pki/ca" "$subject/CN=$user" clientAuth
	write_kubeconfig "$file" "$dir/ca.crt" <<<"{client-certificate: ${file%.kubeconfig}.crt,\
 client-key: ${file%.kubeconfig}.key}"
}

user_kubeconfig() {
	local file=${1//[^A-Za-z0-9._-]/_}.kubeconfig

	client_kubeconfig "$file" "$@"
	echo "$dir/$file"
}

# ---- namespaces ---------------------------------------------------------------------

# The service account controller makes `default`, the root CA publisher kube-root-ca.crt.
namespace() {
	local name=$1 label labels=

	shift
	for label; do
		labels+="${labels:+, }${label%%=*}: \"${label#*=}\""
	done
	kubectl apply --server-side --force-conflicts -f - >/dev/null <<-EOF
		apiVersion: v1
		kind: Namespace
		metadata: {name: "$name", labels: {$labels}}
		---
		apiVersion: v1
		kind: ServiceAccount
		metadata: {name: default, namespace: "$name"}
		---
		apiVersion: v1
		kind: ConfigMap
		metadata: {name: kube-root-ca.crt, namespace: "$name"}
		data: {ca.crt: "$(awk '{ printf "%s\\n", $0 }' "$dir/ca.crt")"}
	EOF
}

publish_ca() {
	local name patch

	patch="{\"data\":{\"ca.crt\":\"$(awk '{ printf "%s\\n", $0 }' "$dir/ca.crt")\"}}"
	for name in $(kubectl get configmap -A --field-selector metadata.name=kube-root-ca.crt \
		-o jsonpath='{.items[*].metadata.namespace}'); do
		kubectl -n "$name" patch configmap kube-root-ca.crt -p "$patch" >/dev/null
	done
}

renew_mounted_ca() {
	local file

	for file in "$dir"/mounts/*; do
		[ ! -e "$file" ] || write_mount "$file" keep
	done
}

# The namespace controller empties a namespace, then takes its finalizer away.
delete_namespace() {
	local kinds

	kubectl delete namespace "$1" --wait=false >/dev/null
	kinds=$(kubectl api-resources --verbs=delete,list --namespaced -o name | paste -sd,)
	kubectl -n "$1" delete "$kinds" --all --force --grace-period=0 >>"$dir/kubectl.log" 2>&1 ||
		fail "namespace $1 cannot be emptied: see $dir/kubectl.log"
	kubectl replace --raw "/api/v1/namespaces/$1/finalize" -f - >/dev/null <<-EOF
		{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "$1"}, "spec": {}}
	EOF
}

# ---- tokens -------------------------------------------------------------------------

# $1: namespace, $2: service account; the rest: [--pod P|--node N] [--seconds S]
token() {
	local bound=() seconds=$TOKEN_S in=$1 account=$2

	shift 2
	while [ $# -gt 1 ]; do
		case $1 in
		--pod) bound=(--bound-object-kind Pod --bound-object-name "$2") ;;
		--node) bound=(--bound-object-kind Node --bound-object-name "$2") ;;
		--seconds) seconds=$2 ;;
		*) fail "unknown option $1" ;;
		esac
		shift 2
	done
	kubectl -n "$in" create token "$account" --duration "${seconds}s" "${bound[@]}"
}

# As kubelets write a projected volume: a new folder each time, and one link that is replaced.
# $1: file in mounts/, whose lines are namespace, folder and the arguments of token();
# $2: "keep" for the token that is there
write_mount() {
	local words folder old new

	mapfile -t words <"$1"
	folder=${words[1]}
	old=$(readlink "$folder/..data" || true)
	new=..$(date +%Y_%m_%d_%H_%M_%S.%N)
	mkdir "$folder/$new"
	if [ "${2:-}" = keep ]; then
		cp "$folder/token" "$folder/$new/token"
	else
		token "${words[0]}" "${words[@]:2}" | tr -d '\n' >"$folder/$new/token"
	fi
	printf %s "${words[0]}" >"$folder/$new/namespace"
	cp "$dir/ca.crt" "$folder/$new/ca.crt"
	ln -sfn "$new" "$folder/..data_tmp"
	mv -T "$folder/..data_tmp" "$folder/..data"
	[ -z "$old" ] || rm -rf "${folder:?}/$old"
}

# $1: namespace, $2: service account, $3: folder; the rest: as of token()
mount_account() {
	local in=$1 account=$2 folder file name

	mkdir -p "$3"
	folder=$(realpath "$3")
	shift 3
	file=$dir/mounts/$(sha256sum <<<"$folder" | cut -c 1-16)
	printf '%s\n' "$in" "$folder" "$account" "$@" >"$file"
	write_mount "$file"
	for name in token ca.crt namespace; do
		ln -sfn "..data/$name" "$folder/$name"
	done
	write_kubeconfig "$folder.kubeconfig" "$folder/ca.crt" <<<"{tokenFile: $folder/token}"
}

# $@: folders
refresh() {
	local file folder

	for file in "$dir"/mounts/*; do
		[ -e "$file" ] || continue
		folder=$(sed -n 2p "$file")
		if [ $# -eq 0 ] || [[ " $(realpath "$@" | paste -sd' ') " == *" $folder "* ]]; then
			write_mount "$file"
		fi
	done
}

# ---- controllers --------------------------------------------------------------------

# Nobody renews the leases of nodes here, so those who judge nodes by them would empty all.
start_controllers() {
	local program=$bin/kube-controller-manager

	[ -x "$program" ] || program=$(realpath "$here/../../build/kube/bin")/${program##*/}
	[ -x "$program" ] || fail "no kube-controller-manager: run tests/kube/build.sh kube-controller-manager"
	launch kube-controller-manager "${inside[@]}" "$program" \
		--kubeconfig "$dir/admin.kubeconfig" --leader-elect=false --secure-port=0 \
		--root-ca-file "$dir/ca.crt" --service-account-private-key-file "$dir/pki/sa.key" \
		--controllers=*,-node-lifecycle-controller,-taint-eviction-controller
}

# The controller of DaemonSets names a Pod's node in its affinity.
schedule() {
	local in pod node

	kubectl get pods -A --field-selector spec.nodeName= -o jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name} {.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values[0]}
{end}' | while read -r in pod node; do
		[ -n "$node" ] || continue
		kubectl create --raw "/api/v1/namespaces/$in/pods/$pod/binding" -f - >/dev/null <<-EOF
			{"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "$pod"},
			 "target": {"apiVersion": "v1", "kind": "Node", "name": "$node"}}
		EOF
		echo "$in/$pod is on $node"
	done
}

# ---- kubelets -----------------------------------------------------------------------

# $1: node; the rest: its addresses
kubelet_cert() {
	local node=$1

	make_cert "$dir/kubelets/$node" "$dir/pki/ca" "/O=system:nodes/CN=system:node:$node" \
		serverAuth "$(alternative_names "$@")"
	client_kubeconfig "kubelets/$node-client.kubeconfig" "system:node:$node" system:nodes
	mv "$dir/kubelets/$node-client.kubeconfig" "$dir/kubelets/$node.kubeconfig"
}
