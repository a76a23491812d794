#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A private key in a TPM: a software TPM (swtpm) behind OpenSSL's provider tpm2, through
# countersign's own code (build/key-uri). The key is made in the TPM and kept there; a CA of
# OpenSSL's command line issues an SVID for it; our code opens it by URI, takes it as the key
# of that SVID, signs with it, and refuses what it should.
#
#	tests/peers/tpm.sh    exit code 0: all is well, 1: it is not, 77: skipped, with the reason
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly HANDLE=0x81000001
readonly ID=spiffe://example.org/countersign/node/host-a
tmp=$(mktemp -d)
pid=

cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT

skip() {
	echo "skipped: $1"
	exit 77
}

fail() {
	echo "failed: $1" >&2
	exit 1
}

for command in swtpm tpm2_createprimary tpm2_evictcontrol openssl; do
	command -v "$command" >/dev/null || skip "$command is not installed (tools/deps.sh peers)"
done
[ -e "$(openssl version -m | cut -d '"' -f 2)/tpm2.so" ] ||
	skip "OpenSSL's provider tpm2 is not installed (tpm2-openssl)"
[ -x build/key-uri ] || skip "build/key-uri is missing (make build)"

start_tpm() {
	mkdir "$tmp/state"
	swtpm socket --tpm2 --tpmstate dir="$tmp/state" --flags not-need-init,startup-clear \
		--server type=unixio,path="$tmp/tpm.sock" --ctrl type=unixio,path="$tmp/tpm.sock.ctrl" 2>/dev/null &
	pid=$!
	for _ in {1..50}; do
		[ ! -S "$tmp/tpm.sock" ] || return 0
		sleep 0.1
	done
	fail "swtpm does not start"
}

# One connection at a time is all that swtpm takes; each command makes its own.
export TPM2TOOLS_TCTI="swtpm:path=$tmp/tpm.sock" TPM2OPENSSL_TCTI="swtpm:path=$tmp/tpm.sock"

make_key() {
	tpm2_createprimary -Q -C o -G ecc -c "$tmp/primary"
	tpm2_create -Q -C "$tmp/primary" -G ecc256:ecdsa-sha256 -u "$tmp/pub" -r "$tmp/priv" \
		-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
	tpm2_flushcontext -t
	tpm2_load -Q -C "$tmp/primary" -u "$tmp/pub" -r "$tmp/priv" -c "$tmp/key"
	tpm2_flushcontext -t
	tpm2_evictcontrol -Q -C o -c "$tmp/key" "$HANDLE"
	tpm2_flushcontext -t
	tpm2_readpublic -Q -c "$HANDLE" -f pem -o "$tmp/public.pem"
}

issue() {
	build/countersign ca init "$tmp/ca" --trust-domain example.org >/dev/null
	printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
		"subjectAltName=URI:$ID" >"$tmp/extensions"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=node \
		-keyout /dev/null -out "$tmp/request" 2>/dev/null
	openssl x509 -req -in "$tmp/request" -force_pubkey "$tmp/public.pem" -days 1 \
		-CA "$tmp/ca/ca.crt" -CAkey "$tmp/ca/ca.key" -extfile "$tmp/extensions" \
		-out "$tmp/tls.crt" 2>/dev/null
	mkdir "$tmp/files"
	cp "$tmp/tls.crt" "$tmp/ca/ca.crt" "$tmp/files/"
}

expect() {
	local want=$1 says=$2
	shift 2
	local code=0 out
	out=$(timeout 60 build/key-uri "$@" 2>&1) || code=$?
	[[ $code == "$want" && $out == *"$says"* ]] ||
		fail "key-uri $*: exit code $code, \"$out\"; wanted $want, \"$says\""
	echo "ok - $out"
}

start_tpm
make_key
issue
expect 0 "signed and verified" "handle:$HANDLE" tpm2 "$tmp/files" host-a
expect 1 "this node is" "handle:$HANDLE" tpm2 "$tmp/files" host-b
expect 1 "key URI handle:" handle:0x81000077 tpm2 "$tmp/files" host-a
build/countersign ca issue "$tmp/ca" --spiffe-id "$ID" --out "$tmp/files" >/dev/null
rm "$tmp/files/tls.key"
expect 1 "not that of the certificate" "handle:$HANDLE" tpm2 "$tmp/files" host-a
echo 'all is well: a key in a TPM, by OpenSSL provider tpm2'
