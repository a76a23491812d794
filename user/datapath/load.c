/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening: from nothing, or on top of what an earlier agent left pinned.
 *
 * A fresh start loads and pins everything but attaches nothing: the first successful
 * datapath_commit() does, so that a running machine is not cut off in between. Pinned
 * links mean that policy is in force: then the maps are taken over with their contents
 * and the new programs are put into the links at once.
 */
#include "user/datapath/internal.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <countersign.skel.h>

#include "user/base/log.h"

static int print_debug(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[2048];
	size_t n;

	if (level == LIBBPF_DEBUG)
		return 0; /* thousands of lines of relocations */
	vsnprintf(line, sizeof(line), format, args);
	n = strlen(line);
	while (n && line[n - 1] == '\n')
		line[--n] = '\0';
	log_debug("libbpf", "text=\"%s\"", line);
	return 0;
}

/* ---- programs and maps ---- */

static int load(struct datapath *dp, uint32_t level)
{
	struct countersign_bpf *skeleton = countersign_bpf__open();
	int r;

	if (!skeleton)
		return datapath_fail(-errno, "cannot open the BPF programs: %s", strerror(errno));
	dp->skeleton = skeleton;
	dp->object = skeleton->obj;
	skeleton->rodata->cs_root_level = level;
	r = pins_links(dp);
	if (r > 0)
		r = pins_adopt_maps(dp);
	if (r < 0)
		return r;
	r = countersign_bpf__load(skeleton);
	if (r < 0)
		return datapath_fail(r,
				     "the kernel refuses the BPF programs: %s; the debug log "
				     "has the verifier's words",
				     strerror(-r));
	dp->control = &skeleton->data_control->cs_control;
	/* libbpf mapped it on a page of its own; it holds the secret of check words. */
	madvise(skeleton->data_control, sizeof(*skeleton->data_control), MADV_DONTDUMP);
	dp->cgroups = bpf_map__fd(skeleton->maps.cs_cgroups);
	dp->vault = bpf_map__fd(skeleton->maps.cs_vault);
	return 0;
}

/* See datapath_grace(). */
static int make_grace(struct datapath *dp)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);

	dp->grace[1] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cs_grace_inner", 4, 4, 1, NULL);
	options.inner_map_fd = dp->grace[1];
	if (dp->grace[1] >= 0)
		dp->grace[0] =
			bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "cs_grace", 4, 4, 1, &options);
	if (dp->grace[0] < 0)
		return datapath_fail(-errno, "cannot make a map: %s", strerror(errno));
	return 0;
}

static int open_maps(struct datapath *dp, uint32_t level)
{
	int r = load(dp, level);

	if (r >= 0)
		r = views_open(dp);
	if (r >= 0)
		r = make_grace(dp);
	if (r >= 0)
		r = tables_init(dp);
	return r;
}

/* ---- the node's own state ---- */

int datapath_random(void *to, size_t size)
{
	ssize_t n = getrandom(to, size, 0);

	if (n != (ssize_t)size)
		return datapath_fail(-EIO, "the kernel gave no random numbers");
	return 0;
}

/* Keys and secret go straight into the maps: there is no other copy. */
static int start_fresh(struct datapath *dp, const struct datapath_options *options)
{
	int r = nodes_own_new(dp, options->node);

	if (r >= 0)
		r = datapath_random(&dp->control->secret, sizeof(dp->control->secret));
	if (r < 0)
		return r;
	dp->view.workloads[0].identity = CS_ENTITY_UNMANAGED;
	dp->view.workloads[0].generation = 1;
	dp->control->node = options->node;
	dp->control->stamp = 1; /* a decided socket's word is never 0 */
	return pins_make(dp);
}

static int check_node(const struct datapath *dp, uint16_t node)
{
	uint32_t slot = dp->view.node_index[node].slot;

	if (dp->control->node != node)
		return datapath_fail(-EINVAL,
				     "%s: the policy in force is node %u's, not node "
				     "%u's; run --uninstall first",
				     dp->bpffs, dp->control->node, node);
	if (slot == 0 || slot >= CS_NODES_MAX || dp->view.nodes[slot].node != node)
		return datapath_fail(-EUCLEAN,
				     "%s: the node's own key is missing; run "
				     "--uninstall first",
				     dp->bpffs);
	return 0;
}

