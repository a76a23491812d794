/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: entities, then each distinct record among the workloads. */
#include "user/identity/salt.h"
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
	int r = 0;

	for (size_t i = 0; i < policy->n_subjects && r == 0; i++)
		r = note_noise(c, &policy->subjects[i].labels);
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
int compile_noise(struct compile *c)
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
		identity->namespace = arena_strdup(&c->store->arena, "");
		identity->service_account = identity->namespace;
		identity->workload = arena_strdup(&c->store->arena, entity_name(numbers[i]));
		identity->labels = identity->namespace;
		if (!identity->namespace || !identity->workload)
			return -ENOMEM;
	}
	return 0;
}

static bool copy_labels(struct arena *arena, const struct labels *labels, struct labels *ret)
{
	ret->item = arena_alloc(arena, labels->n * sizeof(*ret->item));
	for (size_t i = 0; ret->item && i < labels->n; i++) {
		struct label *label = &ret->item[ret->n++];

		label->key = arena_strdup(arena, labels->item[i].key);
		label->value = arena_strdup(arena, labels->item[i].value);
		if (!label->key || !label->value)
			return false;
	}
	return ret->item;
}

/* Without an object of its own, a namespace has just its name as a label. */
int compile_label_namespace(struct compile *c, const char *name, struct labels *ret)
{
	const struct labels *given = compile_namespace_labels(c, name);

	*ret = (struct labels){ 0 };
	if (given)
		return copy_labels(&c->store->arena, given, ret) ? 0 : -ENOMEM;
	ret->item = arena_alloc(&c->store->arena, sizeof(*ret->item));
	if (!ret->item)
		return -ENOMEM;
	ret->item[0] = (struct label){ NAMESPACE_NAME_LABEL, name };
	ret->n = 1;
	return 0;
}

