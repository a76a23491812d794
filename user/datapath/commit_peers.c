/* SPDX-License-Identifier: Apache-2.0 */
/* Who peers are: identities, CIDR classes, addresses. */
#include "user/datapath/commit.h"

#define PREFIX_LENGTHS 129 /* 0 to 128 */

/* ---- identities ---- */

static int place_peer(struct commit *c, size_t i)
{
	const struct image_identity *identity = &c->image->identities[i];
	struct change change = { .table = commit_table(c, TABLE_PEERS) };
	struct cs_peer *peer;
	int r = table_take(c->dp, change.table, &change.to);

	if (r < 0)
		return r;
	c->peers[i] = change.to;
	peer = &c->dp->view.peers[change.to];
	peer->identity = identity->identity;
	peer->name = c->names[identity->name_index];
	peer->row[c->bank] = identity->row;
	peer->row[!c->bank] = 0; /* as if unknown */
	return commit_change(c, change, &identity->identity);
}

/* A page that is not written to stays clean in every processor's cache. */
static void write_row(uint32_t *row, uint32_t value)
{
	if (*row != value)
		*row = value;
}

/* Identities that the image does not have: as if unknown. */
static void forget_peers(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_PEERS);

	for (uint32_t slot = 1; slot < table->slots.top; slot++)
		if (slots_is_bound(&table->slots, slot) && !commit_wants(c, table, slot))
			c->dp->view.peers[slot].row[c->bank] = 0;
}

int commit_peers(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_PEERS);
	const struct image_identity *identity;
	uint32_t slot;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->image->n_identities; i++) {
		identity = &c->image->identities[i];
		if (identity->gone)
			continue;
		slot = slots_find(&table->slots, &identity->identity);
		if (!slot) {
			r = place_peer(c, i);
			continue;
		}
		if (commit_wants(c, table, slot))
			return datapath_fail(-EINVAL, "identity %#llx: is there twice",
					     (unsigned long long)identity->identity);
		c->peers[i] = slot;
		commit_want(c, table, slot);
		write_row(&c->dp->view.peers[slot].row[c->bank], identity->row);
	}
	forget_peers(c);
	return r;
}

/* ---- classes ---- */

/* Which prefix lengths there are: what covering_class() need not try. */
static void prefix_lengths(const struct table *table, bool ret[static PREFIX_LENGTHS])
{
	const struct cs_cidr *cidr;

	memset(ret, 0, PREFIX_LENGTHS * sizeof(*ret));
	for (uint32_t slot = 1; slot < table->slots.top; slot++) {
		if (!slots_is_bound(&table->slots, slot))
			continue;
		cidr = slots_key(&table->slots, slot);
		ret[cidr->prefixlen] = true;
	}
}

/* @cidr with all bits after the first @length cleared. */
static struct cs_cidr shorten(const struct cs_cidr *cidr, unsigned int length)
{
	struct cs_cidr ret = { .prefixlen = length };
	const unsigned char *from = (const unsigned char *)cidr->word;
	unsigned char *to = (unsigned char *)ret.word;

	memcpy(to, from, length / 8);
	if (length % 8)
		to[length / 8] = from[length / 8] & (0xff00 >> (length % 8));
	return ret;
}

/* The longest shorter prefix around @cidr; only of those the image wants if @wanted. */
static uint32_t covering_class(const struct commit *c, const struct cs_cidr *cidr,
			       const bool lengths[static PREFIX_LENGTHS], bool wanted)
{
	const struct table *table = commit_table(c, TABLE_CLASSES);
	struct cs_cidr shorter;
	uint32_t slot;

	for (unsigned int length = cidr->prefixlen; length-- > 0;) {
		if (!lengths[length])
			continue;
		shorter = shorten(cidr, length);
		slot = slots_find(&table->slots, &shorter);
		if (slot && (!wanted || commit_wants(c, table, slot)))
			return slot;
	}
	return 0;
}

/*
 * Slots for the image's classes. A new one is not bound yet, so that covering_class()
 * finds for all of them what covers them in the policy in force.
 */
static int prepare_classes(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_CLASSES);
	struct cs_class *classes = c->dp->view.classes;
	const struct image_class *class_;
	bool lengths[PREFIX_LENGTHS];
	uint32_t slot;
	int r;

	prefix_lengths(table, lengths);
	for (size_t i = 0; i < c->image->n_classes; i++) {
		class_ = &c->image->classes[i];
		slot = slots_find(&table->slots, &class_->prefix);
		if (slot) {
			classes[slot].row[c->bank] = class_->row;
			commit_want(c, table, slot);
		} else {
			r = table_take(c->dp, table, &slot);
			if (r < 0)
				return r;
			classes[slot] = (struct cs_class){ .flags = class_->flags };
			classes[slot].row[c->bank] = class_->row;
			classes[slot].row[!c->bank] =
				classes[covering_class(c, &class_->prefix, lengths, false)]
					.row[!c->bank];
		}
		c->classes[i + 1] = slot;
	}
	return 0;
}

