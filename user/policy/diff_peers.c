/* SPDX-License-Identifier: Apache-2.0 */
/* Peers, by what rules can see of them. */
#include "user/policy/cases.h"
#include "user/policy/diff_parts.h"
#include "user/policy/party.h"

/* What makes two peers the same; compared as bytes, so there are no holes. */
struct peer_key {
	uint32_t row[DIFF_SIDES];
	uint32_t class_row[DIFF_SIDES];
	uint32_t verifiable;
	uint32_t host;
	uint32_t revoked[DIFF_SIDES];
};

int diff_names_add(struct arena *arena, struct diff_names *names, const char *name)
{
	void *item = arena_grow(arena, names->item, names->n, &names->capacity, sizeof(name));

	if (!item || !name)
		return -ENOMEM;
	names->item = item;
	names->item[names->n++] = name;
	return 0;
}

int diff_members_add(struct arena *arena, struct diff_members *members,
		     const struct diff_member *member)
{
	void *item =
		arena_grow(arena, members->item, members->n, &members->capacity, sizeof(*member));

	if (!item || !member->name)
		return -ENOMEM;
	members->item = item;
	members->item[members->n++] = *member;
	return 0;
}

const char *diff_workload_name(struct arena *arena, const struct workload *workload)
{
	size_t size = strlen(workload->namespace) + strlen(workload->name) + 2;
	char *name = arena_alloc(arena, size);

	if (name)
		snprintf(name, size, "%s/%s", workload->namespace, workload->name);
	return name;
}

const struct image_workload *diff_subject(const struct image *image,
					  const struct workload *workload)
{
	for (size_t i = 0; i < image->n_workloads; i++)
		if (streq(image->workloads[i].name, workload->name) &&
		    streq(image->workloads[i].namespace, workload->namespace))
			return &image->workloads[i];
	return NULL;
}

/* The row of the longest prefix that covers @cidr, 0: none does. */
static uint32_t class_row(const struct image *image, const struct cs_cidr *cidr)
{
	const struct image_class *best = NULL;

	for (size_t i = 0; i < image->n_classes; i++) {
		const struct image_class *class = &image->classes[i];

		if (cidr_covers(&class->prefix, cidr) &&
		    (!best || class->prefix.prefixlen > best->prefix.prefixlen))
			best = class;
	}
	return best ? best->row : 0;
}

static uint32_t identity_row(const struct image *image, uint64_t identity)
{
	for (size_t i = 0; i < image->n_identities; i++)
		if (image->identities[i].identity == identity)
			return image->identities[i].row;
	return 0;
}

static const struct image_endpoint *endpoint_at(const struct image *image,
						const struct cs_addr *addr)
{
	for (size_t i = 0; i < image->n_endpoints; i++)
		if (memcmp(&image->endpoints[i].addr, addr, sizeof(*addr)) == 0)
			return &image->endpoints[i];
	return NULL;
}

/* Whoever has that name, judged here or not (foreign ones are not); 0: nobody can tell. */
static uint64_t identity_of(const struct image *image, const struct workload *workload)
{
	const struct image_workload *subject = diff_subject(image, workload);
	const struct image_endpoint *endpoint = NULL;

	if (subject)
		return subject->identity;
	if (workload->n_addresses && !workload->host_network)
		endpoint = endpoint_at(image, &workload->addresses[0]);
	if (endpoint && !(endpoint->flags & CS_ENDPOINT_SHARED))
		return endpoint->identity;
	for (size_t i = 0; i < image->n_identities; i++)
		if (streq(image->identities[i].namespace, workload->namespace) &&
		    streq(image->identities[i].workload, workload->name))
			return image->identities[i].identity;
	return 0;
}