static int get_namespace(struct compile *c, const char *name, struct peer_namespace **ret)
{
	struct peer_namespace namespace = { 0 };
	uint32_t i = (uint32_t)c->namespaces.n;
	int r;

	if (!keymap_get(&c->by_namespace, name, strlen(name), &i)) {
		namespace.name = arena_strdup(&c->store->arena, name);
		if (!namespace.name)
			return -ENOMEM;
		r = compile_label_namespace(c, namespace.name, &namespace.labels);
		if (r < 0)
			return r;
		r = keymap_put(&c->by_namespace, namespace.name, strlen(name), i);
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

static const char *trust_domain_of(const struct compile *c, const struct workload *workload)
{
	return workload->trust_domain ?: c->options->trust_domain;
}

/* The slot of the workload's SPIFFE ID, which other identities may share. */
static int get_name(struct compile *c, const struct workload *workload, uint32_t *ret)
{
	static const struct limit limit = { "CS_NAMES_MAX", CS_NAMES_MAX, "different SPIFFE IDs",
					    "let workloads share service accounts" };
	char id[CS_SPIFFE_ID_MAX], *kept;
	int r;

	r = workload_spiffe_id(c->options, workload, id);
	if (r < 0) {
		policy_errors_add(c->errors, &workload->place,
				  workload->host_unit ? "spec.hostUnit" : "spec.serviceAccount",
				  "the SPIFFE ID of workload %s/%s would be longer than %d bytes: "
				  "choose a shorter name",
				  workload->namespace, workload->name, CS_SPIFFE_ID_MAX - 1);
		return -EBADMSG;
	}
	if (keymap_get(&c->by_name, id, strlen(id), ret))
		return 0;
	if (c->image->n_names == CS_NAMES_MAX)
		return compile_limit(c, &limit, &workload->place);
	kept = arena_strdup(&c->store->arena, id);
	r = kept ? keymap_put(&c->by_name, kept, strlen(id), (uint32_t)c->image->n_names) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = (uint32_t)c->image->n_names++;
	memset(c->image->names[*ret], 0, CS_SPIFFE_ID_MAX); /* of a change that was undone */
	strcpy(c->image->names[*ret], id);
	return 0;
}

/* The labels that count for the record: into @ret, which has room for all. */
static void record_labels(const struct compile *c, const struct workload *workload,
			  struct labels *ret)
{
	for (size_t i = 0; i < workload->labels.n; i++) {
		const struct label *label = &workload->labels.item[i];
		uint32_t wanted;

		if (!identity_label_is_noise(label->key) ||
		    keymap_get(&c->noise, label->key, strlen(label->key), &wanted))
			ret->item[ret->n++] = *label;
	}
}

static bool copy_ports(struct arena *arena, const struct named_ports *ports,
		       struct named_ports *ret)
{
	ret->item = arena_alloc(arena, ports->n * sizeof(*ret->item));
	for (size_t i = 0; ret->item && i < ports->n; i++) {
		struct named_port *port = &ret->item[ret->n++];

		*port = ports->item[i];
		port->name = arena_strdup(arena, port->name);
		if (!port->name)
			return false;
	}
	return ret->item;
}

/* Mostly the file of the identity before it. */
static const char *copy_file(struct compile *c, const char *file, uint32_t i)
{
	const struct workload *before = i > 0 ? c->identities[i - 1].workload : NULL;

	if (!file || (before && before->place.file && streq(before->place.file, file)))
		return file ? before->place.file : NULL;
	return arena_strdup(&c->store->arena, file);
}

/* A copy of what the compiler asks of a workload that stands for others. */
static struct workload *copy_workload(struct compile *c, const struct workload *workload,
				      uint32_t i)
{
	struct arena *arena = &c->store->arena;
	struct workload *copy = arena_alloc(arena, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->place.line = workload->place.line;
	copy->place.file = copy_file(c, workload->place.file, i);
	copy->namespace = arena_strdup(arena, workload->namespace);
	copy->name = arena_strdup(arena, workload->name);
	copy->service_account = arena_strdup(arena, workload->service_account);
	copy->host_network = workload->host_network;
	if (workload->host_unit) {
		copy->host_unit = arena_strdup(arena, workload->host_unit);
		copy->node = arena_strdup(arena, workload->node);
		if (!copy->host_unit || !copy->node)
			return NULL;
	}
	if (c->identities[i].foreign) {
		copy->trust_domain = arena_strdup(arena, workload->trust_domain);
		if (!copy->trust_domain)
			return NULL;
	}
	copy->labels = c->identities[i].labels;
	if (!copy->namespace || !copy->name || !copy->service_account ||
	    !copy_ports(arena, &workload->ports, &copy->ports))
		return NULL;
	return copy;
}

/* Strings of the copy, which is ours, serve the image too. */
static int describe_identity(struct compile *c, const struct workload *workload, uint32_t i)
{
	struct image_identity *identity = &c->image->identities[i];
	_cleanup_bytes_ struct bytes labels = { 0 };

	labels_text(&c->identities[i].labels, &labels);
	if (labels.failed)
		return -ENOMEM;
	identity->namespace = (char *)workload->namespace;
	identity->service_account = (char *)workload->service_account;
	identity->workload = (char *)workload->name;
	identity->labels = arena_strdup(&c->store->arena, (char *)labels.data);
	return identity->labels ? 0 : -ENOMEM;
}

/* Two records of one number: nobody could tell them apart, so neither is let in. */
static int check_collision(struct compile *c, const struct workload *workload, uint32_t i)
{
	const uint64_t *number = &c->image->identities[i].identity;
	uint32_t hash = hashindex_hash(number, sizeof(*number)), first;
	const struct workload *other = NULL;
	size_t position = 0;

	while (!other && hashindex_next(&c->by_number, hash, &position, &first))
		if (c->image->identities[first].identity == *number)
			other = c->identities[first].workload;
	if (!other)
		return hashindex_add(&c->by_number, hash, i);
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
	int r = 0;

	/* A namespace of another trust domain is none of ours, whatever its name. */
	if (!c->identities[i].foreign)
		r = get_namespace(c, workload->namespace, &namespace);
	if (r < 0)
		return r;
	if (!c->identities[i].foreign && !workload->host_unit)
		chain(&namespace->first, &namespace->last,
		      &c->identities[namespace->last].next_in_namespace, i);
	chain(&c->name_first[name], &c->name_last[name],
	      &c->identities[c->name_last[name]].next_of_name, i);
	return 0;
}

/* Federated agents compute the same number, each with the salt of the workload's domain. */
static int number_identity(const struct compile *c, const struct workload *workload,
			   const struct bytes *record, uint64_t *ret)
{
	uint64_t salt[2] = { c->options->salt[0], c->options->salt[1] };

	if (c->options->salt_by_domain && workload_is_foreign(c->options, workload))
		identity_salt(workload->trust_domain, strlen(workload->trust_domain), salt);
	return identity_number(salt, record, ret);
}

static int add_identity(struct compile *c, const struct workload *workload,
			const struct labels *labels, const struct bytes *record)
{
	static const struct limit limit = { "CS_IDENTITIES_MAX", CS_IDENTITIES_MAX - 1,
					    "different identities",
					    "give workloads of one kind the same labels" };
	uint32_t i = (uint32_t)c->image->n_identities;
	struct image_identity *identity = &c->image->identities[i];
	struct workload *copy;
	int r;

	if (i >= limit.max || i >= c->room)
		return compile_limit(c, &limit, &workload->place);
	*identity = (struct image_identity){ 0 };
	c->identities[i] = (struct peer_identity){
		.foreign = workload_is_foreign(c->options, workload),
		.host_unit = workload->host_unit,
	};
	if (!copy_labels(&c->store->arena, labels, &c->identities[i].labels))
		return -ENOMEM;
	copy = copy_workload(c, workload, i);
	if (!copy)
		return -ENOMEM;
	c->identities[i].workload = copy;
	c->image->n_identities++;
	r = number_identity(c, workload, record, &identity->identity);
	if (r == 0)
		r = check_collision(c, workload, i);
	if (r == 0)
		r = get_name(c, workload, &identity->name_index);
	if (r == 0)
		r = describe_identity(c, copy, i);
	return r < 0 ? r : link_identity(c, copy, i);
}

/* Units of a node: see host_unit_identity(). */
static bool same_unit(const struct workload *a, const struct workload *b)
{
	return a->host_unit && b->host_unit && streq(a->host_unit, b->host_unit) &&
	       streq(a->node, b->node);
}

/* Whether identity @i is that of @like, whose record this is. */
static bool has_record(const struct compile *c, uint32_t i, const struct workload *like,
		       const struct identity_record *record)
{
	const struct workload *workload = c->identities[i].workload;

	if (workload && (workload->host_unit || like->host_unit))
		return same_unit(workload, like) &&
		       streq(trust_domain_of(c, workload), record->trust_domain);
	return workload && streq(workload->namespace, record->namespace) &&
	       streq(workload->service_account, record->service_account) &&
	       streq(trust_domain_of(c, workload), record->trust_domain) &&
	       workload->host_network == record->host_network &&
	       labels_equal(&c->identities[i].labels, &record->labels) &&
	       named_ports_equal(&workload->ports, &record->ports);
}

/* Finds or adds the identity of a record. */
static int get_identity(struct compile *c, const struct workload *workload,
			const struct identity_record *record, uint32_t *ret)
{
	_cleanup_bytes_ struct bytes encoded = { 0 };
	size_t position = 0;
	uint32_t hash;
	int r;

	identity_encode(record, &encoded);
	if (encoded.failed)
		return -ENOMEM;
	hash = hashindex_hash(encoded.data, encoded.n);
	while (hashindex_next(&c->by_record, hash, &position, ret))
		if (has_record(c, *ret, workload, record))
			return 0;
	if (c->borrowed)
		return -ESTALE;
	*ret = (uint32_t)c->image->n_identities;
	r = add_identity(c, workload, &record->labels, &encoded);
	return r < 0 ? r : hashindex_add(&c->by_record, hash, *ret);
}

/*
 * What a unit of a node is follows from its SPIFFE ID alone, so that all who declare it mean
 * one identity. No namespace and no service account have a slash.
 */
static int host_unit_identity(struct compile *c, const struct workload *workload,
			      struct identity_record *record, uint32_t *ret)
{
	_cleanup_free_ char *node = NULL, *unit = NULL;

	if (asprintf(&node, "node/%s", workload->node) < 0)
		node = NULL;
	if (asprintf(&unit, "unit/%s", workload->host_unit) < 0)
		unit = NULL;
	if (!node || !unit)
		return -ENOMEM;
	record->namespace = node;
	record->service_account = unit;
	record->ports = (struct named_ports){ 0 };
	return get_identity(c, workload, record, ret);
}

int compile_identity(struct compile *c, const struct workload *workload, uint32_t *ret)
{
	struct label labels[MODEL_LABELS_MAX];
	struct identity_record record = {
		.trust_domain = trust_domain_of(c, workload),
		.namespace = workload->namespace,
		.service_account = workload->service_account,
		.labels.item = labels,
		.ports = workload->ports,
		.host_network = workload->host_network,
	};

	if (workload_is_foreign(c->options, workload) && !workload->node &&
	    workload_has_place(workload)) {
		policy_errors_add(c->errors, &workload->place, "spec.trustDomain",
				  "workload %s/%s runs on this node, whose trust domain is %s: "
				  "leave it out, or name the node",
				  workload->namespace, workload->name, c->options->trust_domain);
		return -EBADMSG;
	}
	if (workload->host_unit)
		return host_unit_identity(c, workload, &record, ret);
	record_labels(c, workload, &record.labels);
	return get_identity(c, workload, &record, ret);
}

int compile_identities(struct compile *c)
{
	int r;

	r = add_entities(c);
	for (size_t i = 0; i < c->set->workloads.n && r == 0; i++) {
		r = compile_identity(c, c->set->workloads.item[i], &c->identity_of[i]);
		if (r == 0)
			c->identities[c->identity_of[i]].uses++;
	}
	return r;
}
