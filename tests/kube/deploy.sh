#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deploy/ against a real API server and controller manager: every overlay and the chart pass a
# server-side dry run and are the same; the commands of docs/operations.md are run as they stand
# there; the chart's schema refuses what is wrong. Container runtime and kubelet are played:
# pods of DaemonSets are bound to nodes and marked as running, and those that are to end are
# taken away. One agent is really run, in what the image holds, with what its pod says.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh
# shellcheck source=tests/kube/played.sh
. tests/kube/played.sh

readonly NS=countersign-system CHART=deploy/helm/countersign
readonly OVERLAYS=(audit enforce kube-csr spire cert-manager)
readonly PAGE=docs/operations.md

# It says of each link in the chart that it followed it.
helm() {
	local code=0

	"$BIN/helm" --kubeconfig "$kube/admin.kubeconfig" "$@" 2>"$dir/helm.err" || code=$?
	grep -v 'symbolic link' "$dir/helm.err" >&2 || true
	return $code
}

rendered() {
	helm template countersign $CHART --namespace $NS --values "$CHART/values/$1.yaml"
}

# ---- dry runs -------------------------------------------------------------------------

dry_run() {
	kubectl apply --server-side --dry-run=server --validate=strict -f "$1" \
		>"$dir/dry-run.log" 2>&1 || fail "$1 is refused"
	! grep -i warning "$dir/dry-run.log" || fail "$1: warnings"
}

dry_runs() {
	local overlay

	for overlay in "${OVERLAYS[@]}"; do
		kubectl kustomize "deploy/overlays/$overlay" >"$dir/kustomize-$overlay.yaml" ||
			fail "overlay $overlay is none"
		rendered "$overlay" >"$dir/helm-$overlay.yaml" || fail "the chart is none"
		dry_run "$dir/kustomize-$overlay.yaml"
		dry_run "$dir/helm-$overlay.yaml"
		compare "$overlay"
		pass "overlay $overlay: a server-side dry run is passed, by the chart's output too; they are the same"
	done
	helm template countersign $CHART --namespace $NS >"$dir/helm-default.yaml"
	cmp -s "$dir/helm-default.yaml" "$dir/helm-audit.yaml" || fail "the chart's default is not audit"
	pass "the chart's default is overlay audit"
	kubectl kustomize deploy/uninstall >"$dir/uninstall.yaml"
	dry_run "$dir/uninstall.yaml"
	kubectl kustomize deploy/example >"$dir/example.yaml"
	dry_run "$dir/example.yaml"
	pass "example and uninstall pass, too"
}

# As JSON by kubectl, which knows YAML; the namespace is not the chart's to make.
compare() {
	local tool

	for tool in kustomize helm; do
		kubectl create --dry-run=client --validate=false -o json -f "$dir/$tool-$1.yaml" \
			>"$dir/$tool.json"
	done
	python3 tests/kube/same_objects.py "$dir/kustomize.json" "$dir/helm.json" ||
		fail "overlay $1 and the chart differ"
}

all_crds_are_listed() {
	local listed there

	listed=$(sed -n 's/^- //p' policy/crds/Kustomization | sort)
	there=$(cd policy/crds && printf '%s\n' *.yaml | sort)
	[ "$listed" = "$there" ] || fail "policy/crds/Kustomization lists other files than there are"
	pass "policy/crds/Kustomization lists all CRDs"
}

# A DaemonSet's template is judged when it becomes a pod.
pods_are_accepted() {
	local overlay

	for overlay in "${OVERLAYS[@]}"; do
		kubectl create --dry-run=client --validate=false -o json \
			-f "$dir/kustomize-$overlay.yaml" | python3 tests/kube/pods_of.py >"$dir/pods.json"
		kubectl -n $NS create --dry-run=server -f "$dir/pods.json" >"$dir/dry-run.log" 2>&1 ||
			fail "a pod of overlay $overlay is refused"
	done
	pass "pods of every overlay's DaemonSets are accepted, with Pod Security in force"
}

# ---- the chart's schema -----------------------------------------------------------------

