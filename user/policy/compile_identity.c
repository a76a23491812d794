/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: entities, then each distinct record among the workloads. */
#include "user/identity/spiffe.h"
#include "user/policy/compile.h"

#define NAMESPACE_NAME_LABEL "kubernetes.io/metadata.name"

static int note_noise(struct compile *c, const struct selector *selector)
{
	for (size_t i = 0; i < selector->n; i++) {
		const char *key = selector->item[i].key;
		int r;

		if (!identity_label_is_noise(key))
			continue;
		r = keymap_put(&c->noise, key, strlen(key), 1);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

static int note_policy(struct compile *c, const struct policy *policy)
{
	int r = note_noise(c, &policy->subject);

	for (int d = 0; d < CS_DIRECTIONS; d++) {
		for (size_t i = 0; i < policy->direction[d].n_rules; i++) {
			const struct rule *rule = &policy->direction[d].rules[i];

			for (size_t k = 0; k < rule->n_peers && r == 0; k++)
				r = note_noise(c, &rule->peers[k].labels);
		}
	}
	return r;
}

/* A label on the noise list takes part as soon as some policy asks for it. */
static int note_all_noise(struct compile *c)
{
	int r = 0;

	for (size_t i = 0; i < c->set->policies.n && r == 0; i++)
		r = note_policy(c, c->set->policies.item[i]);
	return r;
}

static int add_entities(struct compile *c)
{
	static const uint8_t numbers[] = {
#define X(num, name, text) num,
		CS_ENTITIES(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct image_identity *identity = &c->image->identities[c->image->n_identities++];

		identity->identity = numbers[i];
		identity->namespace = strdup("");
		identity->service_account = strdup("");
		identity->workload = strdup(entity_name(numbers[i]));
		identity->labels = strdup("");
		if (!identity->namespace || !identity->service_account || !identity->workload ||
		    !identity->labels)
			return -ENOMEM;
	}
	return 0;
}

/* Without an object of its own, a namespace has just its name as a label. */
static int namespace_labels(struct compile *c, const char *name, struct labels *ret)
{
	uint32_t i;

	if (keymap_get(&c->set->namespaces.names, name, strlen(name), &i)) {
		*ret = c->set->namespaces.item[i]->labels;
		return 0;
	}
	ret->item = arena_alloc(&c->arena, sizeof(*ret->item));
	if (!ret->item)
		return -ENOMEM;
	ret->item[0] = (struct label){ NAMESPACE_NAME_LABEL, name };
	ret->n = 1;
	return 0;
}

static int get_namespace(struct compile *c, const char *name, struct peer_namespace **ret)
{
	struct peer_namespace namespace = { .name = name };
	uint32_t i = (uint32_t)c->namespaces.n;
	int r;

	if (!keymap_get(&c->by_namespace, name, strlen(name), &i)) {
		r = namespace_labels(c, name, &namespace.labels);
		if (r < 0)
			return r;
		r = keymap_put(&c->by_namespace, name, strlen(name), i);
		if (r < 0)
			return r;
		if (!GROW(c, &c->namespaces))
			return -ENOMEM;
		c->namespaces.item[c->namespaces.n++] = namespace;
	}
	*ret = &c->namespaces.item[i];
	return 0;
}

/* Adds identity @i to a chain in order. */
static void chain(uint32_t *first, uint32_t *last, uint32_t *last_next, uint32_t i)
{
	if (!*first)
		*first = i;
	else
		*last_next = i;
	*last = i;
}

/* The slot of the workload's SPIFFE ID, which other identities may share. */
static int get_name(struct compile *c, const struct workload *workload, uint32_t *ret)
{
	static const struct limit limit = { "CS_NAMES_MAX", CS_NAMES_MAX, "different SPIFFE IDs",
					    "let workloads share service accounts" };
	char *id = c->image->names[c->image->n_names];
	int r;

	if (c->image->n_names == CS_NAMES_MAX)
		return compile_limit(c, &limit, &workload->place);
	r = spiffe_build(c->options->trust_domain, workload->namespace, workload->service_account,
			 id);
	if (r < 0) {
		policy_errors_add(c->errors, &workload->place, "spec.serviceAccount",
				  "the SPIFFE ID of workload %s/%s would be longer than %d bytes: "
				  "choose a shorter service account",
				  workload->namespace, workload->name, CS_SPIFFE_ID_MAX - 1);
		return -EBADMSG;
	}
	r = keymap_put(&c->by_name, id, strlen(id), (uint32_t)c->image->n_names);
	if (r == 0)
		*ret = (uint32_t)c->image->n_names++;
	if (r != -EEXIST)
		return r;
	keymap_get(&c->by_name, id, strlen(id), ret);
	memset(id, 0, CS_SPIFFE_ID_MAX);
	return 0;
}

/* The labels that count for the record. */
static int record_labels(struct compile *c, const struct workload *workload, struct labels *ret)
{
	struct labels labels = { 0 };

	labels.item = arena_alloc(&c->arena, workload->labels.n * sizeof(*labels.item));
	if (!labels.item)
		return -ENOMEM;
	for (size_t i = 0; i < workload->labels.n; i++) {
		const struct label *label = &workload->labels.item[i];
		uint32_t wanted;

		if (!identity_label_is_noise(label->key) ||
		    keymap_get(&c->noise, label->key, strlen(label->key), &wanted))
			labels.item[labels.n++] = *label;
	}
	*ret = labels;
	return 0;
}

static int describe_identity(struct compile *c, const struct workload *workload, uint32_t i)
{
	struct image_identity *identity = &c->image->identities[i];
	_cleanup_bytes_ struct bytes labels = { 0 };

	labels_text(&c->identities[i].labels, &labels);
	identity->namespace = strdup(workload->namespace);
	identity->service_account = strdup(workload->service_account);
	identity->workload = strdup(workload->name);
	if (labels.failed || !identity->namespace || !identity->service_account ||
	    !identity->workload)
		return -ENOMEM;
	identity->labels = (char *)TAKE_PTR(labels.data);
	return 0;
}

/* Two records of one number: nobody could tell them apart, so neither is let in. */
static int check_collision(struct compile *c, const struct workload *workload, uint32_t i)
{
	uint64_t *number = &c->image->identities[i].identity;
	const struct workload *other;
	uint32_t first;
	int r;

	r = keymap_put(&c->by_number, number, sizeof(*number), i);
	if (r != -EEXIST)
		return r;
	keymap_get(&c->by_number, number, sizeof(*number), &first);
	other = c->identities[first].workload;
	policy_errors_add(c->errors, &workload->place, "",
			  "workloads %s/%s and %s/%s (%s:%u) are different but have the same "
			  "identity number %llu: change a label of one, or the cluster salt",
			  workload->namespace, workload->name, other->namespace, other->name,
			  other->place.file, other->place.line, (unsigned long long)*number);
	return -EBADMSG;
}

static int link_identity(struct compile *c, const struct workload *workload, uint32_t i)
{
	uint32_t name = c->image->identities[i].name_index;
	struct peer_namespace *namespace;
	int r;

	r = get_namespace(c, workload->namespace, &namespace);
	if (r < 0)
		return r;
	chain(&namespace->first, &namespace->last,
	      &c->identities[namespace->last].next_in_namespace, i);
	chain(&c->name_first[name], &c->name_last[name],
	      &c->identities[c->name_last[name]].next_of_name, i);
	return 0;
}

static int add_identity(struct compile *c, const struct workload *workload,
			const struct labels *labels, const struct bytes *record)
{
	static const struct limit limit = { "CS_IDENTITIES_MAX", CS_IDENTITIES_MAX - 1,
					    "different identities",
					    "give workloads of one kind the same labels" };
	uint32_t i = (uint32_t)c->image->n_identities;
	struct image_identity *identity = &c->image->identities[i];
	int r;

	if (i >= limit.max)
		return compile_limit(c, &limit, &workload->place);
	c->image->n_identities++;
	c->identities[i].workload = workload;
	c->identities[i].labels = *labels;
	r = identity_number(c->options->salt, record, &identity->identity);
	if (r == 0)
		r = check_collision(c, workload, i);
	if (r == 0)
		r = get_name(c, workload, &identity->name_index);
	if (r == 0)
		r = describe_identity(c, workload, i);
	return r < 0 ? r : link_identity(c, workload, i);
}

/* The index of the workload's identity, which it may share. */
static int get_identity(struct compile *c, const struct workload *workload, uint32_t *ret)
{
	struct identity_record record = {
		.trust_domain = c->options->trust_domain,
		.namespace = workload->namespace,
		.service_account = workload->service_account,
		.ports = workload->ports,
	};
	_cleanup_bytes_ struct bytes encoded = { 0 };
	uint32_t i = (uint32_t)c->image->n_identities;
	char *key;
	int r;

	r = record_labels(c, workload, &record.labels);
	if (r < 0)
		return r;
	identity_encode(&record, &encoded);
	if (encoded.failed)
		return -ENOMEM;
	if (!keymap_get(&c->by_record, encoded.data, encoded.n, &i)) {
		r = add_identity(c, workload, &record.labels, &encoded);
		if (r < 0)
			return r;
		key = arena_strndup(&c->arena, (char *)encoded.data, encoded.n);
		r = key ? keymap_put(&c->by_record, key, encoded.n, i) : -ENOMEM;
		if (r < 0)
			return r;
	}
	*ret = i;
	return 0;
}

int compile_identities(struct compile *c)
{
	int r;

	r = note_all_noise(c);
	if (r == 0)
		r = add_entities(c);
	for (size_t i = 0; i < c->set->workloads.n && r == 0; i++)
		r = get_identity(c, c->set->workloads.item[i], &c->identity_of[i]);
	return r;
}
