/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Suggestions as manifests. The ports of a peer become up to two sets, by whether the peer
 * was always verified; peers with the same set share a rule.
 */
#include <ctype.h>
#include <netinet/in.h>

#include "user/policy/suggest.h"

#define NAME_MAX_BYTES 64 /* of a name made here, with the final NUL */

/* A run of ports. */
struct range {
	uint16_t min;
	uint16_t max;
	uint8_t protocol;
};

/* One rule in the making. */
struct draft {
	struct range *ranges;
	size_t n_ranges;
	const struct suggest_peer **peers;
	size_t n_peers;
	uint64_t count;
	const char *first;
	const char *last;
	bool verified;
};

struct writer {
	const struct suggestion *suggestion;
	const struct suggest_options *options;
	struct arena arena;
	struct draft *drafts;
	size_t n_drafts;
	size_t capacity;
	char (*names)[NAME_MAX_BYTES]; /* of the policies written so far, by subject */
	FILE *out;
};

static int port_compare(const void *a, const void *b)
{
	const struct suggest_port *x = a, *y = b;

	if (x->protocol != y->protocol)
		return x->protocol - y->protocol;
	return x->port - y->port;
}

/* Every look at it was the subject's own and found a verified peer. */
static bool is_verified(const struct suggest_port *port)
{
	return port->own && !port->unverified;
}

static void widen(struct draft *draft, const struct suggest_port *port)
{
	draft->count += port->count;
	if (*port->first && (!*draft->first || strcmp(port->first, draft->first) < 0))
		draft->first = port->first;
	if (strcmp(port->last, draft->last) > 0)
		draft->last = port->last;
}

/* The ports of a peer that are verified, or that are not, as ranges. */
static int draft_of(struct writer *w, const struct suggest_peer *peer, bool verified,
		    struct draft *ret)
{
	struct range *last = NULL;

	*ret = (struct draft){ .first = "", .last = "", .verified = verified };
	ret->ranges = arena_alloc(&w->arena, (peer->n + 1) * sizeof(*ret->ranges));
	if (!ret->ranges)
		return -ENOMEM;
	qsort(peer->ports, peer->n, sizeof(*peer->ports), port_compare);
	for (size_t i = 0; i < peer->n; i++) {
		const struct suggest_port *port = &peer->ports[i];

		if (is_verified(port) != verified)
			continue;
		widen(ret, port);
		if (last && last->protocol == port->protocol && last->max + 1 == port->port) {
			last->max = port->port;
			continue;
		}
		last = &ret->ranges[ret->n_ranges++];
		*last = (struct range){ port->port, port->port, port->protocol };
	}
	return 0;
}

static bool same_ports(const struct draft *a, const struct draft *b)
{
	if (a->verified != b->verified || a->n_ranges != b->n_ranges)
		return false;
	for (size_t i = 0; i < a->n_ranges; i++)
		if (a->ranges[i].min != b->ranges[i].min || a->ranges[i].max != b->ranges[i].max ||
		    a->ranges[i].protocol != b->ranges[i].protocol)
			return false;
	return true;
}

static int add_draft(struct writer *w, const struct draft *draft, const struct suggest_peer *peer)
{
	struct draft *into = NULL;
	void *item;

	for (size_t i = 0; i < w->n_drafts && !into; i++)
		if (same_ports(&w->drafts[i], draft))
			into = &w->drafts[i];
	if (!into) {
		item = arena_grow(&w->arena, w->drafts, w->n_drafts, &w->capacity, sizeof(*into));
		if (!item)
			return -ENOMEM;
		w->drafts = item;
		into = &w->drafts[w->n_drafts++];
		*into = *draft;
		into->peers = arena_alloc(&w->arena, SUGGEST_PEERS_MAX * sizeof(*into->peers));
		if (!into->peers)
			return -ENOMEM;
	} else {
		into->count += draft->count;
		if (*draft->first && (!*into->first || strcmp(draft->first, into->first) < 0))
			into->first = draft->first;
		if (strcmp(draft->last, into->last) > 0)
			into->last = draft->last;
	}
	into->peers[into->n_peers++] = peer;
	return 0;
}

static int draft_peer(struct writer *w, const struct suggest_peer *peer)
{
	int r = 0;

	for (int verified = 1; verified >= 0 && r == 0; verified--) {
		struct draft draft;

		r = draft_of(w, peer, verified, &draft);
		if (r == 0 && draft.n_ranges)
			r = add_draft(w, &draft, peer);
	}
	return r;
}