# $1: what the message has; the rest: options
refused() {
	local says=$1

	shift
	! helm template countersign $CHART --namespace $NS "$@" >"$dir/out" 2>"$dir/err" ||
		fail "accepted: $*"
	grep -q -- "$says" "$dir/err" || fail "$*: no \"$says\" in: $(cat "$dir/err")"
}

schema() {
	refused mode --set mode=observe
	refused trustDomain --set settings.trustDomain=Example.ORG
	refused 'not allowed' --set setings.trustDomain=example.org
	refused 'not allowed' --set settings.trustdomain=example.org
	refused history --set settings.history=0
	refused history --set-string settings.history=10
	refused keyLifetime --set settings.keyLifetime=1hour
	refused defaultAction --set settings.defaultAction=drop
	refused source --set credential.source=vault
	refused signerName --set credential.kubeCsr.signerName=countersign
	refused signerName --set credential.kubeCsr.signerName=example.org/mine
	refused digest --set image.digest=sha256:abc
	refused repository --set 'image.repository=Registry/x y'
	refused maxUnavailable --set-string maxUnavailable=10
	refused memory --set resources.limits.memory=lots
	refused extraArgs --set 'extraArgs={node-name=x}'
	refused socketDirectory --set credential.spire.socketDirectory=run/spire
	refused enabled --set-string signer.enabled=yes
	pass "the chart's schema refuses 18 wrong values"
	helm template countersign $CHART --namespace other --set signer.enabled=false \
		--set credential.kubeCsr.signerName=example.org/mine >"$dir/out"
	! grep -q 'countersign-system' "$dir/out" || fail "another namespace is not taken"
	grep -q 'serviceaccount:other:countersign' "$dir/out" || fail "not in the admission policy"
	pass "the chart goes into another namespace, with a signer of one's own"
}

# ---- the page -----------------------------------------------------------------------------

