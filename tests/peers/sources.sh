#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The sources files: and ca: as real tools use them: files that are renamed into place or
# written over one after the other, as spiffe-helper does; a folder that a symbolic link is
# swung to, as the kubelet does; and the built-in CA, with renewal and revocation.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/peers/common.sh
. tests/peers/common.sh

readonly COUNTERSIGN=build/countersign
readonly NODE_ID=spiffe://example.org/countersign/node/host-a
readonly SOON_S=10
readonly LIFETIME_S=8

# $1: folder that gets ca.crt, tls.crt, tls.key
issue() {
	"$COUNTERSIGN" ca issue "$dir/ca" --spiffe-id $NODE_ID --out "$1" --lifetime 1h \
		>>"$dir/cli.log" 2>&1 || fail "ca issue"
}

# $1: folder
serial_in() {
	openssl x509 -in "$1" -noout -serial | sed 's/^serial=0*//' | tr 'A-F' 'a-f'
}

serial_is() {
	[ "$(last serial)" = "$1" ]
}

# One file after the other, each complete at once, as spiffe-helper's names.
put_renamed() {
	local from=$1 to=$2 pair

	for pair in tls.crt:svid.pem tls.key:svid_key.pem ca.crt:svid_bundle.pem; do
		cp -p "$from/${pair%:*}" "$to/.new"
		mv "$to/.new" "$to/${pair#*:}"
		sleep "${3:-0}"
	done
}

files_renamed() {
	local at

	mkdir "$dir/helper"
	watch_start "files:$dir/helper" example.org host-a
	within $SOON_S "an empty folder is an error" seen_after 0 '"event":"error"'
	issue "$dir/one"
	put_renamed "$dir/one" "$dir/helper"
	within $SOON_S "the first SVID" serial_is "$(serial_in "$dir/one/tls.crt")"
	pass "files: first SVID from spiffe-helper's names"
	issue "$dir/two"
	at=$(lines)
	# Slow enough that certificate and key do not fit together in between.
	put_renamed "$dir/two" "$dir/helper" 0.3
	within $SOON_S "the second SVID" serial_is "$(serial_in "$dir/two/tls.crt")"
	seen_after "$at" '"event":"error".*"held":"'"$(serial_in "$dir/one/tls.crt")"'"' >/dev/null ||
		fail "the certificate without its key was no error"
	pass "files: renamed one by one: the old SVID is held until key and certificate fit"
}

files_written_over() {
	local at held

	at=$(lines)
	held=$(last serial)
	issue "$dir/three"
	printf 'not PEM' >"$dir/helper/svid.pem"
	within $SOON_S "rubbish is an error" seen_after "$at" "\"event\":\"error\".*\"held\":\"$held\""
	cat "$dir/three/tls.key" >"$dir/helper/svid_key.pem"
	cat "$dir/three/tls.crt" >"$dir/helper/svid.pem"
	within $SOON_S "the third SVID" serial_is "$(serial_in "$dir/three/tls.crt")"
	pass "files: written over in place: rubbish changes nothing, the next SVID arrives"
	watch_stop 200
}

files_link() {
	mv "$dir/watch.json" "$dir/helper.json"
	mkdir "$dir/volume" "$dir/volume/..1" "$dir/volume/..2"
	cp -p "$dir/one"/* "$dir/volume/..1/"
	cp -p "$dir/two"/* "$dir/volume/..2/"
	ln -s ..1 "$dir/volume/..data"
	ln -s ..data/tls.crt ..data/tls.key ..data/ca.crt "$dir/volume/"
	watch_start "files:$dir/volume" example.org host-a
	within $SOON_S "the linked SVID" serial_is "$(serial_in "$dir/one/tls.crt")"
	ln -s ..2 "$dir/volume/..data_tmp"
	mv -T "$dir/volume/..data_tmp" "$dir/volume/..data"
	within $SOON_S "the other linked SVID" serial_is "$(serial_in "$dir/two/tls.crt")"
	pass "files: a link swung over, as the kubelet does"
	[ "$(grep -c '"event":"error"' "$dir/watch.json")" -eq 0 ] || fail "there was an error"
	watch_stop 100
}

builtin_ca() {
	local serial at n

	mv "$dir/watch.json" "$dir/volume.json"
	watch_start "ca:$dir/ca" example.org host-a $LIFETIME_S
	within $SOON_S "the first SVID" seen_after 0 '"event":"credential"'
	serial=$(last serial)
	within $LIFETIME_S "a first renewal" serial_is_not "$serial"
	serial=$(last serial)
	within $LIFETIME_S "a second renewal" serial_is_not "$serial"
	pass "ca: renewed twice at about half of $LIFETIME_S s"
	at=$(lines)
	"$COUNTERSIGN" ca revoke "$dir/ca" --serial "$(serial_in "$dir/one/tls.crt")" \
		>>"$dir/cli.log" 2>&1
	within $SOON_S "the revocation list" seen_after "$at" '"n_crls":1'
	pass "ca: the revocation list arrived"
	n=$(no_gap) || fail "$n"
	pass "ca: no gap over $n credentials"
	watch_stop 100
}

command -v openssl >/dev/null || skip "no openssl command to read certificates with"
"$COUNTERSIGN" ca init "$dir/ca" --trust-domain example.org >"$dir/cli.log" 2>&1 || fail "ca init"
files_renamed
files_written_over
files_link
builtin_ca
