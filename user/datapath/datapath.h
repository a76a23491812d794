/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datapath: loads the BPF programs, owns every map and link. Nobody else touches
 * libbpf. Functions return 0 or a negative errno and do not log above debug; what a
 * person must know is in datapath_error().
 */
#pragma once

#include "user/identity/image.h"

struct datapath;

struct datapath_options {
	const char *cgroup_root; /* directory of the cgroup v2 subtree to guard */
	const char *bpffs; /* directory for pins; a bpffs is mounted there when it is none */
	uint16_t node; /* own node number, 1..65535 */
	uint8_t deny_mode; /* enum cs_deny_mode */
	bool own_node; /* the node and its pods may always talk to each other */
};

/*
 * Loads the programs and pins their maps. When an earlier agent of the same
 * CS_ABI_VERSION left its links, its maps are adopted with their contents (policy stays
 * in force, keys stay) and the links are updated to the new programs in place
 * (BPF_LINK_UPDATE), so there is no moment without enforcement. What does not fit is
 * refused whole: the earlier programs stay in force and the text says to uninstall.
 *
 * A fresh start makes the node's own key with getrandom(2) and attaches nothing yet: the
 * first successful datapath_commit() attaches the programs, so that starting the agent
 * does not cut traffic off before there is a policy. -EBUSY: another agent uses the pins.
 */
int datapath_open(const struct datapath_options *options, struct datapath **ret);

/* Releases handles; pins, links and maps stay, so enforcement goes on. Takes NULL. */
void datapath_close(struct datapath *dp);
DEFINE_TRIVIAL_CLEANUP(struct datapath *, datapath_close)

/* Removes every link, map and pin below @options->bpffs. 0 also when there was none. */
int datapath_uninstall(const struct datapath_options *options);

/*
 * The last failure in this process in words: what, on which object, why, what to do.
 * Never NULL; @dp may be, after a failed datapath_open() or datapath_uninstall().
 */
const char *datapath_error(const struct datapath *dp);

/*
 * Puts @image in force in one step and returns after a grace period: no packet is
 * judged by the old policy any more when it returns. Keeps workload slots stable by
 * namespace/name. On failure (-ENOSPC: a limit; see datapath_error()) the old image
 * stays in force, whole.
 */
int datapath_commit(struct datapath *dp, const struct image *image);

/* What an update came to. */
struct datapath_update {
	size_t identity_writes; /* of the map of identities: one for each that came */
	size_t address_writes; /* of the map of addresses */
	size_t service_writes; /* of the map of Services */
	size_t removals; /* from any of them */
	bool stamped; /* sockets that were decided decide anew: sweep for the idle ones */
};

/*
 * Puts a small change of the committed image in force, without an epoch and without waiting;
 * see struct image_delta. On failure what was in force stays so: -ENOSPC a limit, -ESTALE
 * that takes a commit.
 */
int datapath_update(struct datapath *dp, const struct image *image, const struct image_delta *delta,
		    struct datapath_update *ret);

/* Of the policy in force, 0: none. Needs no system call. */
uint32_t datapath_epoch(const struct datapath *dp);

/*
 * Says that the workload at index @workload of the committed image lives in the cgroup
 * with id @cgroup_id (0: it has none now). Takes effect with the next packet.
 */
int datapath_set_cgroup(struct datapath *dp, size_t workload, uint64_t cgroup_id);

/*
 * How the agent knows the cgroup of a workload of an image before datapath_set_cgroup() says
 * so; 0: it has none. A commit after a restart finds by it who had which cgroup.
 */
typedef uint64_t (*datapath_cgroup_fn)(void *arg, const struct image_workload *workload);
void datapath_ask_cgroups(struct datapath *dp, datapath_cgroup_fn fn, void *arg);

/* Cgroups of pods, by id. */
struct datapath_pods {
	const uint64_t *waiting; /* below them everything waits that is no workload's */
	size_t n_waiting;
	const uint64_t *exempt; /* but not in these, as long as they are no workload's */
	size_t n_exempt;
};

/*
 * These from now on, no others; the agent's own cgroup is exempt, wherever it is. Sockets
 * that wait are silent, see CS_SLOT_WAITING. -ENOSPC: more than CS_CGROUPS_MARKED_MAX.
 */
int datapath_set_pods(struct datapath *dp, const struct datapath_pods *pods);

/*
 * Decides every TCP socket of the network namespace @netns_fd anew whose decision is
 * older than the policy in force, and destroys those that it denies, so that both
 * applications get an error. Adds their number to *@cut.
 */
int datapath_sweep(struct datapath *dp, int netns_fd, unsigned int *cut);

/*
 * Adopts the listeners and sockets of @netns_fd that are older than the programs. Adds
 * to *@not_adopted those that this kernel cannot adopt.
 */
int datapath_adopt(struct datapath *dp, int netns_fd, unsigned int *not_adopted);

/*
 * Gives other nodes the keys @wanted, n elements, for their numbers; nodes that are not
 * among them stay as they are. Waits for a grace period when keys are replaced or dropped.
 * 1: some of them may do less than before, so that connections decide anew: sweep.
 */
int datapath_set_nodes(struct datapath *dp, const struct cs_node_keys *wanted, size_t n);

/* Forgets the other nodes that @keep does not want. 1: there were such, sweep. */
int datapath_keep_nodes(struct datapath *dp, bool (*keep)(void *arg, uint16_t node), void *arg);

/* That an identity runs on a node. */
struct datapath_scope {
	uint64_t tag; /* cs_tag(node, 0, identity) */
	uint32_t flags; /* enum cs_scope_flags; 0: does not run there (any more) */
};

/*
 * Which identities run where: all of them, or only what changed. 1: some of it may do less
 * than before, so that connections decide anew: sweep.
 */
int datapath_set_scope(struct datapath *dp, const struct datapath_scope *wanted, size_t n);
int datapath_update_scope(struct datapath *dp, const struct datapath_scope *changes, size_t n);

/* Whether that counts: enum cs_node_scope. */
void datapath_set_node_scope(struct datapath *dp, uint8_t mode);

/*
 * A place in kernel memory for the node's own private keys, so that an agent that starts
 * anew goes on with them, and no file ever holds them. Zero when nothing was left there.
 */
int datapath_vault_write(struct datapath *dp, const struct cs_vault *vault);
int datapath_vault_read(struct datapath *dp, struct cs_vault *ret);

typedef void (*datapath_event_fn)(const struct cs_event *event, void *arg);

/* Hands all waiting events to @fn; returns their number. Never blocks. */
int datapath_consume(struct datapath *dp, datapath_event_fn fn, void *arg);

/* Becomes readable when many events wait; a timer should consume the rest. */
int datapath_event_fd(const struct datapath *dp);

struct datapath_status {
	uint32_t epoch; /* of the policy in force, 0: none */
	uint16_t node;
	size_t workloads, identities, endpoints, classes, rulesets, bitmaps; /* in use */
	size_t cgroups;
	size_t programs_attached, programs_expected;
	uint64_t counters[CS_COUNTERS_MAX]; /* by CS_COUNTER(); summed over CPUs */
	uint64_t stats[CS_STAT_MAX]; /* by enum cs_stat */
};

int datapath_status(struct datapath *dp, struct datapath_status *ret);

/*
 * Hits of rule ids 0..n-1, summed over CPUs, into @ret. They count from datapath_open() on:
 * an agent that starts anew numbers its rules anew.
 */
int datapath_rule_hits(struct datapath *dp, uint64_t *ret, size_t n);
