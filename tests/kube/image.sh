#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the Dockerfile puts into the image, made of this build by its own commands, and run by an
# OCI runtime (crun) as its pods say: the pods that a controller made of overlay audit's DaemonSets
# on a real API server, with their arguments, settings, mounts, capabilities and the default
# seccomp profile of CRI-O and Podman. One of them signs; kubectl countersign asks both through
# kubelets whose exec is the runtime's. Not run here: a container engine, so not the build of the
# image itself; and no AppArmor or SELinux.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/kube/common.sh
. tests/kube/common.sh
# shellcheck source=tests/kube/played.sh
. tests/kube/played.sh

readonly NS=countersign-system ROOT=$dir/image
readonly SECCOMP=/usr/share/containers/seccomp.json
cgroup2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
readonly cgroup2 CGROUP=countersign-image-$$
pods=()

# This crun refuses the hybrid layout, so it sees the cgroup2 hierarchy where it is on others.
write_oci() {
	cat >"$dir/oci" <<-EOF
		#!/bin/sh
		exec unshare --mount --propagation private sh -c 'mount -t cgroup2 none /sys/fs/cgroup &&
			exec crun --root $dir/crun --cgroup-manager disabled "\$@"' crun "\$@"
	EOF
	printf '%s\n' '#!/bin/sh' "exec $dir/oci exec \"\$POD_NAME\" \"\$@\"" >"$dir/exec"
	chmod 0755 "$dir/oci" "$dir/exec"
}

end() {
	local pod

	for pod in "${pods[@]}"; do
		"$dir/oci" kill "$pod" TERM 2>/dev/null || true
		stop "pod-$pod"
		"$dir/oci" delete --force "$pod" 2>/dev/null || true
		build/countersignd --uninstall --bpffs "$dir/host-$pod/sys/fs/bpf/countersign" \
			--state "$dir/host-$pod/run/countersign" >>"$dir/uninstall.log" 2>&1 || true
		umount "$dir/host-$pod/sys/fs/bpf" 2>/dev/null || true
		rmdir "$cgroup2/$CGROUP/$pod" 2>/dev/null || true
	done
	cluster stop || true
	rmdir "$cgroup2/$CGROUP" 2>/dev/null || true
	chmod -R u+w "$ROOT" 2>/dev/null || true
	cleanup
}

# ---- the image --------------------------------------------------------------------------

# The last commands of the Dockerfile's build stage, in other folders.
make_image() {
	local found

	grep -q 'tools/image-root.sh /install/usr/sbin/countersignd /install/usr/bin/countersign /image' \
		deploy/Dockerfile || fail "the Dockerfile does something else"
	make -s install PREFIX=/usr DESTDIR="$dir/install" >"$dir/install.log" 2>&1
	tools/image-root.sh "$dir/install/usr/sbin/countersignd" "$dir/install/usr/bin/countersign" \
		"$ROOT"
	found=$(find "$ROOT" -perm /0222 ! -type l) || true
	[ -z "$found" ] || fail "writable: $found"
	found=$(find "$ROOT" -type f -perm /0111 ! -path '*/lib*' -printf '/%P\n' | sort | xargs)
	[ "$found" = "/usr/bin/countersign /usr/sbin/countersignd" ] || fail "programs: $found"
	[ "$(chroot "$ROOT" /usr/sbin/countersignd --version)" = "$(build/countersignd --version)" ] ||
		fail "countersignd does not run there"
	chroot "$ROOT" /usr/bin/countersign policy codes >/dev/null || fail "nor does countersign"
	pass "the image: two programs and their libraries, nothing writable, $(du -sm "$ROOT" | cut -f1) MiB"
}

# ---- the cluster ---------------------------------------------------------------------------

