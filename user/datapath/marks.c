/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups with a special slot: those of pods, below which everything waits that is of no
 * known pod, and those that are exempt from that. cs_cgroups is the truth: a workload may
 * have taken an exempt cgroup over, and then it is no business of ours any more.
 */
#include "user/datapath/internal.h"

#include <sys/socket.h>

static bool is_special(uint32_t slot)
{
	return slot == CS_SLOT_WAITING || slot == CS_SLOT_EXEMPT;
}

static uint32_t slot_of(const struct datapath *dp, uint64_t id)
{
	uint32_t slot;

	return bpf_map_lookup_elem(dp->cgroups, &id, &slot) < 0 ? CS_SLOT_UNMANAGED : slot;
}

static bool has(const uint64_t *list, size_t n, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}

/*
 * The cgroup of this process as the programs see it: they note it for a new socket. 0 when
 * they do not see it; then it is outside the guarded subtree, or they are not attached yet.
 */
static uint64_t own_cgroup(const struct datapath *dp)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int sockets = bpf_object__find_map_fd_by_name(dp->object, "cs_sockets");
	struct cs_socket s;

	if (fd < 0 || sockets < 0 || bpf_map_lookup_elem(sockets, &fd, &s) < 0)
		return 0;
	return s.cgroup_id;
}

/* The cgroup may belong to a workload already: that stays so. */
static int mark(struct datapath *dp, uint64_t id, uint32_t slot, bool *ret_changed)
{
	uint32_t before = slot_of(dp, id);

	if (before != slot && (before == CS_SLOT_UNMANAGED || is_special(before))) {
		if (bpf_map_update_elem(dp->cgroups, &id, &slot, BPF_ANY) < 0)
			return datapath_fail(-errno, "cannot mark a cgroup of pods: %s",
					     strerror(errno));
		*ret_changed = true;
	}
	if (!has(dp->marked, dp->n_marked, id))
		dp->marked[dp->n_marked++] = id;
	return 0;
}

static int mark_all(struct datapath *dp, const uint64_t *list, size_t n, uint32_t slot,
		    bool *ret_changed)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (dp->n_marked == CS_CGROUPS_MARKED_MAX &&
		    !has(dp->marked, dp->n_marked, list[i]))
			return datapath_fail(-ENOSPC,
					     "too many cgroups of pods: at most %d fit "
					     "(CS_CGROUPS_MARKED_MAX)",
					     CS_CGROUPS_MARKED_MAX);
		r = mark(dp, list[i], slot, ret_changed);
	}
	return r;
}

/* What is not wanted any more goes first: it makes room. */
static bool unmark(struct datapath *dp, const struct datapath_pods *pods, uint64_t own)
{
	bool changed = false;
	size_t kept = 0;

	for (size_t i = 0; i < dp->n_marked; i++) {
		uint64_t id = dp->marked[i];

		if (has(pods->waiting, pods->n_waiting, id) ||
		    has(pods->exempt, pods->n_exempt, id) || id == own) {
			dp->marked[kept++] = id;
			continue;
		}
		if (!is_special(slot_of(dp, id)))
			continue;
		bpf_map_delete_elem(dp->cgroups, &id);
		changed = true;
	}
	dp->n_marked = kept;
	return changed;
}

/*
 * The agent must reach the API server to learn of pods, its own among them. So its own
 * cgroup is exempt before any other is marked.
 */
int datapath_set_pods(struct datapath *dp, const struct datapath_pods *pods)
{
	uint64_t own = pods->n_waiting ? own_cgroup(dp) : 0;
	bool changed = unmark(dp, pods, own);
	int r;

	r = mark_all(dp, &own, own != 0, CS_SLOT_EXEMPT, &changed);
	if (r == 0)
		r = mark_all(dp, pods->exempt, pods->n_exempt, CS_SLOT_EXEMPT, &changed);
	if (r == 0)
		r = mark_all(dp, pods->waiting, pods->n_waiting, CS_SLOT_WAITING, &changed);
	if (changed)
		datapath_stamp(dp);
	return r;
}

int marks_adopt(struct datapath *dp)
{
	uint64_t id, *from = NULL, next;

	while (bpf_map_get_next_key(dp->cgroups, from, &next) == 0) {
		id = next;
		from = &id;
		if (is_special(slot_of(dp, id)) && dp->n_marked < CS_CGROUPS_MARKED_MAX)
			dp->marked[dp->n_marked++] = id;
	}
	return errno == ENOENT ? 0
			       : datapath_fail(-errno, "cannot read the pinned map of cgroups: %s",
					       strerror(errno));
}
