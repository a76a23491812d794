#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a directory that is all that the programs need of a system: themselves, the libraries
# that they load, and the files that those read. deploy/Dockerfile makes the image of it.
#
#	tools/image-root.sh PROGRAM... DIRECTORY
set -euo pipefail

[ $# -ge 2 ] || {
	echo "usage: tools/image-root.sh PROGRAM... DIRECTORY" >&2
	exit 2
}
root=${*: -1}
set -- "${@:1:$#-1}"

# What ldd does not tell: OpenSSL's built-in providers need no file; libcurl's CA file is for
# API servers that are named in a kubeconfig without one.
readonly CERTIFICATES=/etc/ssl/certs/ca-certificates.crt

# A library where the loader looks for it, links followed.
add_library() {
	local library=$1 to=$root${1#/usr}

	to=$root/usr${1#/usr}
	[ -e "$to" ] || install -D -m 0755 "$(readlink -f "$library")" "$to"
}

add_program() {
	local program=$1 directory=usr/bin

	[ "${program##*/}" != countersignd ] || directory=usr/sbin
	install -D -m 0755 "$program" "$root/$directory/${program##*/}"
	strip "$root/$directory/${program##*/}"
	ldd "$program" | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' |
		while IFS= read -r library; do
			add_library "$library"
		done
}

rm -rf "$root"
mkdir -p "$root"/{etc,proc,sys,dev,run,tmp,usr/lib,usr/lib64,var/lib}
# As Debian has them: the loader's name is /lib64/ld-linux-...
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
for program; do
	[ -x "$program" ] || {
		echo "image-root: no such program: $program" >&2
		exit 1
	}
	add_program "$program"
done
printf 'root:x:0:0:root:/:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
[ ! -e "$CERTIFICATES" ] || install -D -m 0644 "$CERTIFICATES" "$root$CERTIFICATES"
ldconfig -r "$root" 2>/dev/null || true
chmod -R a-w "$root"
