#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest of tools/kernels.sh. What it finds goes to the second serial
# port, one line each, the first word says what it is:
#	kernel RELEASE
#	program NAME INSNS|refused
#	check NAME ok|FAILED|skipped REASON
#	log TEXT		what a program that failed has said
#	end			nothing is missing
# The file /checks says which tests to run: NAME FILTER of test-lab.
# shellcheck disable=SC3043,SC3045 # busybox has both
export PATH=/bin:/sbin:/usr/bin:/usr/sbin LC_ALL=C.UTF-8 HOME=/root

finish() {
	# The port is slow: let it say all before the machine goes.
	sync
	sleep 1
	reboot -f
}

say() {
	echo "$*" >/dev/ttyS1
}

say_log() {
	grep -v 'SKIP test was skipped' "$1" | tail -n 200 | sed 's/^/log /' >/dev/ttyS1
}

mount_all() {
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev
	mkdir -p /dev/shm /dev/pts /tmp /run
	mount -t tmpfs shm /dev/shm
	mount -t tmpfs tmp /tmp
	mkdir -p /sys/fs/cgroup
	mount -t cgroup2 cgroup /sys/fs/cgroup
	mount -t bpf bpf /sys/fs/bpf
	ip link set lo up
	hostname guest
	ulimit -l unlimited
}

verifier() {
	/countersign/verifier >/tmp/programs 2>/tmp/verifier.log || refused=1
	sed 's/^/program /' /tmp/programs >/dev/ttyS1
	[ -z "$refused" ] || say_log /tmp/verifier.log
}

# $1: name, $2: filter of test-lab
check() {
	local code=0 result

	/countersign/test-lab -j1 --filter "$2" --tap=/tmp/tap >/tmp/log 2>&1 || code=$?
	# Criterion calls what the filter leaves out skipped, too, without giving a reason.
	grep -E '^(not )?ok ' /tmp/tap | grep -v 'SKIP test was skipped' >/tmp/results
	if [ "$code" -ne 0 ] || grep -q '^not ok' /tmp/results || ! [ -s /tmp/results ]; then
		say "check $1 FAILED $(grep -c '^not ok' /tmp/results) of $(wc -l </tmp/results)"
		say_log /tmp/tap
		say_log /tmp/log
	elif result=$(sed -n 's/^ok .*# SKIP *//p' /tmp/results) && [ -n "$result" ]; then
		say "check $1 skipped $result"
	else
		say "check $1 ok $(wc -l </tmp/results)"
	fi
}

mount_all
say "kernel $(uname -r)"
verifier
# Without programs there is nothing to check: their refusal is the finding.
[ -n "$refused" ] || while read -r name filter; do
	check "$name" "$filter" </dev/null
done </checks
say end
finish
