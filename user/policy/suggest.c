/* SPDX-License-Identifier: Apache-2.0 */
/* What was seen, sorted by who may want to talk to whom. */
#include "user/policy/suggest.h"

#include "user/identity/bytes.h"
#include "user/policy/names.h"

void suggestion_done(struct suggestion *suggestion)
{
	for (size_t i = 0; i < suggestion->n; i++)
		for (int d = 0; d < CS_DIRECTIONS; d++)
			keymap_done(&suggestion->subjects[i].peers[d].keys);
	keymap_done(&suggestion->keys);
	arena_done(&suggestion->arena);
	*suggestion = (struct suggestion){ 0 };
}

/* What a policy can say of a workload: its labels but for the noise, and its account. */
static int keep_workload(struct arena *arena, const struct suggest_party *party,
			 struct suggest_party *ret)
{
	struct label *labels = arena_alloc(arena, (party->labels.n + 1) * sizeof(*labels));
	bool account = *party->service_account && !dns_subdomain_problem(party->service_account);

	*ret = (struct suggest_party){
		.namespace = arena_strdup(arena, party->namespace),
		.name = arena_strdup(arena, party->name),
		.service_account = arena_strdup(arena, account ? party->service_account : ""),
		.labels = { .item = labels },
		.entity = "",
		.address = "",
	};
	if (!labels || !ret->namespace || !ret->name || !ret->service_account)
		return -ENOMEM;
	for (size_t i = 0; i < party->labels.n; i++) {
		const struct label *label = &party->labels.item[i];

		if (identity_label_is_noise(label->key) || label_key_problem(label->key) ||
		    label_value_problem(label->value))
			continue;
		labels[ret->labels.n].key = arena_strdup(arena, label->key);
		labels[ret->labels.n].value = arena_strdup(arena, label->value);
		if (!labels[ret->labels.n].key || !labels[ret->labels.n].value)
			return -ENOMEM;
		ret->labels.n++;
	}
	return ret->labels.n || account ? 0 : -ENOENT;
}

/* A party as it is kept. -ENOENT: no policy can name it. */
static int keep_party(struct arena *arena, const struct suggest_party *party,
		      struct suggest_party *ret)
{
	struct cs_addr addr;

	if (*party->namespace)
		return dns_label_problem(party->namespace) ? -ENOENT
							   : keep_workload(arena, party, ret);
	*ret = (struct suggest_party){
		.namespace = "", .name = "", .service_account = "", .entity = "", .address = ""
	};
	if (*party->address && !address_parse(party->address, &addr)) {
		ret->address = arena_strdup(arena, party->address);
		return ret->address ? 0 : -ENOMEM;
	}
	if (!entity_by_name(party->entity))
		return -ENOENT;
	ret->entity = entity_name(entity_by_name(party->entity));
	return 0;
}

static void encode_labels(const struct suggest_party *party, struct bytes *ret)
{
	for (size_t i = 0; i < party->labels.n; i++) {
		bytes_put_string(ret, party->labels.item[i].key);
		bytes_put_string(ret, party->labels.item[i].value);
	}
}

/* A subject is its labels, for want of those its account; a peer is its account first. */
static void encode(const struct suggest_party *party, bool by_labels, struct bytes *ret)
{
	bytes_put_string(ret, party->namespace);
	bytes_put_string(ret, party->entity);
	bytes_put_string(ret, party->address);
	if (by_labels ? !party->labels.n : *party->service_account != '\0')
		bytes_put_string(ret, party->service_account);
	else
		encode_labels(party, ret);
}

static int put_key(struct arena *arena, struct keymap *keys, const struct bytes *bytes,
		   size_t value)
{
	char *copy = arena_strndup(arena, (const char *)bytes->data, bytes->n);

	return copy ? keymap_put(keys, copy, bytes->n, (uint32_t)value) : -ENOMEM;
}

static int subject_of(struct suggestion *s, const struct suggest_party *party,
		      struct suggest_subject **ret)
{
	_cleanup_bytes_ struct bytes key = { 0 };
	uint32_t i;
	void *item;
	int r;

