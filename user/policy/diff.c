/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/diff.h"

#include "user/identity/bytes.h"
#include "user/policy/diff_parts.h"

/* Peers of one group of subjects for whom the same changes: found by the spans' bytes. */
struct bundle {
	struct diff_span *spans;
	size_t n_spans;
	struct diff_members members;
};

struct bundles {
	struct bundle *item;
	size_t n;
	size_t capacity;
	struct keymap keys;
};

void diff_done(struct diff *diff)
{
	arena_done(&diff->arena);
	*diff = (struct diff){ 0 };
}

/* The subjects of a change, but for one that would be its own only peer. */
static int add_subjects(struct differ *d, struct diff_change *change, const struct diff_names *more)
{
	const char *self = change->peers.n == 1 ? change->peers.item[0] : "";
	int r = 0;

	for (size_t i = 0; i < more->n && r == 0; i++)
		if (!streq(more->item[i], self))
			r = diff_names_add(&d->diff->arena, &change->subjects, more->item[i]);
	return r;
}

static int bundle_of(struct differ *d, struct bundles *bundles, const struct diff_spans *spans,
		     struct bundle **ret)
{
	size_t size = spans->n * sizeof(*spans->item);
	struct bundle *bundle;
	uint32_t i;
	void *item;

	if (keymap_get(&bundles->keys, spans->item, size, &i)) {
		*ret = &bundles->item[i];
		return 0;
	}
	item = arena_grow(&d->arena, bundles->item, bundles->n, &bundles->capacity,
			  sizeof(*bundles->item));
	if (!item)
		return -ENOMEM;
	bundles->item = item;
	bundle = &bundles->item[bundles->n];
	*bundle = (struct bundle){ .n_spans = spans->n };
	bundle->spans = arena_alloc(&d->arena, size);
	if (!bundle->spans)
		return -ENOMEM;
	memcpy(bundle->spans, spans->item, size);
	*ret = bundle;
	return keymap_put(&bundles->keys, bundle->spans, size, (uint32_t)bundles->n++);
}

/* A single subject's connections with itself always pass: they are no change. */
static int add_members(struct differ *d, const struct diff_subject *subject,
		       const struct diff_peer *peer, struct diff_members *ret)
{
	const char *self = subject->names.n == 1 ? subject->names.item[0] : "";
	int r = 0;

	for (size_t i = 0; i < peer->members.n && r == 0; i++)
		if (!streq(peer->members.item[i].name, self))
			r = diff_members_add(&d->arena, ret, &peer->members.item[i]);
	return r;
}

/* How many of the members before @n have the name of member @i. */
static uint32_t count_name(const struct diff_members *members, size_t i, size_t n)
{
	uint32_t count = 0;

	for (size_t k = 0; k < n; k++)
		count += streq(members->item[k].name, members->item[i].name);
	return count;
}

/* The members' names; a workload of which only some addresses are meant, with those. */
static int name_members(struct differ *d, const struct diff_members *members,
			struct diff_names *ret)
{
	int r = 0;

	for (size_t i = 0; i < members->n && r == 0; i++) {
		const struct diff_member *member = &members->item[i];
		const char *name = member->name;

		if (member->of > 1 && count_name(members, i, members->n) < member->of) {
			size_t size = strlen(name) + strlen(member->address) + 4;
			char *full = arena_alloc(&d->diff->arena, size);

			if (full)
				snprintf(full, size, "%s (%s)", name, member->address);
			name = full;
		} else if (member->of > 1 && count_name(members, i, i)) {
			continue;
		}
		r = diff_names_add(&d->diff->arena, ret, name);
	}
	return r;
}

/* What a change is, but for its subjects: those that share it become one. */
static void encode(const struct diff_change *change, struct bytes *ret)
{
	const struct diff_outcome *outcomes[] = { &change->before, &change->after };

	bytes_put_u8(ret, change->direction);
	bytes_put_u8(ret, change->authentication);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		bytes_put_u32(ret, outcomes[i]->rule);
		bytes_put_u8(ret, outcomes[i]->verdict);
		bytes_put_u8(ret, outcomes[i]->reason);
	}
	bytes_put_u32(ret, (uint32_t)change->n_ports);
	for (size_t i = 0; i < change->n_ports; i++) {
		bytes_put_u8(ret, change->ports[i].protocol);
		bytes_put_u16(ret, change->ports[i].min);
		bytes_put_u16(ret, change->ports[i].max);
	}
	for (size_t i = 0; i < change->peers.n; i++)
		bytes_put_string(ret, change->peers.item[i]);
}

