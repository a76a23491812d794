#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make kernels: boots each kernel of tests/vm/kernels in a small virtual machine, has its
# verifier count the instructions of every BPF program, and runs the tests of
# tests/vm/checks there. No kernel is installed: packages are unpacked below build/vm.
# Prints a table and leaves it in build/vm/report.txt. Exit code 0 only when no program
# was refused or above the budget, no check failed, and at least one kernel was seen; one
# that cannot be fetched or booted is a SKIP with its reason.
#
#	tools/kernels.sh [--all|--programs] [NAME]...    names of tests/vm/kernels
#		--all: every test of test-lab as well; --programs: only ask the verifier
set -euo pipefail
cd "$(dirname "$0")/.."

readonly BUILD=${COUNTERSIGN_BUILD:-$PWD/build}
readonly VM=$BUILD/vm
readonly GUEST=$VM/guest # what every guest's root file system holds
readonly MIRROR=${MIRROR:-http://deb.debian.org/debian}
readonly SECURITY=${SECURITY_MIRROR:-http://deb.debian.org/debian-security}
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly BUDGET=20000 # instructions that the verifier walks, per program
readonly SECONDS_MAX=${KERNELS_SECONDS:-900} # one guest, start to end
readonly MEMORY=1536
readonly MODULES=(drivers/net/veth.ko net/802 net/8021q net/bridge net/core net/ipv4 net/ipv6
	net/llc net/mptcp net/netfilter net/packet net/sched net/sctp net/unix lib crypto arch/x86/crypto)

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "kernels: $*"
	exit 2
}

# ---- packages -----------------------------------------------------------------------

# apt with lists and cache of its own: nothing of the machine's is touched.
own_apt() {
	"$@" -o Dir::Etc::sourcelist="$VM/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$VM/apt/lists" -o Dir::State::status=/dev/null \
		-o Dir::Cache="$VM/apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root
}

apt_suites() {
	local suite

	[ -z "$(find "$VM/apt/names" -mtime -1 -size +0 2>/dev/null)" ] || return 0
	mkdir -p "$VM"/apt/{lists,cache/archives}/partial "$VM/debs"
	for suite in bookworm bookworm-backports sid; do
		echo "deb [signed-by=$KEYRING] $MIRROR $suite main"
	done >"$VM/apt/sources.list"
	echo "deb [signed-by=$KEYRING] $SECURITY bookworm-security main" >>"$VM/apt/sources.list"
	# What cannot be reached shows later, as a package that is not there.
	own_apt apt-get -qq update >"$VM/apt/log" 2>&1 || true
	own_apt apt-cache pkgnames | grep -E '^(linux-|busybox-static$)' >"$VM/apt/names" || true
}

# The newest package whose whole name matches $1.
newest() {
	grep -xE "$1" "$VM/apt/names" | sort -V | tail -n 1
}

# Puts programs, kernel and modules of package $1 below $2; a package is fetched once.
# Nothing else: the Makefile takes every *.d below build/ for its own.
unpack() {
	local deb

	deb=$(find "$VM/debs" -name "$1_*.deb" | sort -V | tail -n 1)
	if [ -z "$deb" ]; then
		(cd "$VM/debs" && own_apt apt-get -qq download "$1") >>"$VM/apt/log" 2>&1 || return 1
		deb=$(find "$VM/debs" -name "$1_*.deb")
	fi
	mkdir -p "$2"
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$2" \
		./bin ./boot ./lib/modules ./usr/bin ./usr/lib/modules \
		2>/dev/null || true # most packages lack some of these
}

# ---- the guest ----------------------------------------------------------------------

# A program and every library it needs, at the places they have here.
copy_program() {
	local file

	cp -L "$1" "$GUEST/$2"
	ldd "$1" 2>/dev/null | grep -o '/[^ )]*' | while IFS= read -r file; do
		mkdir -p "$GUEST${file%/*}"
		cp -nL "$file" "$GUEST$file"
	done
}

make_guest() {
	local name

	unpack busybox-static "$VM/busybox" || die "cannot fetch busybox-static: see $VM/apt/log"
	BUSYBOX=$(find "$VM/busybox" -type f -path "*bin/busybox")
	rm -rf "$GUEST"
	mkdir -p "$GUEST"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,etc,root,lib,lib64,countersign}
	cp "$BUSYBOX" "$GUEST/bin/"
	"$BUSYBOX" --list | grep -vxE 'busybox|ip' | while IFS= read -r name; do
		ln -s busybox "$GUEST/bin/$name"
	done
	ln -s ../bin/busybox "$GUEST/sbin/modprobe" # the kernel asks for modules by this path
	for name in countersignd countersign traffic peer_server test-lab; do
		copy_program "$BUILD/$name" "countersign/$name"
	done
	copy_program "$VM/verifier" countersign/verifier
	copy_program "$(command -v ip)" bin/ip
	copy_program "$(command -v nft)" bin/nft
	install -m 0755 tests/vm/init.sh "$GUEST/init"
	[ "$EXTENT" = programs ] || grep -v '^#' tests/vm/checks >"$GUEST/checks"
	[ "$EXTENT" != all ] || echo 'everything *' >>"$GUEST/checks"
	touch "$GUEST/checks"
	archive "$GUEST" >"$VM/guest.cpio"
}

archive() {
	(cd "$1" && find . | "$BUSYBOX" cpio -o -H newc 2>/dev/null)
}

make_verifier() {
	gcc -std=gnu11 -Wall -Wextra -Werror -O2 -I. -Iinclude -I"$BUILD/gen" -o "$VM/verifier" \
		tests/vm/verifier.c -lbpf
}

