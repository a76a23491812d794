#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Packs the kubectl plugin of this build for krew: build/krew/kubectl-countersign-OS-ARCH.tar.gz
# and build/krew/countersign.yaml, the manifest with the checksums of all archives that are
# there. Archives of other machines' builds may be put beside it first.
#
#	tools/krew.sh URL    URL: where the archives will be found, without their names
#
#	kubectl krew install --manifest build/krew/countersign.yaml --archive build/krew/*.tar.gz
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OUT=build/krew

[ $# -eq 1 ] || {
	echo "usage: tools/krew.sh URL" >&2
	exit 2
}
[ -x build/countersign ] || {
	echo "krew: build first: make build" >&2
	exit 1
}

arch() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# The same input gives the same bytes.
pack() {
	local tree=$OUT/tree

	rm -rf "$tree"
	install -D -m 0755 build/countersign "$tree/kubectl-countersign"
	strip "$tree/kubectl-countersign"
	install -m 0755 tools/completion/kubectl_complete-countersign "$tree/"
	install -m 0644 tools/completion/countersign.bash LICENSE LICENSES/Apache-2.0.txt "$tree/"
	tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime='@0' \
		--directory "$tree" . | gzip -n >"$OUT/kubectl-countersign-linux-$(arch).tar.gz"
	rm -r "$tree"
}

platform() {
	local archive=$1 name=${1##*/} arch

	arch=${name#kubectl-countersign-linux-}
	cat <<-EOF
		  - selector:
		      matchLabels: {os: linux, arch: ${arch%.tar.gz}}
		    uri: $url/$name
		    sha256: $(sha256sum "$archive" | cut -d' ' -f1)
		    bin: kubectl-countersign
	EOF
}

url=${1%/}
mkdir -p $OUT
pack
{
	cat deploy/krew/countersign.yaml
	# krew wants semantic versions, with a v.
	echo "  version: v$(tools/version.sh)"
	echo "  platforms:"
	for archive in "$OUT"/*.tar.gz; do
		platform "$archive"
	done
} >$OUT/countersign.yaml
ls $OUT/*
