/* SPDX-License-Identifier: Apache-2.0 */
#include "user/flow/names.h"

#define NAME_TAIL_MAX 256 /* identities that came since and are searched one by one */
#define NAME_INDEXES_MAX 4 /* images of which events still arrive: the newest few epochs */

struct name_index {
	const struct image *image; /* NULL: free */
	const void *identities_seen; /* guard against an address used again without forgetting */
	size_t n_identities;
	size_t n_workloads;
	size_t n_endpoints;
	size_t n_rules;
	uint32_t *identities; /* positions in image->identities, sorted by identity */
	uint32_t *workloads; /* positions in image->workloads, sorted by identity */
	uint32_t *endpoints; /* positions in image->endpoints of local ones, sorted by address */
	uint8_t *match; /* enum match_type by rule id */
	uint64_t used; /* for "least recently used" */
};

static struct name_index indexes[NAME_INDEXES_MAX];
static uint64_t uses;

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_identity(const void *a, const void *b, void *arg)
{
	const struct image *image = arg;

	return compare_u64(image->identities[*(const uint32_t *)a].identity,
			   image->identities[*(const uint32_t *)b].identity);
}

static int by_workload(const void *a, const void *b, void *arg)
{
	const struct image *image = arg;

	return compare_u64(image->workloads[*(const uint32_t *)a].identity,
			   image->workloads[*(const uint32_t *)b].identity);
}

static int by_address(const void *a, const void *b, void *arg)
{
	const struct image *image = arg;

	return memcmp(&image->endpoints[*(const uint32_t *)a].addr,
		      &image->endpoints[*(const uint32_t *)b].addr, sizeof(struct cs_addr));
}

/* The positions of endpoints of this node: the others change while the image is in force. */
static uint32_t *sorted_endpoints(const struct image *image, size_t *ret_n)
{
	uint32_t *order = calloc(image->n_endpoints + 1, sizeof(*order));
	size_t n = 0;

	for (size_t i = 0; order && i < image->n_endpoints; i++)
		if (image->endpoints[i].workload_index)
			order[n++] = i;
	if (order)
		qsort_r(order, n, sizeof(*order), by_address, (void *)image);
	*ret_n = n;
	return order;
}

/* The positions 0..n-1 in the order of @compare; NULL without memory. */
static uint32_t *sorted(size_t n, int (*compare)(const void *, const void *, void *),
			const struct image *image)
{
	uint32_t *order = calloc(n + 1, sizeof(*order)); /* never 0 bytes, which may give NULL */

	if (!order)
		return NULL;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare, (void *)image);
	return order;
}

static enum match_type match_of(const struct cs_rule *rule)
{
	bool any_peer = rule->selector == CS_SELECTOR_ANY;

	if (rule->port_min > 0 || rule->port_max < CS_PORT_MAX)
		return any_peer ? MATCH_L4_ONLY : MATCH_L3_L4;
	if (rule->protocol)
		return any_peer ? MATCH_PROTO_ONLY : MATCH_L3_PROTO;
	return any_peer ? MATCH_ALL : MATCH_L3_ONLY;
}

/* One rule of a manifest may compile to several; the first stands for all of them. */
static uint8_t *matches(const struct image *image)
{
	uint8_t *match = calloc(image->n_rules + 1, 1);

	for (size_t i = 0; match && i < image->n_rulesets; i++) {
		const struct cs_ruleset *set = &image->rulesets[i];

		for (uint32_t r = 0; r < MIN(set->count, (uint32_t)CS_RULES_MAX); r++) {
			uint32_t id = set->rules[r].id;

			if (id < image->n_rules && match[id] == MATCH_NONE)
				match[id] = match_of(&set->rules[r]);
		}
	}
	return match;
}

static void index_clear(struct name_index *index)
{
	free(index->identities);
	free(index->workloads);
	free(index->endpoints);
	free(index->match);
	*index = (struct name_index){ 0 };
}

