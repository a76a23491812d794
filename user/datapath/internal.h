/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. Nobody outside includes it, tests excepted. */
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "user/datapath/datapath.h"
#include "user/datapath/slots.h"

/*
 * Keys of a workload: "namespace/name" padded with zeros, within the limits of
 * Kubernetes (63 + 1 + 253); or "\1" and the slot for one that an earlier agent left.
 */
#define WORKLOAD_KEY_MAX 320

/* One slot of the memory-mapped cs_node_index: the kernel rounds elements up to 8 bytes. */
struct node_index {
	uint32_t slot;
	uint32_t pad;
};

/* The memory-mapped maps; what is stored here, the programs read. */
struct views {
	struct cs_workload *workloads;
	struct cs_subject *subjects;
	struct cs_ruleset *rulesets;
	struct cs_bitmap *bitmaps;
	struct cs_peer *peers;
	struct cs_name *names;
	struct cs_endpoint *endpoints;
	struct cs_class *classes;
	struct cs_service *services;
	struct node_index *node_index;
	struct cs_node_keys *nodes;
};

/* Keys and their slots, as the kernel has them. */
struct table {
	struct slots slots;
	int map; /* descriptor of the hash or trie from key to slot; -1: only known here */
	const char *what; /* plural, for people */
	const char *limit;
};

enum table_id {
	TABLE_WORKLOADS, /* WORKLOAD_KEY_MAX bytes; cs_cgroups is kept apart */
	TABLE_NAMES, /* the SPIFFE ID, padded */
	TABLE_PEERS, /* identity -> cs_peers: cs_identities */
	TABLE_CLASSES, /* cs_cidr -> cs_classes: cs_cidrs */
	TABLE_ENDPOINTS, /* cs_addr -> cs_endpoints: cs_addresses */
	TABLE_SERVICES, /* cs_service_key -> cs_service_slots: cs_services */
	TABLES_OF_IMAGE, /* what a commit does not want any more it takes away from the above */
	TABLE_NODES = TABLES_OF_IMAGE, /* uint16_t number -> cs_nodes: cs_node_index */
	TABLE_SCOPE, /* tag word -> nothing: cs_scope, see scope.c */
	TABLES,
};

enum { HOOKS = 9 };

struct datapath {
	char *bpffs;
	int lock; /* the pin directory, locked against a second agent */
	int cgroup; /* the cgroup root */
	uint64_t cgroup_id;
	struct countersign_bpf *skeleton;
	struct bpf_object *object;
	struct cs_control *control;
	struct views view;
	struct table tables[TABLES];
	int cgroups; /* map cs_cgroups */
	int vault; /* map cs_vault */
	uint32_t scope_round; /* number of the last datapath_set_scope() */
	int grace[2]; /* a map of maps and its inner map; see datapath_grace() */
	int links[HOOKS]; /* -1: not attached */
	uint64_t marked[CS_CGROUPS_MARKED_MAX]; /* cgroups that were given a special slot */
	size_t n_marked;
	datapath_cgroup_fn cgroup_of; /* or NULL */
	void *cgroup_of_arg;
	bool unmatched; /* workloads of an earlier agent have not been matched by name yet */
	bool grace_owed; /* the last commit could not wait for its grace period */
	bool mounted; /* this open mounted the bpffs */
	uint32_t commit; /* number of the last commit; marks what an image wants */
	uint32_t *workload_slot; /* by index into the committed image's workloads */
	size_t n_workloads;
	size_t n_rulesets;
	size_t n_bitmaps;
	struct ring_buffer *events;
	datapath_event_fn event_fn;
	void *event_arg;
};

/* ---- error.c ---- */

/* Keeps the text for datapath_error() and returns @r. */
int datapath_fail(int r, const char *format, ...) _printf_(2, 3);

/* ---- pin_directory.c ---- */

/* Makes the directory, mounts a bpffs there if need be, locks it. */
int pins_open(struct datapath *dp);
bool pins_is_bpffs(const char *path);
/* Unmounts the bpffs if the agent mounted it, and removes the directory; if it is empty. */
void pins_remove_directory(const char *bpffs);

