#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes control plane in one folder: etcd and kube-apiserver of tests/kube/build.sh,
# with every admission plugin that is on by default, RBAC and the Node authorizer. Without
# `start-controllers` there is no controller manager, so `namespace` makes what its controllers
# would. Nothing listens anywhere but on --address (default 127.0.0.1); etcd has a Unix socket.
# What this script started, and nothing else, is ended by `stop`.
#
#	tests/kube/cluster.sh COMMAND DIR [ARGUMENT]...
#
#	start DIR [OPTION]... [-- KUBE-APISERVER-FLAG...]
#	        --address A --port P    where the API server is found; port 0, the default: a free one
#	        --bind A                what it listens on, when that is not the address
#	        --san NAME|IP           also in its certificate; may be repeated
#	        --netns FILE            it runs in this network namespace, e.g. /proc/PID/ns/net
#	        --min-request-timeout S watches end at a random moment between S and 2 S
#	        --event-ttl D           how long Events are kept, e.g. 1h
#	        --audit                 requests are written to DIR/audit.log
#	        --while PID             stop when this process has ended
#	stop DIR
#	stop-apiserver DIR [SIGNAL]     default TERM, which takes seconds; start-apiserver DIR
#	stop-etcd DIR [SIGNAL]          default KILL; start-etcd DIR
#	compact DIR                     forget the past: etcd is compacted and the API server starts anew,
#	                                so that a watch that goes on from an old version is told 410
#	compact-etcd DIR                only that: the next page of an old list is told 410, but the
#	                                API server still remembers the last changes for watches
#	rotate-ca DIR [--overlap]       a new authority signs the API server's certificate;
#	                                --overlap: clients' files have the old one too
#	kubeconfig DIR USER [GROUP]...  with a client certificate; prints the file
#	namespace DIR NAME [KEY=VALUE]...
#	delete-namespace DIR NAME       with all that is in it
#	mount DIR NAMESPACE SA TO [--pod P|--node N] [--seconds S]
#	                                TO/{token,ca.crt,namespace} as a pod has them, and
#	                                TO.kubeconfig for them
#	refresh DIR [TO]...             the same with new tokens and the CA of now; default: all
#	token DIR NAMESPACE SA [--pod P|--node N] [--seconds S]
#	kubelet-cert DIR NODE [IP]...   DIR/kubelets/NODE.{crt,key} and NODE.kubeconfig
#	start-controllers DIR           kube-controller-manager (built by name, see build.sh) with all of
#	                                its controllers but those that judge nodes; stop-controllers
#	schedule DIR                    binds the Pods of DaemonSets, as kube-scheduler would
#	memory DIR                      resident memory of each, in KiB
#
# DIR/admin.kubeconfig is of cluster-admin, DIR/ca.crt has the authorities that clients trust,
# DIR/pki/ca.crt signs client and kubelet certificates, DIR/config has url=.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
# shellcheck source=tests/kube/pki.sh
. "$here/pki.sh"
# shellcheck source=tests/kube/clients.sh
. "$here/clients.sh"

readonly START_S=60 STOP_S=20
readonly STEP_S=0.05

fail() {
	echo "cluster: $*" >&2
	exit 1
}

now_ms() {
	date +%s%3N
}

# $1: seconds, $2: what for, which readers of the code see; the rest: command
within() {
	local end=$(($(now_ms) + $1 * 1000))

	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt $end ] || return 1
		sleep $STEP_S
	done
}

# ---- processes ----------------------------------------------------------------------

