# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the test scripts of this folder share: each has an API server of its own in $kube, which
# ends with the script.
# shellcheck source=tests/common.sh
. tests/common.sh

readonly BIN=build/kube/bin # what tests/kube/build.sh built, or took from KUBEBUILDER_ASSETS
readonly kube=$dir/kube

cluster() {
	local command=$1

	shift
	tests/kube/cluster.sh "$command" "$kube" "$@"
}

kubectl() {
	"$BIN/kubectl" --kubeconfig "$kube/admin.kubeconfig" "$@"
}

# $@: options of `cluster.sh start`
# shellcheck disable=SC2120
cluster_start() {
	tests/kube/build.sh || exit
	cluster start --while $$ "$@" || fail "the API server does not start"
	trap 'cluster stop || true; cleanup' EXIT
}

# The project's CRDs, served.
crds_apply() {
	kubectl apply --server-side -f policy/crds >/dev/null
	kubectl wait --for condition=Established --timeout 30s -f policy/crds >/dev/null
}
