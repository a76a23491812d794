/* SPDX-License-Identifier: Apache-2.0 */
/* Memory-mapped arrays: a commit stores into them without a system call per element. */
#include "user/datapath/internal.h"

#include <sys/mman.h>

struct view_spec {
	const char *map;
	size_t offset; /* of the pointer in struct views */
	size_t size; /* of an element */
	size_t n;
};

#define VIEW(map, member, size, n)                           \
	{                                                    \
		map, offsetof(struct views, member), size, n \
	}

static const struct view_spec view_specs[] = {
	VIEW("cs_workloads", workloads, sizeof(struct cs_workload), CS_WORKLOADS_MAX),
	VIEW("cs_subjects", subjects, sizeof(struct cs_subject), CS_BANKS *CS_WORKLOADS_MAX),
	VIEW("cs_rulesets", rulesets, sizeof(struct cs_ruleset), CS_BANKS *CS_RULESETS_MAX),
	VIEW("cs_bitmaps", bitmaps, sizeof(struct cs_bitmap), CS_BANKS *CS_BITMAPS_MAX),
	VIEW("cs_peers", peers, sizeof(struct cs_peer), CS_IDENTITIES_MAX),
	VIEW("cs_names", names, sizeof(struct cs_name), CS_NAMES_MAX),
	VIEW("cs_endpoints", endpoints, sizeof(struct cs_endpoint), CS_ENDPOINTS_MAX),
	VIEW("cs_classes", classes, sizeof(struct cs_class), CS_CLASSES_MAX),
	VIEW("cs_service_slots", services, sizeof(struct cs_service), CS_SERVICES_MAX),
	VIEW("cs_node_index", node_index, sizeof(struct node_index), UINT16_MAX + 1),
	VIEW("cs_nodes", nodes, sizeof(struct cs_node_keys), CS_NODES_MAX),
};

static void **view_pointer(struct datapath *dp, const struct view_spec *spec)
{
	return (void **)((char *)&dp->view + spec->offset);
}

static int view_open(struct datapath *dp, const struct view_spec *spec)
{
	struct bpf_map *map = bpf_object__find_map_by_name(dp->object, spec->map);
	void *mapped;

	/* Elements are 8-byte aligned in the kernel (kernel/bpf/arraymap.c, elem_size). */
	if (!map || (bpf_map__value_size(map) + 7) / 8 * 8 != spec->size ||
	    bpf_map__max_entries(map) != spec->n)
		return datapath_fail(-EPROTO,
				     "map %s: the programs were built with another "
				     "layout; build again",
				     spec->map);
	mapped = mmap(NULL, spec->size * spec->n, PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(map), 0);
	if (mapped == MAP_FAILED)
		return datapath_fail(-errno, "map %s: cannot map it: %s", spec->map,
				     strerror(errno));
	/* Keys are among it, and a core dump can do without the rest. */
	madvise(mapped, spec->size * spec->n, MADV_DONTDUMP);
	*view_pointer(dp, spec) = mapped;
	return 0;
}

int views_open(struct datapath *dp)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(view_specs); i++)
		r = view_open(dp, &view_specs[i]);
	return r;
}

void views_close(struct datapath *dp)
{
	for (size_t i = 0; i < ARRAY_SIZE(view_specs); i++) {
		void *mapped = *view_pointer(dp, &view_specs[i]);

		if (mapped)
			munmap(mapped, view_specs[i].size * view_specs[i].n);
	}
}