	encode(party, /* by_labels= */ true, &key);
	if (key.failed)
		return -ENOMEM;
	if (keymap_get(&s->keys, key.data, key.n, &i)) {
		*ret = &s->subjects[i];
		return 0;
	}
	if (s->n == SUGGEST_SUBJECTS_MAX)
		return -ENOSPC;
	item = arena_grow(&s->arena, s->subjects, s->n, &s->capacity, sizeof(*s->subjects));
	if (!item)
		return -ENOMEM;
	s->subjects = item;
	r = put_key(&s->arena, &s->keys, &key, s->n);
	if (r < 0)
		return r;
	*ret = &s->subjects[s->n++];
	**ret = (struct suggest_subject){ .party = *party };
	return 0;
}

static int peer_of(struct suggestion *s, struct suggest_subject *subject, unsigned int direction,
		   const struct suggest_party *party, struct suggest_peer **ret)
{
	__typeof__(&subject->peers[0]) peers = &subject->peers[direction];
	_cleanup_bytes_ struct bytes key = { 0 };
	struct cs_addr addr;
	uint32_t i;
	void *item;
	int r;

	encode(party, /* by_labels= */ false, &key);
	if (key.failed)
		return -ENOMEM;
	if (keymap_get(&peers->keys, key.data, key.n, &i)) {
		*ret = &peers->item[i];
		return 0;
	}
	if (peers->n == SUGGEST_PEERS_MAX)
		return -ENOSPC;
	item = arena_grow(&s->arena, peers->item, peers->n, &peers->capacity, sizeof(*peers->item));
	if (!item)
		return -ENOMEM;
	peers->item = item;
	r = put_key(&s->arena, &peers->keys, &key, peers->n);
	if (r < 0)
		return r;
	*ret = &peers->item[peers->n++];
	**ret = (struct suggest_peer){ .party = *party };
	if (*party->address && !address_parse(party->address, &addr)) {
		const struct cs_cidr host = cidr_of(addr.word, ADDRESS_BITS);

		cidr_text(&host, (*ret)->cidr);
	}
	return 0;
}

static int port_of(struct suggestion *s, struct suggest_peer *peer, const struct suggest_flow *flow,
		   struct suggest_port **ret)
{
	void *item;

	for (size_t i = 0; i < peer->n; i++) {
		*ret = &peer->ports[i];
		if ((*ret)->port == flow->port && (*ret)->protocol == flow->protocol)
			return 0;
	}
	if (peer->n == SUGGEST_PORTS_MAX)
		return -ENOSPC;
	item = arena_grow(&s->arena, peer->ports, peer->n, &peer->capacity, sizeof(**ret));
	if (!item)
		return -ENOMEM;
	peer->ports = item;
	*ret = &peer->ports[peer->n++];
	**ret = (struct suggest_port){ .port = flow->port, .protocol = flow->protocol };
	return 0;
}

/* Only what looks like a time gets into a comment of a manifest. */
static bool is_time(const char *text, size_t size)
{
	size_t n = strlen(text);

	return n > 0 && n < size && strspn(text, "0123456789-:.+TZ") == n;
}

static void note(struct suggest_port *port, const struct suggest_flow *flow)
{
	port->count += flow->count;
	port->own |= flow->own;
	port->unverified |= flow->own && !flow->verified;
	if (is_time(flow->first, sizeof(port->first)) &&
	    (!*port->first || strcmp(flow->first, port->first) < 0))
		strcpy(port->first, flow->first);
	if (is_time(flow->last, sizeof(port->last)) && strcmp(flow->last, port->last) > 0)
		strcpy(port->last, flow->last);
}

int suggest_add(struct suggestion *s, const struct suggest_flow *flow)
{
	struct suggest_party subject, peer;
	struct suggest_subject *kept;
	struct suggest_peer *kept_peer;
	struct suggest_port *port;
	int r;

	if (!*flow->subject.namespace)
		return -ENOENT;
	r = keep_party(&s->arena, &flow->subject, &subject);
	if (r == 0)
		r = keep_party(&s->arena, &flow->peer, &peer);
	if (r == 0)
		r = subject_of(s, &subject, &kept);
	if (r == 0)
		r = peer_of(s, kept, flow->direction % CS_DIRECTIONS, &peer, &kept_peer);
	if (r == 0)
		r = port_of(s, kept_peer, flow, &port);
	if (r == 0)
		note(port, flow);
	return r;
}