# A process is known by its id and the moment it began: an id may be somebody else's by now.
# Of a zombie nothing is left to wait for.
began() {
	sed -n 's/.*) \([^Z] \)/\1/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

# $1: name
runs() {
	local pid moment

	read -r pid moment 2>/dev/null <"$dir/$1.pid" && [ "$(began "$pid")" = "$moment" ]
}

# $1: name; the rest: command, whose output goes to NAME.log
launch() {
	local name=$1 pid

	shift
	! runs "$name" || fail "$name runs already"
	setsid "$@" >>"$dir/$name.log" 2>&1 </dev/null &
	pid=$!
	disown
	echo "$pid $(began $pid)" >"$dir/$name.pid"
}

ended() {
	! runs "$1"
}

# $1: name, $2: signal
end() {
	local pid moment

	runs "$1" || return 0
	read -r pid moment <"$dir/$1.pid"
	kill -"${2:-TERM}" "$pid" 2>/dev/null || true
	if ! within $STOP_S "$1 ends" ended "$1"; then
		kill -KILL "$pid" 2>/dev/null || true
		within $STOP_S "$1 ends" ended "$1" || fail "$1 ($pid, since $moment) does not end"
	fi
	rm -f "$dir/$1.pid"
}

# $1: name, $2: what is to be true. Says what the log says when it ends instead.
comes_up() {
	local end=$(($(now_ms) + START_S * 1000))

	until "$2" >/dev/null 2>&1; do
		if ! runs "$1" || [ "$(now_ms)" -ge $end ]; then
			tail -n 15 "$dir/$1.log" >&2
			fail "$1 does not come up"
		fi
		sleep $STEP_S
	done
}

# ---- etcd ---------------------------------------------------------------------------

etcd_call() {
	curl -sS --fail --max-time 10 --unix-socket "$dir/etcd.sock" -d "$2" "http://etcd/v3/$1"
}

etcd_is_up() {
	[ -S "$dir/etcd.sock" ] && etcd_call maintenance/status '{}'
}

# Nothing here outlives the machine, so nothing is synced to its disk.
start_etcd() {
	rm -f "$dir/etcd.sock" "$dir/etcd-peer.sock"
	launch etcd "$bin/etcd" --data-dir "$dir/etcd" --unsafe-no-fsync --log-level warn \
		--listen-client-urls "unix://$dir/etcd.sock" \
		--advertise-client-urls "unix://$dir/etcd.sock" \
		--listen-peer-urls "unix://$dir/etcd-peer.sock" \
		--initial-advertise-peer-urls "unix://$dir/etcd-peer.sock" \
		--initial-cluster "default=unix://$dir/etcd-peer.sock"
	comes_up etcd etcd_is_up
}

compact_etcd() {
	local revision

	revision=$(etcd_call maintenance/status '{}' | grep -oE '"revision":"[0-9]+"' | tr -dc 0-9)
	etcd_call kv/compaction "{\"revision\":\"$revision\",\"physical\":true}" >/dev/null
	echo "compacted at revision $revision"
}

# ---- kube-apiserver -----------------------------------------------------------------

# nsenter becomes the program, so its process is the program's.
enter() {
	inside=()
	[ -z "$netns" ] || inside=(nsenter --net="$netns")
}

# Where it listens is a fact of its namespace.
inside() {
	"${inside[@]}" "$@"
}

free_port() {
	local port

	while :; do
		port=$((20000 + RANDOM % 10000))
		inside bash -c ": <'/dev/tcp/$address/$port'" 2>/dev/null || break
	done
	echo $port
}

apiserver_is_up() {
	inside "$bin/kubectl" --kubeconfig "$dir/admin.kubeconfig" --request-timeout 5s \
		get --raw /readyz
}

# Its own addresses are no Endpoints for anybody: --endpoint-reconciler-type=none.
apiserver_flags() {
	local ranges=10.96.0.0/16,fd00:10:96::/112

	[[ $address != *:* ]] || ranges=fd00:10:96::/112,10.96.0.0/16
	cat <<-EOF
		--etcd-servers=unix://$dir/etcd.sock
		--bind-address=$bind
		--advertise-address=$address
		--secure-port=$port
		--endpoint-reconciler-type=none
		--service-cluster-ip-range=$ranges
		--tls-cert-file=$dir/pki/apiserver.crt
		--tls-private-key-file=$dir/pki/apiserver.key
		--client-ca-file=$dir/pki/ca.crt
		--kubelet-certificate-authority=$dir/pki/ca.crt
		--kubelet-client-certificate=$dir/pki/kubelet-client.crt
		--kubelet-client-key=$dir/pki/kubelet-client.key
		--kubelet-preferred-address-types=InternalIP,Hostname
		--service-account-issuer=https://kubernetes.default.svc
		--service-account-key-file=$dir/pki/sa.pub
		--service-account-signing-key-file=$dir/pki/sa.key
		--service-account-extend-token-expiration=false
		--authorization-mode=Node,RBAC
		--enable-admission-plugins=NodeRestriction
		--allow-privileged=true
		--anonymous-auth=false
		--profiling=false
		--min-request-timeout=$min_request_timeout
		--event-ttl=$event_ttl
	EOF
	[ -z "$audit" ] || printf -- '--audit-log-path=%s\n--audit-policy-file=%s\n' \
		"$dir/audit.log" "$dir/audit.yaml"
	cat "$dir/flags"
}

start_apiserver() {
	local flags begun

	begun=$(now_ms)
	mapfile -t flags < <(apiserver_flags)
	launch kube-apiserver "${inside[@]}" "$bin/kube-apiserver" "${flags[@]}"
	comes_up kube-apiserver apiserver_is_up
	echo "kube-apiserver on $url after $(($(now_ms) - begun)) ms"
}

# The watch cache of an API server knows what etcd has forgotten; a new one begins with now.
compact() {
	end kube-apiserver
	compact_etcd
	start_apiserver
}

# ---- start and stop -----------------------------------------------------------------

load() {
	[ -r "$dir/config" ] || fail "no cluster in $dir"
	# shellcheck disable=SC1091 # written by save()
	. "$dir/config"
	enter
}

save() {
	local name

	for name in bin address bind port netns min_request_timeout event_ttl audit url sans; do
		echo "$name=${!name@Q}"
	done >"$dir/config"
}

options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--address) address=$2 ;;
		--port) port=$2 ;;
		--bind) bind=$2 ;;
		--san) sans+=" $2" ;;
		--netns) netns=$2 ;;
		--min-request-timeout) min_request_timeout=$2 ;;
		--event-ttl) event_ttl=$2 ;;
		--while) lifetime=$2 ;;
		--audit)
			audit=yes
			shift
			continue
			;;
		--)
			shift
			printf '%s\n' "$@" >"$dir/flags"
			return
			;;
		*) fail "unknown option $1" ;;
		esac
		[ $# -gt 1 ] || fail "$1 needs a value"
		shift 2
	done
}

