/* SPDX-License-Identifier: Apache-2.0 */
/* Subjects, by their rules. */
#include "user/policy/cases.h"
#include "user/policy/diff_parts.h"
#include "user/policy/party.h"

/* What makes two subjects the same; compared as bytes, so there are no holes. */
struct subject_key {
	uint32_t ruleset[DIFF_SIDES];
	uint32_t host_network[DIFF_SIDES];
	uint32_t revoked[DIFF_SIDES];
	uint32_t direction;
};

static int add_subject(struct differ *d, const struct subject_key *key, const char *name)
{
	struct subject_key *kept;
	uint32_t i;
	void *item;
	int r;

	if (keymap_get(&d->subject_keys, key, sizeof(*key), &i))
		return diff_names_add(&d->arena, &d->subjects[i].names, name);
	item = arena_grow(&d->arena, d->subjects, d->n_subjects, &d->subjects_capacity,
			  sizeof(*d->subjects));
	kept = arena_alloc(&d->arena, sizeof(*kept));
	if (!item || !kept)
		return -ENOMEM;
	d->subjects = item;
	*kept = *key;
	r = keymap_put(&d->subject_keys, kept, sizeof(*kept), (uint32_t)d->n_subjects);
	if (r < 0)
		return r;
	d->subjects[d->n_subjects] = (struct diff_subject){
		.ruleset = { key->ruleset[0], key->ruleset[1] },
		.host_network = { key->host_network[0], key->host_network[1] },
		.revoked = { key->revoked[0], key->revoked[1] },
		.direction = (uint8_t)key->direction,
	};
	return diff_names_add(&d->arena, &d->subjects[d->n_subjects++].names, name);
}

/* @revoked: by side. */
static int add_pair(struct differ *d, const struct image_workload *const pair[static 2],
		    const bool revoked[static DIFF_SIDES], const char *name)
{
	int r = 0;

	for (uint32_t direction = 0; direction < CS_DIRECTIONS && r == 0; direction++) {
		struct subject_key key = { .direction = direction };

		for (int s = 0; s < DIFF_SIDES; s++) {
			key.ruleset[s] = pair[s]->ruleset[direction];
			key.host_network[s] = pair[s]->host_network;
			key.revoked[s] = revoked[s];
		}
		r = add_subject(d, &key, name);
	}
	return r;
}

/* Workloads of side @s that the other one lacks; and, for side 0, the pairs. */
static int find_on_side(struct differ *d, int s, struct diff_names *lonely)
{
	const struct policy_set *set = d->side[s]->set;
	int r = 0;

	for (size_t i = 0; i < set->workloads.n && r == 0; i++) {
		const struct workload *workload = set->workloads.item[i], *other;
		const char *name = diff_workload_name(&d->diff->arena, workload);
		const struct image_workload *pair[DIFF_SIDES];
		bool revoked[DIFF_SIDES] = { false };

		if (!name)
			return -ENOMEM;
		other = case_workload(d->side[!s]->set, name);
		if (!other) {
			r = diff_names_add(&d->diff->arena, lonely, name);
			continue;
		}
		pair[0] = diff_subject(d->side[0]->image, workload);
		pair[1] = diff_subject(d->side[1]->image, other);
		for (int k = 0; k < DIFF_SIDES && pair[0] && pair[1]; k++)
			revoked[k] = party_is_revoked(d->side[k]->image, pair[k], 0);
		if (s == 0 && pair[0] && pair[1])
			r = add_pair(d, pair, revoked, name);
	}
	return r;
}

/* Sockets of no workload have rules as well. */
static int add_unmanaged(struct differ *d)
{
	struct image_workload pair[DIFF_SIDES] = { 0 };

	for (int s = 0; s < DIFF_SIDES; s++) {
		memcpy(pair[s].ruleset, d->side[s]->image->unmanaged_ruleset,
		       sizeof(pair[s].ruleset));
		pair[s].host_network = true;
	}
	return add_pair(d, (const struct image_workload *const[]){ &pair[0], &pair[1] },
			(const bool[DIFF_SIDES]){ false, false }, entity_name(CS_ENTITY_UNMANAGED));
}

int diff_find_subjects(struct differ *d)
{
	int r;

	r = find_on_side(d, 0, &d->diff->removed);
	if (r == 0)
		r = find_on_side(d, 1, &d->diff->added);
	return r < 0 ? r : add_unmanaged(d);
}
