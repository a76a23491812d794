#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The source spiffe: with a real SPIRE: first SVID, rotation, restarts of agent and server, new
# authorities, a federated trust domain. SPIRE is built from its Go modules, as go.mod and
# go.sum in tests/peers/spire pin them, into build/peers; or SPIRE_BIN names the folder with
# spire-server and spire-agent. All of it listens on Unix sockets and 127.0.0.1 only.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/peers/common.sh
. tests/peers/common.sh

readonly MODULE=tests/peers/spire
readonly BUILD_S=3000 START_S=60
readonly TTL_S=30 # of an SVID: the agent has a new one after about half of that
readonly ROTATE_S=$((TTL_S + 15))
readonly BACKOFF_S=75 # the longest wait between two attempts, and then some
readonly NODE_ID=spiffe://example.org/countersign/node/host-a

# ---- SPIRE --------------------------------------------------------------------------

go_is_new_enough() {
	local wanted have

	wanted=$(sed -n 's/^go //p' $MODULE/go.mod)
	have=$(go env GOVERSION)
	[ "$(printf '%s\n' "$wanted" "${have#go}" | sort -V | head -n 1)" = "$wanted" ]
}

find_spire() {
	local version

	version=$(sed -n 's/^require github.com\/spiffe\/spire //p' $MODULE/go.mod)
	bin=${SPIRE_BIN:-build/peers/spire-$version}
	[ -x "$bin/spire-server" ] && [ -x "$bin/spire-agent" ] && return
	[ -z "${SPIRE_BIN:-}" ] || fail "SPIRE_BIN=$SPIRE_BIN has no spire-server and spire-agent"
	command -v go >/dev/null || skip "no Go toolchain to build SPIRE with; or set SPIRE_BIN"
	export GOTOOLCHAIN=local
	if ! go_is_new_enough; then
		[ "${CI:-}" != true ] || fail "this Go is too old for SPIRE: $(go version)"
		skip "this Go is too old for SPIRE: $(go version)"
	fi
	echo "building SPIRE $version, which takes minutes the first time"
	mkdir -p "$bin"
	bin=$(realpath "$bin")
	(cd $MODULE && GOFLAGS="-buildvcs=false -mod=readonly" nice timeout $BUILD_S go build \
		-o "$bin/" github.com/spiffe/spire/cmd/spire-server \
		github.com/spiffe/spire/cmd/spire-agent) >"$dir/build.log" 2>&1 ||
		fail "SPIRE cannot be built"
}

free_port() {
	local port

	while :; do
		port=$((20000 + RANDOM % 10000))
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo $port
}

# $1: name of the server, $2: trust domain, $3: port
server_conf() {
	cat >"$dir/$1.conf" <<-EOF
		server {
		  bind_address = "127.0.0.1"
		  bind_port = "$3"
		  socket_path = "$dir/$1.sock"
		  trust_domain = "$2"
		  data_dir = "$dir/$1"
		  log_level = "INFO"
		  ca_ttl = "2h"
		  agent_ttl = "1h"
		}
		plugins {
		  DataStore "sql" { plugin_data { database_type = "sqlite3"
		    connection_string = "$dir/$1/datastore.sqlite3" } }
		  KeyManager "disk" { plugin_data { keys_path = "$dir/$1/keys.json" } }
		  NodeAttestor "join_token" { plugin_data {} }
		}
	EOF
	mkdir -p "$dir/$1"
}

# $1: port
agent_conf() {
	cat >"$dir/agent.conf" <<-EOF
		agent {
		  data_dir = "$dir/agent"
		  trust_domain = "example.org"
		  server_address = "127.0.0.1"
		  server_port = "$1"
		  socket_path = "$dir/agent.sock"
		  insecure_bootstrap = true
		  log_level = "INFO"
		}
		plugins {
		  NodeAttestor "join_token" { plugin_data {} }
		  KeyManager "disk" { plugin_data { directory = "$dir/agent" } }
		  WorkloadAttestor "unix" { plugin_data {} }
		}
	EOF
	mkdir -p "$dir/agent"
}

# $1: name of the server; the rest: words
spire() {
	local socket=$dir/$1.sock words=()

	shift
	while [ $# -gt 0 ] && [[ $1 != -* ]]; do
		words+=("$1")
		shift
	done
	"$bin/spire-server" "${words[@]}" -socketPath "$socket" "$@" 2>>"$dir/cli.log"
}

server_start() {
	start "$1" "$bin/spire-server" run -config "$dir/$1.conf"
	within $START_S "$1 is healthy" spire "$1" healthcheck
}

agent_healthy() {
	"$bin/spire-agent" healthcheck -socketPath "$dir/agent.sock"
}

# $@: what else the agent gets
agent_start() {
	start agent "$bin/spire-agent" run -config "$dir/agent.conf" "$@"
	within $START_S "the agent is healthy" agent_healthy
}

# ---- what is tested -----------------------------------------------------------------

no_agent() {
	within 5 "no agent is an error" seen_after 0 'cannot connect'
	pass "no agent: $(seen_after 0 'cannot connect' | grep -oE '"text":"[^"]*"' | head -n 1)"
}

no_entry() {
	local token

	token=$(spire server token generate -spiffeID spiffe://example.org/host -output json |
		grep -oE '"value": *"[^"]*"' | cut -d'"' -f4)
	agent_start -joinToken "$token"
	within $BACKOFF_S "no identity is an error" seen_after 0 'gRPC status 7'
	pass "no entry: $(seen_after 0 'gRPC status 7' | grep -oE '"text":"[^"]*"' | head -n 1)"
}

first_svid() {
	local begun parent

	parent=$(spire server agent list -output json | grep -oE '"path": *"/spire[^"]*"' |
		cut -d'"' -f4)
	begun=$(now_ms)
	spire server entry create -parentID "spiffe://example.org$parent" -spiffeID $NODE_ID \
		-selector unix:uid:0 -x509SVIDTTL $TTL_S >"$dir/entry"
	entry=$(awk '$1 == "Entry" && $2 == "ID" { print $4 }' "$dir/entry")
	[ -n "$entry" ] || fail "no entry was made"
	within $BACKOFF_S "the first SVID" seen_after 0 '"event":"credential"'
	[ "$(last spiffe_id)" = $NODE_ID ] || fail "the SVID is $(last spiffe_id)"
	pass "first SVID $(last serial), $(($(last at_ms) - begun)) ms after the entry was made"
}

rotation() {
	local serial before

	serial=$(last serial)
	before=$(last not_after)
	within $ROTATE_S "a first rotation" serial_is_not "$serial"
	pass "rotation with $((before - $(last at_ms) / 1000)) s of $TTL_S s left"
	serial=$(last serial)
	within $ROTATE_S "a second rotation" serial_is_not "$serial"
	pass "a second rotation on the same stream"
}

agent_restart() {
	local at held begun

	at=$(lines)
	held=$(last serial)
	stop agent KILL
	within 5 "the agent's death is an error" seen_after "$at" "\"event\":\"error\".*\"held\":\"$held\""
	pass "the agent's death is noticed, the last SVID is held"
	at=$(lines)
	agent_start
	begun=$(now_ms)
	within $BACKOFF_S "an SVID after the agent's restart" seen_after "$at" '"event":"credential"'
	pass "SVID $(($(last at_ms) - begun)) ms after the agent was healthy again"
}

server_restart() {
	local serial

	stop server
	sleep 2
	server_start server
	serial=$(last serial)
	within $((2 * ROTATE_S)) "a rotation after the server's restart" serial_is_not "$serial"
	pass "rotation after the server's restart"
}

issuer_is_not() {
	[ "$(last issuer)" != "$1" ]
}

new_authority() {
	local at id issuer

	at=$(lines)
	issuer=$(last issuer)
	id=$(spire server localauthority x509 prepare -output json |
		grep -oE '"authority_id": *"[^"]*"' | head -n 1 | cut -d'"' -f4)
	[ -n "$id" ] || fail "no new authority was prepared"
	within $ROTATE_S "a bundle with two authorities" seen_after "$at" '"example.org":2'
	pass "a new authority is in the bundle"
	spire server localauthority x509 activate -authorityID "$id" >>"$dir/cli.log"
	within $ROTATE_S "an SVID of the new authority" issuer_is_not "$issuer"
	pass "an SVID of the new authority: $(last issuer)"
}

federation() {
	local at

	server_conf other other.example "$(free_port)"
	server_start other
	spire other bundle show -format spiffe >"$dir/other.json"
	stop other
	at=$(lines)
	spire server bundle set -format spiffe -id spiffe://other.example -path "$dir/other.json" \
		>>"$dir/cli.log"
	spire server entry update -entryID "$entry" -parentID "$(awk '$1 == "Parent" { print $4 }' \
		"$dir/entry")" -spiffeID $NODE_ID -selector unix:uid:0 -x509SVIDTTL $TTL_S \
		-federatesWith spiffe://other.example >>"$dir/cli.log"
	within $ROTATE_S "the federated bundle" seen_after "$at" '"other.example":1'
	pass "the federated trust domain's bundle arrived"
}

gap() {
	local n

	n=$(no_gap) || fail "$n"
	pass "no gap over $n credentials"
}

[ "$(id -u)" -eq 0 ] || skip "the entry is for uid 0: run as root"
find_spire
port=$(free_port)
server_conf server example.org "$port"
agent_conf "$port"
watch_start "spiffe:unix://$dir/agent.sock" example.org host-a
no_agent
server_start server
no_entry
first_svid
rotation
agent_restart
server_restart
new_authority
federation
gap
watch_stop 500