static int take_over(struct datapath *dp, const struct datapath_options *options)
{
	int r = check_node(dp, options->node);

	if (r >= 0)
		r = tables_adopt(dp);
	if (r >= 0)
		r = links_adopt(dp);
	if (r >= 0)
		r = datapath_forget_rule_hits(dp);
	return r;
}

/* What the options say, and which network namespace is the node's own: this process's. */
static int set_options(struct datapath *dp, const struct datapath_options *options)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		return datapath_fail(-errno, "cannot tell the agent's network namespace: %s",
				     strerror(errno));
	__atomic_store_n(&dp->control->netns_cookie, cookie, __ATOMIC_RELEASE);
	__atomic_store_n(&dp->control->own_node, options->own_node, __ATOMIC_RELEASE);
	__atomic_store_n(&dp->control->deny_mode, options->deny_mode, __ATOMIC_RELEASE);
	return 0;
}

/* ---- opening and closing ---- */

static struct datapath *datapath_new(const char *bpffs)
{
	struct datapath *dp = calloc(1, sizeof(*dp));

	if (!dp)
		return NULL;
	dp->lock = dp->cgroup = dp->grace[0] = dp->grace[1] = -EBADF;
	memset(dp->links, -1, sizeof(dp->links));
	dp->bpffs = strdup(bpffs);
	if (!dp->bpffs) {
		free(dp);
		return NULL;
	}
	return dp;
}

static int open_pins(struct datapath *dp, const struct datapath_options *options, bool *ret_fresh)
{
	uint32_t level = 0;
	int r = cgroup_root_open(dp, options->cgroup_root, &level);

	if (r >= 0)
		r = pins_open(dp);
	if (r >= 0)
		r = pins_links(dp);
	if (r < 0)
		return r;
	*ret_fresh = r == 0;
	/* Maps without links: a start that was cut short. Nothing is in force. */
	r = *ret_fresh ? pins_remove(dp->bpffs) : 0;
	if (r >= 0)
		r = open_maps(dp, level);
	if (r >= 0)
		r = *ret_fresh ? start_fresh(dp, options) : take_over(dp, options);
	return r;
}

int datapath_open(const struct datapath_options *options, struct datapath **ret)
{
	struct datapath *dp _cleanup_(datapath_closep) = datapath_new(options->bpffs);
	bool fresh = false;
	int r;

	libbpf_set_print(print_debug);
	if (!dp)
		return datapath_fail(-ENOMEM, "no memory");
	r = options->node ? open_pins(dp, options, &fresh)
			  : datapath_fail(-EINVAL, "node number 0 is not allowed");
	if (r >= 0)
		r = events_open(dp);
	if (r >= 0)
		r = set_options(dp, options);
	if (r < 0) {
		if (r == -ENOMEM)
			datapath_fail(r, "no memory for the maps");
		if (fresh)
			pins_remove(dp->bpffs);
		if (dp->mounted)
			pins_remove_directory(dp->bpffs);
		return r;
	}
	*ret = TAKE_PTR(dp);
	return 0;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	ring_buffer__free(dp->events);
	tables_done(dp);
	views_close(dp);
	if (dp->skeleton)
		countersign_bpf__destroy(dp->skeleton);
	for (int hook = 0; hook < HOOKS; hook++)
		closep(&dp->links[hook]);
	closep(&dp->grace[0]);
	closep(&dp->grace[1]);
	closep(&dp->cgroup);
	closep(&dp->lock);
	free(dp->workload_slot);
	free(dp->bpffs);
	free(dp);
}

int datapath_uninstall(const struct datapath_options *options)
{
	int r = pins_remove(options->bpffs);

	if (r < 0)
		return r;
	pins_remove_directory(options->bpffs);
	return 0;
}