static int add_change(struct differ *d, const struct diff_change *change,
		      const struct diff_names *subjects)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };
	struct diff *diff = d->diff;
	void *key, *item;
	uint32_t i;
	int r;

	encode(change, &bytes);
	if (bytes.failed)
		return -ENOMEM;
	if (keymap_get(&d->change_keys, bytes.data, bytes.n, &i))
		return add_subjects(d, &diff->changes[i], subjects);
	if (diff->n == DIFF_CHANGES_MAX)
		return -ENOSPC;
	key = arena_alloc(&d->arena, bytes.n);
	item = arena_grow(&diff->arena, diff->changes, diff->n, &diff->capacity,
			  sizeof(*diff->changes));
	if (!key || !item)
		return -ENOMEM;
	memcpy(key, bytes.data, bytes.n);
	diff->changes = item;
	r = keymap_put(&d->change_keys, key, bytes.n, (uint32_t)diff->n);
	if (r < 0)
		return r;
	diff->changes[diff->n] = *change;
	return add_subjects(d, &diff->changes[diff->n++], subjects);
}

static bool same_change(const struct diff_span *a, const struct diff_span *b)
{
	return a->authentication == b->authentication &&
	       memcmp(&a->before, &b->before, sizeof(a->before)) == 0 &&
	       memcmp(&a->after, &b->after, sizeof(a->after)) == 0;
}

/* The ports of all spans that say what the @first one says. */
static int collect_ports(struct differ *d, const struct bundle *bundle, size_t first,
			 struct diff_change *change)
{
	change->ports = arena_alloc(&d->diff->arena, bundle->n_spans * sizeof(*change->ports));
	if (!change->ports)
		return -ENOMEM;
	for (size_t i = first; i < bundle->n_spans; i++)
		if (same_change(&bundle->spans[first], &bundle->spans[i]))
			change->ports[change->n_ports++] = bundle->spans[i].ports;
	return 0;
}

static int add_bundle(struct differ *d, const struct diff_subject *subject,
		      const struct bundle *bundle)
{
	struct diff_names peers = { 0 };
	int r;

	r = name_members(d, &bundle->members, &peers);
	for (size_t i = 0; i < bundle->n_spans && peers.n && r == 0; i++) {
		const struct diff_span *span = &bundle->spans[i];
		struct diff_change change = {
			.peers = peers,
			.before = span->before,
			.after = span->after,
			.direction = subject->direction,
			.authentication = span->authentication,
		};
		bool earlier = false;

		for (size_t k = 0; k < i && !earlier; k++)
			earlier = same_change(&bundle->spans[k], span);
		if (earlier)
			continue;
		r = collect_ports(d, bundle, i, &change);
		if (r == 0)
			r = add_change(d, &change, &subject->names);
	}
	return r;
}

static int compare_subject(struct differ *d, const struct diff_subject *subject,
			   struct bundles *bundles, struct diff_spans *spans)
{
	int r = 0;

	for (size_t i = 0; i < d->n_peers && r == 0; i++) {
		struct bundle *bundle;

		r = diff_judge(d, subject, &d->peers[i], spans);
		if (r < 0 || !spans->n)
			continue;
		r = bundle_of(d, bundles, spans, &bundle);
		if (r == 0)
			r = add_members(d, subject, &d->peers[i], &bundle->members);
	}
	for (size_t i = 0; i < bundles->n && r == 0; i++)
		r = add_bundle(d, subject, &bundles->item[i]);
	return r;
}

static int compare(struct differ *d)
{
	struct diff_spans spans = { 0 };
	int r;

	r = diff_find_peers(d);
	if (r == 0)
		r = diff_find_subjects(d);
	for (size_t i = 0; i < d->n_subjects && r == 0; i++) {
		struct bundles bundles = { 0 };

		r = compare_subject(d, &d->subjects[i], &bundles, &spans);
		keymap_done(&bundles.keys);
	}
	return r;
}

int policy_diff(const struct diff_side *before, const struct diff_side *after, uint64_t now_ns,
		struct diff *ret)
{
	struct differ d = { .side = { before, after }, .now_ns = now_ns, .diff = ret };
	int r;

	*ret = (struct diff){ 0 };
	r = compare(&d);
	keymap_done(&d.peer_keys);
	keymap_done(&d.subject_keys);
	keymap_done(&d.change_keys);
	arena_done(&d.arena);
	return r;
}