make_cluster() {
	cluster start-controllers
	play_nodes node-a node-cp=control-plane
	kubectl apply --server-side -f deploy/base/namespace.yaml >/dev/null
	build/countersign ca init "$dir/ca" --trust-domain cluster.local >/dev/null
	kubectl -n $NS create secret generic countersign-ca --from-file="$dir/ca/ca.crt" \
		--from-file="$dir/ca/ca.key" >/dev/null
	kubectl -n $NS create configmap countersign-trust-bundle --from-file="$dir/ca/ca.crt" >/dev/null
	kubectl apply --server-side -k deploy/overlays/audit >/dev/null
	within 30 "the DaemonSets' pods are bound" bound
}

bound() {
	cluster schedule
	[ "$(kubectl -n $NS get pods -o jsonpath='{.items[*].spec.nodeName}' | wc -w)" -eq 2 ]
}

pod_on() {
	kubectl -n $NS get pods --field-selector "spec.nodeName=$1" -o jsonpath='{.items[0].metadata.name}'
}

# What kubelet has made of the pod's volumes and of its node before the runtime is called.
make_host() {
	local pod=$1 account=$2 host=$dir/host-$1

	mkdir -p "$host"/{run/countersign,var/lib/countersign,sys/fs/bpf,volumes/trust,volumes/ca}
	mount -t bpf -o mode=0700 bpf "$host/sys/fs/bpf"
	mkdir -p "$cgroup2/$CGROUP/$pod"
	cluster mount $NS "$account" "$host/volumes/account" --pod "$pod"
	cp "$dir/ca/ca.crt" "$host/volumes/trust/"
	cp "$dir/ca/ca.crt" "$dir/ca/ca.key" "$host/volumes/ca/"
	{
		kubectl -n $NS get configmap -l app.kubernetes.io/name=countersign -o json |
			python3 -c 'import json, sys
for k, v in json.load(sys.stdin)["items"][0]["data"].items(): print(f"{k}={v}")'
		sed -nE "s|^url='?https://(.*):([0-9]+)'?|KUBERNETES_SERVICE_HOST=\1\nKUBERNETES_SERVICE_PORT=\2|p" \
			"$kube/config"
	} >"$host/env"
}

# Programs are attached below a cgroup of this test's, not at the root: the one argument more.
run_pod() {
	local pod=$1 host=$dir/host-$1

	make_host "$pod" "$2"
	kubectl -n $NS get pod "$pod" -o json | python3 tests/kube/oci_config.py "$ROOT" "$host" \
		"$SECCOMP" "$host/env" "--cgroup-root=/sys/fs/cgroup/$CGROUP/$pod" >"$host/config.json" ||
		fail "no configuration of $pod"
	pods+=("$pod")
	start "pod-$pod" "$dir/oci" run --bundle "$host" "$pod"
	played_run "$pod"
}

