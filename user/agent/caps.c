/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/caps.h"

#include <linux/capability.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

DEFINE_TRIVIAL_CLEANUP(cap_t, cap_free)

/* What the running agent needs, and why. */
static const struct {
	cap_value_t cap;
	const char *name;
	const char *why;
} needed[] = {
	{ CAP_BPF, "CAP_BPF", "load programs, write maps, pin" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN", "attach cgroup programs, destroy sockets" },
	{ CAP_PERFMON, "CAP_PERFMON", "load the socket iterator, which reads kernel memory" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "enter workloads' network namespaces with setns(2)" },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "open /proc/PID/ns/net of workloads' processes" },
};

int caps_check(char **ret_missing)
{
	_cleanup_(cap_freep) cap_t caps = cap_get_proc();
	char missing[256] = "";

	if (!caps)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		cap_flag_value_t value = CAP_CLEAR;

		cap_get_flag(caps, needed[i].cap, CAP_EFFECTIVE, &value);
		if (value == CAP_SET)
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s (%s)",
			 *missing ? ", " : "", needed[i].name, needed[i].why);
	}
	if (!*missing)
		return 0;
	*ret_missing = strdup(missing);
	return *ret_missing ? -EPERM : -ENOMEM;
}

static bool is_needed(cap_value_t cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (needed[i].cap == cap)
			return true;
	return false;
}

/* Needs CAP_SETPCAP, so it comes before the process's own sets shrink. */
static int drop_bounding(void)
{
	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++)
		if (!is_needed(cap) && cap_get_bound(cap) == 1 && cap_drop_bound(cap) < 0 &&
		    errno != EPERM)
			return -errno;
	return 0;
}

static int drop_own(void)
{
	_cleanup_(cap_freep) cap_t caps = cap_init();

	if (!caps)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (cap_set_flag(caps, CAP_EFFECTIVE, 1, &needed[i].cap, CAP_SET) < 0 ||
		    cap_set_flag(caps, CAP_PERMITTED, 1, &needed[i].cap, CAP_SET) < 0)
			return -errno;
	return ret_errno(cap_set_proc(caps));
}

int caps_drop(void)
{
	int r;

	r = drop_bounding();
	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	r = drop_own();
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return ret_errno(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}