/* Binds what prepare_classes() took; when that failed (@r), or this does, drops it. */
static int insert_classes(struct commit *c, int r)
{
	struct table *table = commit_table(c, TABLE_CLASSES);
	const struct cs_cidr *prefix;
	uint32_t slot;

	for (size_t i = 0; i < c->image->n_classes; i++) {
		prefix = &c->image->classes[i].prefix;
		slot = c->classes[i + 1];
		if (!slot || slots_is_bound(&table->slots, slot))
			continue;
		if (r >= 0 && slots_find(&table->slots, prefix))
			r = datapath_fail(-EINVAL, "a CIDR class is there twice");
		if (r >= 0)
			r = commit_change(c, (struct change){ .table = table, .to = slot }, prefix);
		else
			slots_drop(&table->slots, slot);
	}
	return r;
}

/* Prefixes that the image does not have mean, in its bank, what covers them there. */
static void forget_classes(struct commit *c)
{
	struct table *table = commit_table(c, TABLE_CLASSES);
	struct cs_class *classes = c->dp->view.classes;
	bool lengths[PREFIX_LENGTHS];
	uint32_t cover;

	prefix_lengths(table, lengths);
	for (uint32_t slot = 1; slot < table->slots.top; slot++) {
		if (!slots_is_bound(&table->slots, slot) || commit_wants(c, table, slot))
			continue;
		cover = covering_class(c, slots_key(&table->slots, slot), lengths, true);
		classes[slot].row[c->bank] = classes[cover].row[c->bank];
	}
}

int commit_classes(struct commit *c)
{
	int r = insert_classes(c, prepare_classes(c));

	if (r >= 0)
		forget_classes(c);
	return r;
}

/* ---- addresses ---- */

/* Whether the change to class @to must wait for the epoch: @from covers less. */
static bool is_shorter_class(const struct commit *c, uint32_t from, uint32_t to)
{
	const struct slots *slots = &commit_table(c, TABLE_CLASSES)->slots;
	const struct cs_cidr *x = slots_key(slots, from), *y = slots_key(slots, to);

	return from && from != to && (!to || y->prefixlen < x->prefixlen);
}

static int place_endpoint(struct commit *c, const struct cs_endpoint *endpoint, uint32_t from)
{
	struct cs_endpoint *endpoints = c->dp->view.endpoints;
	struct change change = { .table = commit_table(c, TABLE_ENDPOINTS), .from = from };
	int r = table_take(c->dp, change.table, &change.to);

	if (r < 0)
		return r;
	endpoints[change.to] = *endpoint;
	if (from && is_shorter_class(c, endpoints[from].class_, endpoint->class_))
		return commit_defer(c, change, &endpoint->addr);
	return commit_change(c, change, &endpoint->addr);
}

static int commit_endpoint(struct commit *c, const struct image_endpoint *wanted)
{
	struct table *table = commit_table(c, TABLE_ENDPOINTS);
	uint32_t slot = slots_find(&table->slots, &wanted->addr);
	struct cs_endpoint endpoint = {
		.addr = wanted->addr,
		.identity = wanted->identity,
		.class_ = c->classes[wanted->class_index],
		.workload = wanted->workload_index ? c->workloads[wanted->workload_index - 1] : 0,
		.flags = wanted->flags,
	};

	if (slot && commit_wants(c, table, slot))
		return datapath_fail(-EINVAL, "an address is there twice");
	if (!slot || memcmp(&c->dp->view.endpoints[slot], &endpoint, sizeof(endpoint)) != 0)
		return place_endpoint(c, &endpoint, slot);
	commit_want(c, table, slot);
	return 0;
}

int commit_endpoints(struct commit *c)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->image->n_endpoints; i++)
		if (!c->image->endpoints[i].gone)
			r = commit_endpoint(c, &c->image->endpoints[i]);
	return r;
}

/* ---- after the epoch ---- */

static void settle(uint32_t *word, uint32_t value)
{
	if (*word != value)
		__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void commit_settle(struct commit *c)
{
	const struct image *image = c->image;
	const struct views *view = &c->dp->view;

	for (size_t i = 0; i < image->n_workloads; i++)
		settle(&view->workloads[c->workloads[i]].name,
		       c->names[image->workloads[i].name_index]);
	for (size_t i = 0; i < image->n_identities; i++)
		if (!image->identities[i].gone)
			settle(&view->peers[c->peers[i]].name,
			       c->names[image->identities[i].name_index]);
	for (size_t i = 0; i < image->n_classes; i++)
		settle(&view->classes[c->classes[i + 1]].flags, image->classes[i].flags);
}