static int add_peer(struct differ *d, const struct peer_key *key, const struct diff_member *member)
{
	struct peer_key *kept;
	uint32_t i;
	void *item;
	int r;

	if (keymap_get(&d->peer_keys, key, sizeof(*key), &i))
		return diff_members_add(&d->arena, &d->peers[i].members, member);
	item = arena_grow(&d->arena, d->peers, d->n_peers, &d->peers_capacity, sizeof(*d->peers));
	kept = arena_alloc(&d->arena, sizeof(*kept));
	if (!item || !kept)
		return -ENOMEM;
	d->peers = item;
	*kept = *key;
	r = keymap_put(&d->peer_keys, kept, sizeof(*kept), (uint32_t)d->n_peers);
	if (r < 0)
		return r;
	d->peers[d->n_peers] = (struct diff_peer){
		.row = { key->row[0], key->row[1] },
		.class_row = { key->class_row[0], key->class_row[1] },
		.verifiable = key->verifiable,
		.host = key->host,
		.revoked = { key->revoked[0], key->revoked[1] },
	};
	return diff_members_add(&d->arena, &d->peers[d->n_peers++].members, member);
}

/* The i-th address; a side that has fewer is taken at its last one. */
static bool address_at(const struct workload *workload, size_t i, struct cs_cidr *ret)
{
	if (!workload->n_addresses)
		return false;
	*ret = cidr_of(workload->addresses[MIN(i, workload->n_addresses - 1)].word, ADDRESS_BITS);
	return true;
}

/* What the rules can see of a workload at its i-th address. */
static struct peer_key key_at(const struct differ *d,
			      const struct workload *const workload[static 2],
			      const struct peer_key *base, size_t i)
{
	struct peer_key key = *base;
	struct cs_cidr cidr;

	for (int s = 0; s < DIFF_SIDES; s++)
		if (address_at(workload[s], i, &cidr))
			key.class_row[s] = class_row(d->side[s]->image, &cidr);
	return key;
}

/* "10.0.0.1"; NULL without memory. */
static const char *address_text(struct differ *d, const struct workload *workload, size_t i)
{
	struct cs_cidr cidr = { 0 };
	char text[CIDR_TEXT_MAX];

	if (!address_at(workload, i, &cidr))
		return "no address";
	cidr_text(&cidr, text);
	*strchrnul(text, '/') = '\0';
	return arena_strdup(&d->diff->arena, text);
}

/* A workload that both sides have: once per address that rules can tell from the others. */
static int add_workload_peer(struct differ *d, const struct workload *const workload[static 2],
			     const char *name)
{
	size_t n = MAX(MAX(workload[0]->n_addresses, workload[1]->n_addresses), (size_t)1);
	struct diff_member member = { .name = name };
	struct peer_key base = { .verifiable = true };
	size_t first[MODEL_ADDRESSES_MAX]; /* addresses with a key of their own */
	int r = 0;

	for (int s = 0; s < DIFF_SIDES; s++) {
		const struct image *image = d->side[s]->image;
		uint64_t identity = identity_of(image, workload[s]);

		if (!identity)
			return 0;
		base.row[s] = identity_row(image, identity);
		base.revoked[s] =
			party_is_revoked(image, diff_subject(image, workload[s]), identity);
	}
	for (size_t i = 0; i < MIN(n, (size_t)MODEL_ADDRESSES_MAX); i++) {
		const struct peer_key key = key_at(d, workload, &base, i);
		bool seen = false;

		for (uint32_t k = 0; k < member.of && !seen; k++) {
			const struct peer_key other = key_at(d, workload, &base, first[k]);

			seen = memcmp(&key, &other, sizeof(key)) == 0;
		}
		if (!seen)
			first[member.of++] = i;
	}
	for (uint32_t i = 0; i < member.of && r == 0; i++) {
		const struct peer_key key = key_at(d, workload, &base, first[i]);

		if (member.of > 1) {
			member.address = address_text(d, workload[1], first[i]);
			r = member.address ? 0 : -ENOMEM;
		}
		if (r == 0)
			r = add_peer(d, &key, &member);
	}
	return r;
}

static int add_workload_peers(struct differ *d)
{
	const struct policy_set *set = d->side[0]->set;
	int r = 0;

	for (size_t i = 0; i < set->workloads.n && r == 0; i++) {
		const struct workload *pair[] = { set->workloads.item[i], NULL };
		const char *name = diff_workload_name(&d->diff->arena, pair[0]);

		if (!name)
			return -ENOMEM;
		pair[1] = case_workload(d->side[1]->set, name);
		if (pair[1])
			r = add_workload_peer(d, pair, name);
	}
	return r;
}