static int add_port(struct writer *w, struct suggest_peer *peer, const struct suggest_port *port)
{
	void *item;

	for (size_t i = 0; i < peer->n; i++) {
		if (port_compare(&peer->ports[i], port) != 0)
			continue;
		peer->ports[i].count += port->count;
		return 0;
	}
	item = arena_grow(&w->arena, peer->ports, peer->n, &peer->capacity, sizeof(*port));
	if (!item)
		return -ENOMEM;
	peer->ports = item;
	peer->ports[peer->n++] = *port;
	return 0;
}

/* Too many addresses to list: all the world, with the ports of all. */
static int draft_world(struct writer *w, const struct suggest_subject *subject, int direction)
{
	struct suggest_peer *world = arena_alloc(&w->arena, sizeof(*world));
	int r = 0;

	if (!world)
		return -ENOMEM;
	world->party = (struct suggest_party){ .namespace = "",
					       .service_account = "",
					       .entity = entity_name(CS_ENTITY_WORLD),
					       .address = "" };
	for (size_t i = 0; i < subject->peers[direction].n; i++) {
		const struct suggest_peer *peer = &subject->peers[direction].item[i];

		for (size_t k = 0; *peer->cidr && k < peer->n && r == 0; k++)
			r = add_port(w, world, &peer->ports[k]);
	}
	return r < 0 ? r : draft_peer(w, world);
}

static int draft_direction(struct writer *w, const struct suggest_subject *subject, int direction)
{
	size_t addresses = 0;
	int r = 0;

	w->drafts = NULL;
	w->n_drafts = w->capacity = 0;
	for (size_t i = 0; i < subject->peers[direction].n; i++)
		addresses += *subject->peers[direction].item[i].cidr != '\0';
	for (size_t i = 0; i < subject->peers[direction].n && r == 0; i++) {
		const struct suggest_peer *peer = &subject->peers[direction].item[i];

		if (!*peer->cidr || addresses <= SUGGEST_ADDRESSES_MAX)
			r = draft_peer(w, peer);
	}
	if (r == 0 && addresses > SUGGEST_ADDRESSES_MAX)
		r = draft_world(w, subject, direction);
	return r;
}

static void put_labels(FILE *out, const struct labels *labels)
{
	fprintf(out, "{matchLabels: {");
	for (size_t i = 0; i < labels->n; i++)
		fprintf(out, "%s\"%s\": \"%s\"", i ? ", " : "", labels->item[i].key,
			labels->item[i].value);
	fprintf(out, "}}");
}

static void put_peer(FILE *out, const struct suggest_peer *peer)
{
	const struct suggest_party *party = &peer->party;

	fprintf(out, "    - ");
	if (*party->service_account) {
		fprintf(out, "serviceAccounts: [{namespace: \"%s\", name: \"%s\"}]\n",
			party->namespace, party->service_account);
	} else if (*party->namespace) {
		fprintf(out,
			"namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "
			"\"%s\"}}\n      selector: ",
			party->namespace);
		put_labels(out, &party->labels);
		fputc('\n', out);
	} else if (*peer->cidr) {
		fprintf(out, "cidrs: [{cidr: \"%s\"}]\n", peer->cidr);
	} else {
		fprintf(out, "entities: [%s]\n", party->entity);
	}
}

/* @text with what no name may have made into dashes. */
static void put_name(char *ret, size_t size, const char *text)
{
	size_t n = strlen(ret);

	for (; *text && n + 1 < size; text++) {
		bool plain = isalnum((unsigned char)*text);

		if (plain || (n && ret[n - 1] != '-'))
			ret[n++] = plain ? (char)tolower((unsigned char)*text) : '-';
	}
	while (n && ret[n - 1] == '-')
		n--;
	ret[n] = '\0';
}

static const char *peer_word(const struct suggest_peer *peer)
{
	if (*peer->party.service_account)
		return peer->party.service_account;
	if (*peer->party.namespace)
		return *peer->party.name ? peer->party.name : peer->party.namespace;
	return *peer->party.address ? peer->party.address : peer->party.entity;
}

