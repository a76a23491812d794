/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a peer means, and how to call it. */
#include "user/identity/bytes.h"
#include "user/identity/spiffe.h"
#include "user/policy/lint_work.h"

static bool is_workload(const struct lint *l, const struct peer *peer, const struct workload *w)
{
	bool foreign = workload_is_foreign(l->options->compile, w);
	char id[CS_SPIFFE_ID_MAX];

	switch (peer->kind) {
	case PEER_SERVICE_ACCOUNT:
		return !foreign && !w->host_unit && streq(peer->name, w->service_account);
	case PEER_SPIFFE:
		return workload_spiffe_id(l->options->compile, w, id) == 0 &&
		       spiffe_matches(peer->name, id);
	case PEER_SELECTOR:
		return !foreign && !w->host_unit && selector_matches(&peer->labels, &w->labels) &&
		       !(peer->pods_only && w->host_network);
	default:
		return false;
	}
}

static bool any_in_namespace(const struct lint *l, const struct peer *peer,
			     const struct lint_namespace *namespace, lint_match_fn fn,
			     const void *arg)
{
	for (size_t i = 0; i < namespace->n_workloads; i++)
		if (is_workload(l, peer, namespace->workloads[i]) &&
		    (!fn || fn(namespace->workloads[i], arg)))
			return true;
	return false;
}

bool lint_any_match(const struct lint *l, const struct peer *peer, lint_match_fn fn,
		    const void *arg)
{
	uint32_t i;

	if (peer->namespace && peer->kind != PEER_SPIFFE)
		return keymap_get(&l->by_namespace, peer->namespace, strlen(peer->namespace), &i) &&
		       any_in_namespace(l, peer, &l->namespaces[i], fn, arg);
	for (i = 0; i < l->n_namespaces; i++) {
		if (peer->kind == PEER_SELECTOR &&
		    !selector_matches(&peer->namespaces, &l->namespaces[i].labels))
			continue;
		if (any_in_namespace(l, peer, &l->namespaces[i], fn, arg))
			return true;
	}
	return false;
}

bool lint_peer_exists(const struct lint *l, const struct peer *peer)
{
	if (peer->kind == PEER_CIDR || peer->kind == PEER_ENTITY)
		return true;
	if (peer->kind != PEER_NODES)
		return lint_any_match(l, peer, NULL, NULL);
	for (size_t i = 0; i < l->set->nodes.n; i++)
		if (selector_matches(&peer->labels, &l->set->nodes.item[i]->labels))
			return true;
	return false;
}

/* Whether the requirements other than @at allow @value for its key. */
static bool value_possible(const struct selector *selector, size_t at, const char *value)
{
	struct label label = { selector->item[at].key, value };
	const struct labels labels = { &label, 1 };

	for (size_t i = 0; i < selector->n; i++) {
		const struct selector one = { &selector->item[i], 1 };

		if (streq(selector->item[i].key, label.key) && !selector_matches(&one, &labels))
			return false;
	}
	return true;
}

/* Exists beside DoesNotExist; NotIn takes any other value, and there is always one. */
static bool contradicts(const struct selector *selector, size_t at)
{
	for (size_t i = 0; i < selector->n; i++)
		if (selector->item[i].op == REQUIRE_MISSING &&
		    streq(selector->item[i].key, selector->item[at].key))
			return true;
	return false;
}

bool lint_selector_impossible(const struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		const struct requirement *req = &selector->item[i];
		bool possible = req->op != REQUIRE_IN;

		for (size_t v = 0; req->op == REQUIRE_IN && v < req->n_values; v++)
			possible |= value_possible(selector, i, req->values[v]);
		if (req->op == REQUIRE_EXISTS)
			possible = !contradicts(selector, i);
		if (!possible)
			return true;
	}
	return false;
}

static void put_requirement(struct bytes *text, const struct requirement *req)
{
	static const char *const words[] = {
		[REQUIRE_IN] = " in ",
		[REQUIRE_NOT_IN] = " not in ",
		[REQUIRE_EXISTS] = " exists",
		[REQUIRE_MISSING] = " does not exist",
	};
	const char *word = req->op == REQUIRE_IN && req->n_values == 1 ? "=" : words[req->op];

	bytes_put(text, req->key, strlen(req->key));
	bytes_put(text, word, strlen(word));
	for (size_t i = 0; i < req->n_values; i++) {
		bytes_put(text, "|", i > 0);
		bytes_put(text, req->values[i], strlen(req->values[i]));
	}
}

static void put_text(struct bytes *text, const char *s)
{
	bytes_put(text, s, strlen(s));
}

static void put_selector(struct bytes *text, const struct selector *selector, const char *all)
{
	if (!selector->n)
		put_text(text, all);
	for (size_t i = 0; i < selector->n; i++) {
		put_text(text, i ? ", " : "");
		put_requirement(text, &selector->item[i]);
	}
}

static void put_peer(struct bytes *text, const struct peer *peer)
{
	char cidr[CIDR_TEXT_MAX];

	switch (peer->kind) {
	case PEER_SERVICE_ACCOUNT:
		put_text(text, "service account ");
		put_text(text, peer->namespace);
		put_text(text, "/");
		put_text(text, peer->name);
		break;
	case PEER_SPIFFE:
		put_text(text, peer->name);
		break;
	case PEER_CIDR:
		cidr_text(&peer->cidr, cidr);
		put_text(text, cidr);
		break;
	case PEER_ENTITY:
		put_text(text, entity_name(peer->entity));
		break;
	case PEER_NODES:
		put_text(text, "nodes with ");
		put_selector(text, &peer->labels, "any labels");
		break;
	case PEER_SELECTOR:
		put_text(text, "workloads with ");
		put_selector(text, &peer->labels, "any labels");
		put_text(text, peer->namespace ? " in namespace " : " in namespaces with ");
		if (peer->namespace)
			put_text(text, peer->namespace);
		else
			put_selector(text, &peer->namespaces, "any labels");
		break;
	}
}

const char *lint_peer_text(struct lint *l, const struct peer *peer)
{
	_cleanup_bytes_ struct bytes text = { 0 };

	put_peer(&text, peer);
	if (text.failed)
		return "";
	return arena_strndup(&l->arena, (char *)text.data, text.n) ?: "";
}