/* ---- pins.c: what is pinned ---- */

#define PIN_PATH_MAX 4096

/* Path of the pin of @object ("cs_peers", "link_cs_ingress"). */
int pin_path(const char *bpffs, const char *object, char ret[static PIN_PATH_MAX]);
/* Number of pinned links of this ABI version; an error when there are others. */
int pins_links(const struct datapath *dp);
/* Makes the object use the pinned maps: all of them or an error. Before loading. */
int pins_adopt_maps(struct datapath *dp);
/* Pins every map. */
int pins_make(struct datapath *dp);
/* Removes our pins of every version. Detaches the links first. */
int pins_remove(const char *bpffs);

/* ---- links.c: the programs at the cgroup root ---- */

extern const char *const hook_programs[HOOKS];

/* Opens the pinned links and puts the new programs in; all or none. */
int links_adopt(struct datapath *dp);
/* Attaches what is not attached yet, pins it; undoes its own work on failure. */
int links_attach(struct datapath *dp);
/* Number of hooks where our program is in force. */
size_t links_in_force(const struct datapath *dp);

/* ---- status.c ---- */

/* Zeroes all hits: those of an earlier agent belong to its rule numbers. */
int datapath_forget_rule_hits(struct datapath *dp);

/* ---- views.c: memory-mapped maps ---- */

/* Maps the arrays; checks that the programs were built with the same layouts. */
int views_open(struct datapath *dp);
void views_close(struct datapath *dp);

/* ---- load.c ---- */

int datapath_random(void *to, size_t size);

/* ---- nodes.c, scope.c ---- */

/* Makes the node's own key, which the node shares with nobody. */
int nodes_own_new(struct datapath *dp, uint16_t node);
int nodes_adopt(struct datapath *dp);
int scope_adopt(struct datapath *dp);

/* ---- tables.c: slots ---- */

int tables_init(struct datapath *dp);
void tables_done(struct datapath *dp);
/* Learns what the adopted maps hold. They are read as untrusted. */
int tables_adopt(struct datapath *dp);
/* Takes a slot, after a grace period if that is what it takes; -ENOSPC with the text. */
int table_take(struct datapath *dp, struct table *table, uint32_t *ret);
/* Waits until no program runs that was running at the call. */
int datapath_grace(struct datapath *dp);
/* Key of a workload; -ENAMETOOLONG. */
int workload_key(const char *namespace, const char *name, char ret[static WORKLOAD_KEY_MAX]);
/* Key of a workload that an earlier agent left in @slot. */
void workload_key_unmatched(uint32_t slot, char ret[static WORKLOAD_KEY_MAX]);

/* ---- status.c ---- */

/* Opens the ring of events. */
int events_open(struct datapath *dp);

/* ---- cgroup_root.c ---- */

/* The 64-bit id of the cgroup directory @name below @dirfd ("" for itself). */
int cgroup_id_at(int dirfd, const char *name, uint64_t *ret);
/* Opens dp->cgroup; its depth below the root of the whole hierarchy into *@ret_level. */
int cgroup_root_open(struct datapath *dp, const char *path, uint32_t *ret_level);

/* ---- cgroups.c ---- */

/* After a restart: finds the slots of the image's workloads among those left behind. */
int workloads_match(struct datapath *dp, const struct image *image);
/* Another generation: whoever remembers the slot looks its workload up again. */
void workload_renew(struct datapath *dp, uint32_t slot);

/* ---- marks.c: cgroups that are no workload's, and special ---- */

/* Learns what an earlier agent has marked. */
int marks_adopt(struct datapath *dp);

static inline uint32_t datapath_bank(const struct datapath *dp)
{
	return dp->control->epoch % CS_BANKS;
}

/* Makes every decided socket decide anew. Release: what was stored before is seen first. */
static inline void datapath_stamp(struct datapath *dp)
{
	__atomic_add_fetch(&dp->control->stamp, 1, __ATOMIC_RELEASE);
}