# The modules of the kernel unpacked in $1, release $2, as an archive that adds to the guest's.
module_archive() {
	local from=$1 release=$2 to=$1/modules part

	[ ! -d "$from/lib/modules" ] || from=$from/lib/modules/$release
	[ ! -d "$from/usr/lib/modules" ] || from=$from/usr/lib/modules/$release
	rm -rf "$to"
	mkdir -p "$to/lib/modules/$release/kernel"
	cp "$from"/modules.* "$to/lib/modules/$release/" 2>/dev/null || true # newer packages have none
	for part in "${MODULES[@]}"; do
		(cd "$from/kernel" && find . -path "./$part*" -name '*.ko*' -print0 |
			cpio_pass "$to/lib/modules/$release/kernel")
	done
	find "$to" -name '*.ko.xz' -exec xz -d {} +
	"$BUSYBOX" depmod -b "$to" "$release"
	archive "$to"
}

cpio_pass() {
	xargs -0 -r cp --parents -t "$1"
}

# ---- one kernel ---------------------------------------------------------------------

# Everything it takes to boot kernel $1, made of packages matching the rest. Prints why not.
prepare() {
	local name=$1 tree=$VM/$1 pattern package release

	rm -rf "$tree"
	for pattern in "${@:2}"; do
		package=$(newest "$pattern")
		[ -n "$package" ] || { echo "apt finds no package $pattern" && return 1; }
		unpack "$package" "$tree" || { echo "$package cannot be fetched" && return 1; }
	done
	find "$tree" -path '*vmlinuz*' -type f -exec cp {} "$tree/vmlinuz" \;
	[ -s "$tree/vmlinuz" ] || { echo "no vmlinuz in $package" && return 1; }
	release=$(find "$tree" -path '*/lib/modules/*' -prune -printf '%f\n' | head -n 1)
	module_archive "$tree" "$release" >"$tree/modules.cpio"
	cat "$VM/guest.cpio" "$tree/modules.cpio" >"$tree/initramfs" ||
		{ echo "cannot write $tree/initramfs" && return 1; }
}

# KVM of a nested machine may hang, and -cpu max panics 6.12: plain emulation of a Haswell.
boot() {
	local tree=$VM/$1

	: >"$tree/found"
	nice -n 19 timeout "$SECONDS_MAX" qemu-system-x86_64 -accel tcg -cpu Haswell -smp 1 \
		-m $MEMORY -nodefaults -display none -no-reboot \
		-kernel "$tree/vmlinuz" -initrd "$tree/initramfs" \
		-append 'console=ttyS0 panic=-1 quiet' \
		-serial "file:$tree/console" -serial "file:$tree/found" 2>"$tree/qemu" </dev/null
}

# ---- the table ----------------------------------------------------------------------

bad=0 seen=0

skip() {
	printf '%-8s SKIP     %s\n' "$1" "$2"
}

show_programs() {
	local name=$1 program insns note

	while read -r _ program insns; do
		note=ok
		[ "$insns" != refused ] || note=REFUSED
		[ "$note" = REFUSED ] || [ "$insns" -le $BUDGET ] || note=ABOVE
		[ $note = ok ] || bad=$((bad + 1))
		printf '%-8s %-8s program %-28s %8s of %s\n' "$name" $note "$program" "$insns" $BUDGET
	done < <(grep '^program ' "$VM/$name/found")
}

show_checks() {
	local name=$1 check result rest

	while read -r _ check result rest; do
		[ "$result" != FAILED ] || bad=$((bad + 1))
		printf '%-8s %-8s check   %-28s %s\n' "$name" "$result" "$check" "$rest"
	done < <(grep '^check ' "$VM/$name/found")
}

# The kernel's last word, or the emulator's.
why_not() {
	cat "$1/qemu" "$1/console" 2>/dev/null | tr -d '\r' |
		awk '{ last = $0 } /panic|BUG|rror/ { word = $0 } END { print word ? word : last }'
}

show() {
	local name=$1 took=$2 release

	release=$(sed -n 's/^kernel //p' "$VM/$name/found")
	if [ -z "$release" ]; then
		skip "$name" "does not boot: $(why_not "$VM/$name")"
		return
	fi
	seen=$((seen + 1))
	printf '%-8s %-8s kernel  %s, %s s\n' "$name" seen "$release" "$took"
	show_programs "$name"
	show_checks "$name"
	grep -q '^end' "$VM/$name/found" || {
		bad=$((bad + 1))
		printf '%-8s FAILED   the guest did not come to its end: see %s\n' "$name" "$VM/$name/console"
	}
}

run() {
	local name=$1 reason begin=$SECONDS

	if ! reason=$(prepare "$@"); then
		skip "$name" "$reason"
		return
	fi
	begin=$SECONDS
	boot "$name" || true
	tr -d '\r' <"$VM/$name/found" >"$VM/$name/found.text"
	mv "$VM/$name/found.text" "$VM/$name/found"
	show "$name" $((SECONDS - begin))
}

wanted() {
	[ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" $1 "* ]]
}

matrix() {
	local line

	while read -r -a line <&3; do
		! wanted "${line[0]}" || run "${line[@]}"
	done 3< <(grep -v '^#' tests/vm/kernels)
	echo "$seen kernels seen, $bad bad"
	[ $bad -eq 0 ] && [ $seen -gt 0 ]
}

EXTENT=checks names=()
for word; do
	case $word in
	--all | --programs) EXTENT=${word#--} ;;
	-*) die "usage: tools/kernels.sh [--all|--programs] [NAME]..." ;;
	*) names+=("$word") ;;
	esac
done
for command in qemu-system-x86_64 gcc ip nft xz; do
	command -v "$command" >/dev/null || die "no $command: apt-get install qemu-system-x86 gcc iproute2 nftables xz-utils"
done
mkdir -p "$VM"
apt_suites
make_verifier
make_guest
matrix | tee "$VM/report.txt"