# The block of PAGE that is marked with $1.
block() {
	awk -v mark="<!-- tests/kube/deploy.sh: $1 -->" '
		$0 == mark { found = 1; next }
		found && /^```/ { if (inside) exit; inside = 1; next }
		inside' $PAGE
}

# Runs it as it stands, where a reader would: at the root of the tree, whose copy this is.
run_block() {
	block "$1" >"$dir/block.sh"
	[ -s "$dir/block.sh" ] || fail "$PAGE has no block $1"
	(cd "$dir/tree" && PATH=$dir/bin:$PATH KUBECONFIG=$kube/admin.kubeconfig \
		bash -euxo pipefail "$dir/block.sh") >"$dir/block.log" 2>&1 || fail "block $1 of $PAGE"
}

make_tree() {
	mkdir -p "$dir/tree/policy" "$dir/bin"
	cp -r deploy "$dir/tree/"
	cp -r policy/crds "$dir/tree/policy/"
	ln -s "$PWD/$BIN/kubectl" "$PWD/$BIN/helm" "$PWD/build/countersign" "$dir/bin/"
}

images() {
	kubectl -n $NS get daemonset -l app.kubernetes.io/name=countersign \
		-o jsonpath='{range .items[*]}{.spec.template.spec.containers[0].image}{"\n"}{end}' |
		sort -u
}

args_have() {
	kubectl -n $NS get daemonset countersign -o jsonpath='{.spec.template.spec.containers[0].args}' |
		grep -q -- "$1"
}

pods_on() {
	kubectl -n $NS get pods -l "app.kubernetes.io/component=$1" \
		-o jsonpath='{range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort | xargs
}

installs() {
	run_block install
	[ "$(pods_on agent)" = "node-a node-b" ] || fail "agents: $(pods_on agent)"
	[ "$(pods_on signer)" = node-cp ] || fail "signers: $(pods_on signer)"
	args_have '--mode=audit' || fail "it does not begin with audit"
	pass "install: agents on all nodes, those that sign on the control plane, in audit mode"
	run_block enforce
	! args_have '--mode=audit' || fail "still in audit mode"
	pass "enforce"
}

upgrades() {
	local before

	before=$(kubectl -n $NS get pods -o name | sort)
	run_block upgrade
	[ "$(images)" = registry.example.org/countersign:0.2.0 ] || fail "images: $(images)"
	[ "$(kubectl -n $NS get pods -o name | sort | comm -12 - <(echo "$before") | wc -l)" -eq 0 ] ||
		fail "old pods are still there"
	pass "upgrade: all pods are of the new image"
}

gone() {
	[ -z "$(kubectl get "$@" -o name --ignore-not-found 2>/dev/null)" ]
}

uninstalls() {
	run_block uninstall
	grep -q 'countersign-uninstall" successfully rolled out' "$dir/block.log" ||
		fail "no roll-out of the uninstallation"
	gone namespace $NS || fail "the namespace is still there"
	! kubectl get crd -o name | grep -F countersign.dev || fail "CRDs are still there"
	! kubectl get clusterrole,clusterrolebinding,validatingadmissionpolicy -o name |
		grep -F countersign || fail "cluster-wide objects are still there"
	pass "uninstall: every node had its turn, and nothing is left in the cluster"
}

with_helm() {
	rm -rf "$dir/tree/my-ca"
	run_block helm-install
	args_have '--mode=audit' && fail "the upgrade to enforce is not there"
	[ "$(kubectl -n $NS get configmap countersign-settings -o jsonpath='{.data.TRUST_DOMAIN}')" = example.org ] ||
		fail "the upgrade forgot a value"
	pass "helm install, helm upgrade"
	helm upgrade countersign $CHART --namespace $NS --reuse-values --set image.tag=0.2.0 >/dev/null
	[ "$(images)" = registry.example.org/countersign:0.2.0 ] || fail "images: $(images)"
	pass "helm upgrade with a new image"
	helm uninstall countersign --namespace $NS >/dev/null
	kubectl get crd identitypolicies.countersign.dev >/dev/null || fail "the CRDs went with the chart"
	helm install countersign $CHART --namespace $NS >/dev/null || fail "cannot be installed again"
	pass "the CRDs stay when the chart goes, and are taken over when it comes again"
	run_block helm-uninstall
	gone namespace $NS || fail "the namespace is still there"
	! kubectl get crd -o name | grep -F countersign.dev || fail "CRDs are still there"
	pass "helm uninstall"
}

# ---- rights -------------------------------------------------------------------------------

may() {
	kubectl auth can-i --quiet --as "system:serviceaccount:$NS:$1" "${@:2}" 2>/dev/null
}

# auth can-i takes no name with a slash.
may_sign() {
	kubectl create -o 'jsonpath={.status.allowed}' -f - <<-EOF | grep -qx true
		apiVersion: authorization.k8s.io/v1
		kind: SubjectAccessReview
		spec:
		  user: system:serviceaccount:$NS:$1
		  resourceAttributes: {verb: sign, group: certificates.k8s.io, resource: signers,
		    name: countersign.dev/node}
	EOF
}

rights() {
	local account verb

	for verb in 'list pods -A' 'watch nodes' 'list networkpolicies.networking.k8s.io -A' \
		'watch identitypolicies.countersign.dev -A' 'create nodeidentities.countersign.dev' \
		'create certificatesigningrequests.certificates.k8s.io'; do
		# shellcheck disable=SC2086 # words
		may countersign $verb || fail "the agent may not $verb"
	done
	for account in countersign countersign-signer; do
		for verb in "get secrets -n $NS" 'list secrets -A' 'create pods -A' 'create pods/exec -A' \
			'update nodes' 'create clusterrolebindings.rbac.authorization.k8s.io' \
			'update identitypolicies.countersign.dev -A' 'create serviceaccounts/token -A' \
			"update daemonsets.apps -n $NS" 'impersonate users'; do
			# shellcheck disable=SC2086 # words
			! may $account $verb || fail "$account may $verb"
		done
	done
	! may_sign countersign || fail "every agent may sign"
	may_sign countersign-signer || fail "the signer may not sign"
	pass "agents may what they need, and not read secrets, run in pods, or change policy and nodes"
}

tests/kube/build.sh kube-controller-manager helm || exit
[ -x build/countersign ] || skip "build first: make build"
cluster_start
cluster start-controllers
make_tree
play_nodes node-a node-b node-cp=control-plane
start played play
all_crds_are_listed
kubectl apply --server-side -f deploy/base/namespace.yaml >/dev/null
schema
dry_runs
pods_are_accepted
kubectl delete namespace $NS >/dev/null
installs
rights
upgrades
uninstalls
with_helm