/* Rules are numbered too, so that no two of one policy share a name. */
static void put_rule(struct writer *w, size_t i, int direction)
{
	const char *const side = direction == CS_INGRESS ? "from" : "to";
	const struct draft *draft = &w->drafts[i];
	char name[NAME_MAX_BYTES] = "";

	snprintf(name, sizeof(name), "%s-", side);
	put_name(name, sizeof(name) - 12, peer_word(draft->peers[0]));
	if (i)
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "-%zu", i + 1);
	fprintf(w->out, "  # Seen %llu times", (unsigned long long)draft->count);
	if (*draft->first)
		fprintf(w->out, ", from %s to %s", draft->first, draft->last);
	fprintf(w->out, ".%s\n",
		draft->verified ? "" : " Not always verified, so identities may be inferred.");
	fprintf(w->out, "  - name: %s\n    authentication: %s\n    %s:\n", name,
		draft->verified ? "Required" : "IfAvailable", side);
	for (size_t k = 0; k < draft->n_peers; k++)
		put_peer(w->out, draft->peers[k]);
	fprintf(w->out, "    ports:\n");
	for (size_t k = 0; k < draft->n_ranges; k++) {
		const struct range *range = &draft->ranges[k];

		fprintf(w->out, "    - {port: %u", range->min);
		if (range->max != range->min)
			fprintf(w->out, ", endPort: %u", range->max);
		fprintf(w->out, ", protocol: %s}\n",
			range->protocol == IPPROTO_TCP	 ? "TCP"
			: range->protocol == IPPROTO_UDP ? "UDP"
							 : "SCTP");
	}
}

static bool is_taken(const struct writer *w, size_t subject, const char *name)
{
	const struct suggest_subject *subjects = w->suggestion->subjects;
	const char *namespace = subjects[subject].party.namespace;
	const struct policy_set *taken = w->options->taken;

	for (size_t i = 0; i < subject; i++)
		if (streq(w->names[i], name) && streq(subjects[i].party.namespace, namespace))
			return true;
	for (size_t i = 0; taken && i < taken->policies.n; i++)
		if (streq(taken->policies.item[i]->name, name) &&
		    streq(taken->policies.item[i]->namespace, namespace))
			return true;
	return false;
}

/* After the app that its labels name, else its account, else one of its workloads. */
static void name_policy(struct writer *w, size_t i)
{
	static const char *const keys[] = { "app.kubernetes.io/name", "app", "k8s-app" };
	const struct suggest_party *party = &w->suggestion->subjects[i].party;
	const char *word = *party->service_account ? party->service_account : party->name;
	char *name = w->names[i];
	size_t length;

	for (size_t k = ARRAY_SIZE(keys); k > 0; k--) {
		const char *app = labels_get(&party->labels, keys[k - 1]);

		if (app)
			word = app;
	}
	snprintf(name, NAME_MAX_BYTES, "suggested-");
	put_name(name, NAME_MAX_BYTES - 12, word);
	length = strlen(name);
	for (unsigned int n = 2; is_taken(w, i, name); n++)
		snprintf(name + length, NAME_MAX_BYTES - length, "-%u", n);
}

static void put_head(struct writer *w, size_t i)
{
	const struct suggest_party *party = &w->suggestion->subjects[i].party;

	name_policy(w, i);
	fprintf(w->out,
		"---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
		"metadata: {name: %s, namespace: \"%s\"}\nspec:\n  subject: {",
		w->names[i], party->namespace);
	if (party->labels.n) {
		fprintf(w->out, "selector: ");
		put_labels(w->out, &party->labels);
	} else {
		fprintf(w->out, "serviceAccounts: [{name: \"%s\"}]", party->service_account);
	}
	fprintf(w->out, "}\n  mode: %s\n", w->options->enforce ? "Enforce" : "Audit");
}

static int put_policy(struct writer *w, size_t i)
{
	static const char *const fields[] = { [CS_INGRESS] = "ingress", [CS_EGRESS] = "egress" };
	const struct suggest_subject *subject = &w->suggestion->subjects[i];
	int r = 0;

	put_head(w, i);
	for (int d = 0; d < CS_DIRECTIONS && r == 0; d++) {
		if (!subject->peers[d].n)
			continue;
		r = draft_direction(w, subject, d);
		fprintf(w->out, "  %s:\n", fields[d]);
		for (size_t k = 0; k < w->n_drafts && r == 0; k++)
			put_rule(w, k, d);
	}
	return r;
}

int suggest_write(const struct suggestion *suggestion, const struct suggest_options *options,
		  FILE *out)
{
	struct writer w = { .suggestion = suggestion, .options = options, .out = out };
	int r = 0;

	w.names = calloc(suggestion->n + 1, sizeof(*w.names));
	if (!w.names)
		return -ENOMEM;
	for (size_t i = 0; i < suggestion->n && r == 0; i++) {
		r = put_policy(&w, i);
		arena_done(&w.arena);
	}
	free(w.names);
	return r;
}