static int add_entities(struct differ *d)
{
	int r = 0;

	for (uint64_t entity = 1; entity < CS_IDENTITY_FIRST && r == 0; entity++) {
		struct peer_key key = { .host = entity == CS_ENTITY_HOST };

		if (!entity_name(entity))
			continue;
		for (int s = 0; s < DIFF_SIDES; s++)
			key.row[s] = identity_row(d->side[s]->image, entity);
		r = add_peer(d, &key,
			     &(struct diff_member){ .name = entity_name(entity), .of = 1 });
	}
	return r;
}

/* A node's address, or the API server's: CIDRs may mean it as well. */
static int add_entity_address(struct differ *d, const struct image_endpoint *endpoint)
{
	const struct cs_cidr host = cidr_of(endpoint->addr.word, ADDRESS_BITS);
	char cidr[CIDR_TEXT_MAX], text[CIDR_TEXT_MAX + 32];
	struct diff_member member = { .of = 1 };
	struct peer_key key = { 0 };

	for (int s = 0; s < DIFF_SIDES; s++) {
		const struct image *image = d->side[s]->image;
		const struct image_endpoint *found = endpoint_at(image, &endpoint->addr);

		key.row[s] = identity_row(image, found ? found->identity : CS_ENTITY_WORLD);
		key.class_row[s] = class_row(image, &host);
		if (found &&
		    (found->identity >= CS_IDENTITY_FIRST || found->flags & CS_ENDPOINT_SHARED))
			return 0; /* a workload's on one side: it is added or removed */
	}
	if (!key.class_row[0] && !key.class_row[1])
		return 0; /* the entity itself stands for it */
	cidr_text(&host, cidr);
	*strchrnul(cidr, '/') = '\0';
	snprintf(text, sizeof(text), "%s %s", entity_name(endpoint->identity), cidr);
	member.name = arena_strdup(&d->diff->arena, text);
	return add_peer(d, &key, &member);
}

static int add_entity_addresses(struct differ *d)
{
	int r = 0;

	for (int s = 0; s < DIFF_SIDES; s++) {
		const struct image *image = d->side[s]->image;

		for (size_t i = 0; i < image->n_endpoints && r == 0; i++) {
			const struct image_endpoint *endpoint = &image->endpoints[i];

			if (endpoint->identity < CS_IDENTITY_FIRST &&
			    entity_name(endpoint->identity) &&
			    (!s || !endpoint_at(d->side[0]->image, &endpoint->addr)))
				r = add_entity_address(d, endpoint);
		}
	}
	return r;
}

/* The addresses of a prefix that belong to nobody. */
static int add_prefix(struct differ *d, const struct cs_cidr *prefix)
{
	struct peer_key key = { 0 };
	char text[CIDR_TEXT_MAX];

	for (int s = 0; s < DIFF_SIDES; s++) {
		key.row[s] = identity_row(d->side[s]->image, CS_ENTITY_WORLD);
		key.class_row[s] = class_row(d->side[s]->image, prefix);
	}
	if (!key.class_row[0] && !key.class_row[1])
		return 0; /* like the rest of the world */
	cidr_text(prefix, text);
	return add_peer(d, &key,
			&(struct diff_member){ .name = arena_strdup(&d->diff->arena, text),
					       .of = 1 });
}

static bool has_prefix(const struct image *image, const struct cs_cidr *prefix)
{
	for (size_t i = 0; i < image->n_classes; i++)
		if (memcmp(&image->classes[i].prefix, prefix, sizeof(*prefix)) == 0)
			return true;
	return false;
}

static int add_prefixes(struct differ *d)
{
	int r = 0;

	for (int s = 0; s < DIFF_SIDES; s++) {
		const struct image *image = d->side[s]->image;

		for (size_t i = 0; i < image->n_classes && r == 0; i++)
			if (!s || !has_prefix(d->side[0]->image, &image->classes[i].prefix))
				r = add_prefix(d, &image->classes[i].prefix);
	}
	return r;
}

int diff_find_peers(struct differ *d)
{
	int r;

	r = add_workload_peers(d);
	if (r == 0)
		r = add_entities(d);
	if (r == 0)
		r = add_entity_addresses(d);
	return r < 0 ? r : add_prefixes(d);
}