static bool index_build(struct name_index *index, const struct image *image)
{
	*index = (struct name_index){
		.image = image,
		.identities_seen = image->identities,
		.n_identities = image->n_identities,
		.n_workloads = image->n_workloads,
		.n_rules = image->n_rules,
		.identities = sorted(image->n_identities, by_identity, image),
		.workloads = sorted(image->n_workloads, by_workload, image),
		.match = matches(image),
	};
	index->endpoints = sorted_endpoints(image, &index->n_endpoints);
	if (index->identities && index->workloads && index->endpoints && index->match)
		return true;
	index_clear(index);
	return false;
}

/* Whether the index was made of what now lies at this address. */
static bool index_fits(const struct name_index *index, const struct image *image)
{
	return index->image == image && index->identities_seen == image->identities &&
	       index->n_identities <= image->n_identities &&
	       image->n_identities - index->n_identities <= NAME_TAIL_MAX &&
	       index->n_workloads == image->n_workloads && index->n_rules == image->n_rules;
}

const struct name_index *name_index_get(const struct image *image)
{
	struct name_index *oldest = &indexes[0];

	if (!image)
		return NULL;
	for (size_t i = 0; i < NAME_INDEXES_MAX; i++) {
		if (index_fits(&indexes[i], image)) {
			indexes[i].used = ++uses;
			return &indexes[i];
		}
		if (indexes[i].image == image) /* another image at a used address: replace it */
			oldest = &indexes[i];
		else if (oldest->image != image && indexes[i].used < oldest->used)
			oldest = &indexes[i];
	}
	index_clear(oldest);
	if (!index_build(oldest, image))
		return NULL;
	oldest->used = ++uses;
	return oldest;
}

void name_index_forget(const struct image *image)
{
	for (size_t i = 0; i < NAME_INDEXES_MAX; i++)
		if (!image || indexes[i].image == image)
			index_clear(&indexes[i]);
}

const struct image_identity *name_index_identity(const struct name_index *index, uint64_t identity)
{
	size_t low = 0, high = index ? index->n_identities : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct image_identity *found =
			&index->image->identities[index->identities[middle]];

		if (found->identity == identity)
			return found;
		if (found->identity < identity)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = index ? index->n_identities : 0; index && i < index->image->n_identities;
	     i++)
		if (index->image->identities[i].identity == identity)
			return &index->image->identities[i];
	return NULL;
}

const struct image_workload *name_index_workload(const struct name_index *index, size_t i)
{
	return &index->image->workloads[index->workloads[i]];
}

size_t name_index_workloads(const struct name_index *index, uint64_t identity, size_t *ret_first)
{
	size_t low = 0, high = index ? index->n_workloads : 0, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (name_index_workload(index, middle)->identity < identity)
			low = middle + 1;
		else
			high = middle;
	}
	while (index && low + n < index->n_workloads &&
	       name_index_workload(index, low + n)->identity == identity)
		n++;
	*ret_first = low;
	return n;
}

const struct image_workload *name_index_address(const struct name_index *index,
						const struct cs_addr *addr, uint64_t identity)
{
	size_t low = 0, high = index ? index->n_endpoints : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct image_endpoint *found =
			&index->image->endpoints[index->endpoints[middle]];
		int order = memcmp(&found->addr, addr, sizeof(*addr));

		if (order < 0) {
			low = middle + 1;
		} else if (order > 0) {
			high = middle;
		} else if (found->identity != identity || (found->flags & CS_ENDPOINT_SHARED) ||
			   found->workload_index == 0 ||
			   found->workload_index > index->n_workloads) {
			return NULL;
		} else {
			return &index->image->workloads[found->workload_index - 1];
		}
	}
	return NULL;
}

enum match_type name_index_match(const struct name_index *index, uint32_t rule)
{
	return index && rule < index->n_rules ? index->match[rule] : MATCH_NONE;
}