find_programs() {
	local program

	bin=${KUBEBUILDER_ASSETS:-$here/../../build/kube/bin}
	bin=$(realpath "$bin")
	for program in etcd kube-apiserver kubectl; do
		[ -x "$bin/$program" ] || fail "no $program in $bin: run tests/kube/build.sh"
	done
}

# The process that the cluster is for may die of anything; `stop` is then called here.
stop_after() {
	# shellcheck disable=SC2016 # the inner shell's words
	launch keeper bash -c 'while kill -0 "$1"; do sleep 1; done
		exec "$2" stop-servers "$3"' keeper "$1" "$here/cluster.sh" "$dir"
}

start() {
	local begun lifetime=

	begun=$(now_ms)
	[ ! -e "$dir/config" ] || fail "$dir has a cluster already"
	rm -rf "$dir/etcd" "$dir/mounts"
	address=127.0.0.1 port=0 bind='' netns='' min_request_timeout=1800 event_ttl=1h audit=''
	sans=''
	: >"$dir/flags"
	printf '%s\n' 'apiVersion: audit.k8s.io/v1' 'kind: Policy' 'rules: [{level: Metadata}]' \
		>"$dir/audit.yaml"
	options "$@"
	enter
	find_programs
	[ "$port" != 0 ] || port=$(free_port)
	bind=${bind:-$address}
	url=https://$address:$port
	[[ $address != *:* ]] || url="https://[$address]:$port"
	save
	make_pki
	client_kubeconfig admin.kubeconfig admin system:masters
	trap '[ $? -eq 0 ] || stop_all' EXIT
	[ -z "$lifetime" ] || stop_after "$lifetime"
	start_etcd
	echo "etcd on $dir/etcd.sock after $(($(now_ms) - begun)) ms"
	start_apiserver
	namespace default
	echo "ready after $(($(now_ms) - begun)) ms: export KUBECONFIG=$dir/admin.kubeconfig"
}

# Nobody will ask for what they still hold, so they need not take leave: that takes seconds.
stop_servers() {
	end kube-controller-manager KILL
	end kube-apiserver KILL
	end etcd KILL
}

# What is left can be read, and the folder be used again.
stop_all() {
	end keeper
	stop_servers
	mv "$dir/config" "$dir/config.old"
}

memory() {
	local name pid moment

	for name in etcd kube-apiserver kube-controller-manager; do
		runs $name || continue
		read -r pid moment <"$dir/$name.pid"
		echo "$name $(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status") since $moment"
	done | cut -d' ' -f1,2
}

usage() {
	sed -n 's/^#\t//p' "$here/cluster.sh"
	exit 2
}

[ $# -ge 2 ] || usage
command=$1
[ "$command" != start ] || mkdir -p "$2"
dir=$(realpath -e "$2") || fail "no folder $2"
shift 2
case $command in
start) start "$@" ;;
*) load ;;&
stop) stop_all ;;
stop-servers) stop_servers ;;
stop-apiserver) end kube-apiserver "$@" ;;
stop-etcd) end etcd "${1:-KILL}" ;;
start-apiserver) start_apiserver ;;
start-etcd) start_etcd ;;
start-controllers) start_controllers ;;
stop-controllers) end kube-controller-manager "${1:-KILL}" ;;
schedule) schedule ;;
compact) compact ;;
compact-etcd) compact_etcd ;;
rotate-ca) rotate_ca "$@" ;;
kubeconfig) user_kubeconfig "$@" ;;
namespace) namespace "$@" ;;
delete-namespace) delete_namespace "$@" ;;
mount) mount_account "$@" ;;
refresh) refresh "$@" ;;
token) token "$@" ;;
kubelet-cert) kubelet_cert "$@" ;;
memory) memory ;;
*) usage ;;
esac
