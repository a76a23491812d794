#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds what the tests with a real API server need, from Go modules as tests/kube/go.mod and
# go.sum pin them, into build/kube/bin: etcd, kube-apiserver, kubectl, helm, lab-kubelet and kube-sim.
# Beside them, in crds/, are the CustomResourceDefinitions of the network policy API group.
# With KUBEBUILDER_ASSETS set, what is in that folder is taken from there. Nothing is built
# again before go.mod, go.sum or the source of lab-kubelet and kube-sim change. Ends with 77 after saying why it
# cannot.
#
#	tests/kube/build.sh [PROGRAM|crds]...    default: all but kube-controller-manager, which only
#	                                         `cluster.sh start-controllers` needs
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly MODULE=tests/kube BIN=build/kube/bin
readonly BUILD_S=3600
readonly SKIPPED=77

declare -Ar PACKAGES=(
	[etcd]=go.etcd.io/etcd/server/v3
	[kube-apiserver]=k8s.io/kubernetes/cmd/kube-apiserver
	[kube-controller-manager]=k8s.io/kubernetes/cmd/kube-controller-manager
	[kubectl]=k8s.io/kubernetes/cmd/kubectl
	[lab-kubelet]=./kubelet
	[kube-sim]=./sim
	[helm]=helm.sh/helm/v4/cmd/helm
)
readonly ORDER=(etcd kube-apiserver kubectl lab-kubelet kube-sim helm)

# ClusterNetworkPolicy; AdminNetworkPolicy and its baseline, which later versions do not have.
readonly CRDS_MODULE=sigs.k8s.io/network-policy-api
declare -Ar CRDS=(
	[v0.3.0]=h1:RL6fVXiix9IW1pj0ImkW645m+EWmb3dBGCiW19bg5+k=
	[v0.1.7]=h1:obY2FTEidLXVdRYu7gJ4q1RYE57pBnrpMqoE2LZgp4g=
)

fail() {
	echo "not ok - $*" >&2
	exit 1
}

skip() {
	echo "skipped: $*"
	exit "$SKIPPED"
}

go_is_new_enough() {
	local wanted have

	wanted=$(sed -n 's/^go //p' $MODULE/go.mod)
	have=$(go env GOVERSION)
	[ "$(printf '%s\n' "$wanted" "${have#go}" | sort -V | head -n 1)" = "$wanted" ]
}

need_go() {
	export GOTOOLCHAIN=local
	command -v go >/dev/null ||
		skip "no Go toolchain to build $1 with; or set KUBEBUILDER_ASSETS"
	if ! go_is_new_enough; then
		[ "${CI:-}" != true ] || fail "this Go is too old for $1: $(go version)"
		skip "this Go is too old for $1: $(go version)"
	fi
}

version_of() {
	sed -nE "s|^\t$1 (v[^ ]*).*|\1|p" $MODULE/go.mod | head -n 1
}

# The programs say which version they are as releases do: clients and servers compare it.
linker_flags() {
	local version minor package flags="-s -w"

	version=$(version_of k8s.io/kubernetes)
	minor=${version#v1.}
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1"
		flags+=" -X $package.gitMinor=${minor%%.*} -X $package.gitTreeState=clean"
	done
	flags+=" -X helm.sh/helm/v4/internal/version.version=$(version_of helm.sh/helm/v4)"
	echo "$flags"
}

# What a program is made from, as one word.
inputs() {
	local files=("$MODULE/go.mod" "$MODULE/go.sum")

	[ "$1" != crds ] || files=(/dev/stdin)
	[ "$1" != lab-kubelet ] || files+=("$MODULE"/kubelet/*.go)
	[ "$1" != kube-sim ] || files+=("$MODULE"/sim/*.go)
	cat "${files[@]}" <<<"${CRDS[*]}" | sha256sum | cut -d' ' -f1
}

is_built() {
	[ -x "$BIN/$1" ] && [ "$(cat "$BIN/.$1.inputs" 2>/dev/null)" = "$(inputs "$1")" ]
}

take() {
	rm -f "$BIN/.$1.inputs"
	ln -sfn "$(realpath "$KUBEBUILDER_ASSETS")/$1" "$BIN/$1"
}

# A symbolic link may be left from a run with KUBEBUILDER_ASSETS: it is not written through.
build() {
	local begun=$SECONDS made

	need_go "$1"
	echo "building $1, which takes minutes the first time"
	rm -f "$BIN/$1"
	made=$(inputs "$1")
	(cd $MODULE && CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=readonly" nice timeout $BUILD_S \
		go build -trimpath -tags grpcnotrace -ldflags "$(cd "$OLDPWD" && linker_flags)" \
		-o "$OLDPWD/$BIN/$1" "${PACKAGES[$1]}") || fail "$1 cannot be built"
	echo "$made" >"$BIN/.$1.inputs"
	echo "built $1 in $((SECONDS - begun)) s"
}

# Only files are wanted from these modules, so they are no part of go.mod.
fetch_crds() {
	local version said from channel

	need_go crds
	rm -rf "$BIN/crds" # or a link
	for version in "${!CRDS[@]}"; do
		said=$(cd / && go mod download -json "$CRDS_MODULE@$version") ||
			fail "$CRDS_MODULE $version cannot be fetched"
		grep -qF "\"Sum\": \"${CRDS[$version]}\"" <<<"$said" ||
			fail "$CRDS_MODULE $version is not what it was"
		from=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$said")
		for channel in standard experimental; do
			mkdir -p "$BIN/crds/$channel"
			cp "$from/config/crd/$channel"/policy.*.yaml "$BIN/crds/$channel/"
		done
	done
	chmod -R u+w "$BIN/crds"
	inputs crds >"$BIN/.crds.inputs"
}

[ $# -gt 0 ] || set -- "${ORDER[@]}" crds
mkdir -p "$BIN"
for program; do
	[ "$program" = crds ] || [ -n "${PACKAGES[$program]:-}" ] || fail "no such program: $program"
	if [ -x "${KUBEBUILDER_ASSETS:-/nowhere}/$program" ]; then
		take "$program"
	elif is_built "$program"; then
		continue
	elif [ "$program" = crds ]; then
		fetch_crds
	else
		build "$program"
	fi
done
