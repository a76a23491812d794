#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that are missing, and nothing else. Quick and offline when
# none is. No service is started, and none that this script brought is left enabled.
#
#	tools/deps.sh [build|test|demo|fuzz|check|peers|kube]...    install what these need; without names all but fuzz, peers, kube
#	tools/deps.sh --list [name]...              print the packages
#	tools/deps.sh --toolchain COMMAND...        only say whether these commands exist
set -euo pipefail

declare -Ar PACKAGES=(
	[build]="gcc libc6-dev make pkg-config clang bpftool libbpf-dev libelf-dev zlib1g-dev
		libjansson-dev libyaml-dev libevent-dev libssl-dev libcap-dev libnghttp2-dev
		libprotobuf-c-dev protobuf-c-compiler libcurl4-openssl-dev"
	[test]="libcriterion-dev libasan8 libubsan1 iproute2 nftables procps python3"
	[demo]="nginx redis-server redis-tools curl iproute2 nftables procps python3"
	[kube]="curl openssl iproute2 python3 crun golang-github-containers-common"
	[peers]="swtpm tpm2-openssl tpm2-tools libtss2-tcti-swtpm0 openssl"
	[fuzz]="libclang-rt-14-dev"
	[check]="clang-format cppcheck shellcheck universal-ctags"
)
readonly SERVICES=(nginx redis-server)
readonly POLICY=/usr/sbin/policy-rc.d

fail() {
	printf 'deps: %s\n' "$@" >&2
	exit 1
}

toolchain() {
	local command missing=()

	for command; do
		command -v "$command" >/dev/null || missing+=("$command")
	done
	[ ${#missing[@]} -eq 0 ] || fail "missing: ${missing[*]}" "run: make deps (as root)"
}

wanted() {
	local group

	for group; do
		[ -n "${PACKAGES[$group]:-}" ] || fail "no such group: $group (${!PACKAGES[*]})"
		# shellcheck disable=SC2086 # the words are the packages
		printf '%s\n' ${PACKAGES[$group]}
	done | sort -u
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | sort -u)" = installed ]
}

missing() {
	local package

	for package; do
		installed "$package" || echo "$package"
	done
}

apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# Packages that start their service when installed ask policy-rc.d first: 101 means no.
forbid_services() {
	[ ! -e "$POLICY" ] || return 0
	trap '"${as_root[@]}" rm -f "$POLICY"' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$POLICY" >/dev/null
	"${as_root[@]}" chmod 0755 "$POLICY"
}

# A service that came with this run would start with the next boot.
disable_services() {
	local service

	command -v systemctl >/dev/null || return 0
	for service in "${SERVICES[@]}"; do
		[[ " $* " != *" $service "* ]] ||
			"${as_root[@]}" systemctl --quiet disable "$service" || true
	done
}

install() {
	local packages=("$@")

	echo "deps: installing ${packages[*]}"
	forbid_services
	if ! apt install --no-install-recommends -y "${packages[@]}" 2>/dev/null; then
		apt update || fail "apt-get update failed: look at the network and the sources list"
		apt install --no-install-recommends -y "${packages[@]}" ||
			fail "apt-get could not install: ${packages[*]}" \
				"look at its message above, then run: make deps"
	fi
	disable_services "${packages[@]}"
}

as_root=()
[ $# -gt 0 ] || set -- build test demo check
case $1 in
--toolchain)
	shift
	toolchain "$@"
	exit
	;;
--list)
	shift
	[ $# -gt 0 ] || set -- "${!PACKAGES[@]}"
	wanted "$@"
	exit
	;;
esac

list=$(wanted "$@")
command -v dpkg-query >/dev/null ||
	fail "this is not Debian: install what these Debian packages hold:" "${list//$'\n'/ }"
# shellcheck disable=SC2086 # one package per word
mapfile -t packages < <(missing $list)
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || fail "missing: ${packages[*]}" "run as root: make deps"
	as_root=(sudo)
fi
install "${packages[@]}"