# The command of a probe of the pod, in the pod.
probe() {
	local command

	mapfile -t command < <(kubectl -n $NS get pod "$1" -o json | python3 -c 'import json, sys
for word in json.load(sys.stdin)["spec"]["containers"][0][sys.argv[1]]["exec"]["command"]: print(word)' "$2")
	"$dir/oci" exec "$1" "${command[@]}"
}

start_kubelet() {
	cluster kubelet-cert "$1" 127.0.0.1
	start "kubelet-$1" "$BIN/lab-kubelet" --listen 127.0.0.1:0 --node-name "$1" \
		--tls-cert-file "$kube/kubelets/$1.crt" --tls-private-key-file "$kube/kubelets/$1.key" \
		--client-ca-file "$kube/pki/ca.crt" --register "$kube/kubelets/$1.kubeconfig" \
		--exec-wrapper "$dir/exec"
	within 10 "$1 has its address" grep -q 'serving on' "$dir/kubelet-$1.log"
}

plugin() {
	PATH=$PWD/build:$PWD/$BIN:$PATH KUBECONFIG=$kube/admin.kubeconfig \
		"$BIN/kubectl" countersign "$@"
}

healthy() {
	plugin status >"$dir/status.log" 2>&1
}

# What the kernel charges for them, when there is no pod but the agents' own.
map_kib() {
	local pin sum=0 bytes

	for pin in "$dir/host-${pods[0]}/sys/fs/bpf/countersign"/*; do
		bytes=$(bpftool map show pinned "$pin" 2>/dev/null |
			sed -nE 's/.*memlock ([0-9]+)B.*/\1/p')
		sum=$((sum + ${bytes:-0}))
	done
	echo $((sum / 1024))
}

runs() {
	local pod agent signer

	agent=$(pod_on node-a) signer=$(pod_on node-cp)
	run_pod "$signer" countersign-signer
	run_pod "$agent" countersign
	for pod in "$agent" "$signer"; do
		within 20 "$pod is live" probe "$pod" livenessProbe
		within 30 "$pod is ready" probe "$pod" readinessProbe
	done
	pass "both pods run under an OCI runtime with what they ask for, and their probes say so"
	start_kubelet node-a
	start_kubelet node-cp
	within 60 "all nodes are healthy" healthy
	pass "kubectl countersign finds both healthy: $(tail -n 1 "$dir/status.log")"
	echo "maps of one agent: $(map_kib) KiB"
	plugin credentials --node node-a >"$dir/out"
	grep -q 'spiffe://cluster.local/countersign/node/node-a' "$dir/out" || fail "$(cat "$dir/out")"
	pass "the pod on the control plane signed the other's certificate"
	privileges "$agent"
}

# From outside, of the running process.
privileges() {
	local pid status

	pid=$("$dir/oci" state "$1" | sed -nE 's/.*"pid": *([0-9]+).*/\1/p')
	status=/proc/$pid/status
	[ "$(awk '/^CapEff/ { print $2 }' "$status")" = "$(printf '%016x' \
		$((1 << 39 | 1 << 12 | 1 << 38 | 1 << 21 | 1 << 19)))" ] || fail "$(grep Cap "$status")"
	# IPC_LOCK, which it had at the start, it cannot have again.
	[ "$(awk '/^CapPrm/ { print $2 }' "$status")" = "$(awk '/^CapEff/ { print $2 }' "$status")" ] ||
		fail "$(grep Cap "$status")"
	grep -q '^NoNewPrivs:.1' "$status" || fail "it could gain privileges"
	grep -q '^Seccomp:.2' "$status" || fail "no seccomp filter"
	pass "it has five capabilities and cannot gain any, under the default seccomp profile"
}

# An agent that ends leaves enforcement; --uninstall in the pod's place takes it away.
uninstalls() {
	local pod=${pods[1]} pins=$dir/host-${pods[1]}/sys/fs/bpf/countersign

	"$dir/oci" kill "$pod" TERM
	wait "${pids[pod-$pod]}" || fail "it did not end well"
	[ -n "$(ls "$pins")" ] || fail "what was in force went with the pod"
	pass "an agent that is told to end leaves what is in force"
	sed -i 's|"/usr/sbin/countersignd",|"/usr/sbin/countersignd", "--uninstall",|' \
		"$dir/host-$pod/config.json"
	"$dir/oci" run --bundle "$dir/host-$pod" "$pod" >>"$dir/uninstall.log" 2>&1 || fail "--uninstall"
	[ -z "$(ls "$pins" 2>/dev/null)" ] || fail "pins are left: $(ls "$pins")"
	pass "--uninstall with the same privileges restores the node"
}

[ "$(id -u)" -eq 0 ] || skip "needs root: an OCI runtime, BPF programs"
command -v crun >/dev/null || skip "no crun: tools/deps.sh kube"
[ -r $SECCOMP ] || skip "no $SECCOMP: tools/deps.sh kube"
[ -x build/countersignd ] || skip "build first: make build"
tests/kube/build.sh kube-controller-manager || exit
cluster_start
trap end EXIT
ln -sf countersign build/kubectl-countersign
write_oci
make_image
make_cluster
runs
uninstalls
