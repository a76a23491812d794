/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: apiVersion, kind and metadata, then the parser of the kind. */
#include "user/policy/parse.h"

#include "user/policy/moment.h"
#include "user/policy/names.h"

#define API_VERSION "countersign.dev/v1alpha1"
#define NAMESPACE_DEFAULT "default"
#define KIND_LIST "List"
#define AUDIT_SINCE "countersign.dev/audit-since"

struct kind {
	const char *name;
	const char *api_version;
	int (*parse)(struct parse *p, const struct node *node, const struct meta *meta);
	const char *also; /* another version of the same schema, or NULL */
	bool cluster; /* has no namespace */
	bool upstream; /* see struct parse */
	bool whole; /* its parser takes the document, not `spec`, and what it does not know
		       is of no interest: it comes from an API server with far more in it */
};

static const struct kind kinds[] = {
	{ "Workload", API_VERSION, parse_workload, .cluster = false },
	{ "IdentityPolicy", API_VERSION, parse_identity_policy, .cluster = false },
	{ "ClusterIdentityPolicy", API_VERSION, parse_cluster_identity_policy, .cluster = true },
	{ "NetworkPolicy", "networking.k8s.io/v1", parse_network_policy, .upstream = true },
	{ "ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2", parse_cluster_policy,
	  .also = "policy.networking.k8s.io/v1beta1", .cluster = true, .upstream = true },
	{ "AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1", parse_admin_policy,
	  .cluster = true, .upstream = true },
	{ "BaselineAdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1", parse_baseline_policy,
	  .cluster = true, .upstream = true },
	{ "Namespace", "v1", parse_namespace, .cluster = true, .upstream = true, .whole = true },
	{ "Node", "v1", parse_node, .cluster = true, .upstream = true, .whole = true },
	{ "Service", "v1", parse_service, .upstream = true, .whole = true },
	{ "EndpointSlice", "discovery.k8s.io/v1", parse_slice, .upstream = true, .whole = true },
	{ "PolicyTest", API_VERSION, parse_test, .cluster = false },
	{ "Revocation", API_VERSION, parse_revocation, .cluster = true },
};

int parse_elsewhere(struct parse *p, const struct node *node, void *target)
{
	(void)p;
	(void)node;
	(void)target;
	return 0;
}

int parse_dns_label(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a name", dns_label_problem };

	return parse_checked_text(p, node, &spec, target);
}

int parse_dns_name(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a name", dns_subdomain_problem };

	return parse_checked_text(p, node, &spec, target);
}

int parse_node_name(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a node's name", node_name_problem };

	return parse_checked_text(p, node, &spec, target);
}

/* The first ones come from the API server and mean nothing here. */
static const struct field meta_fields[] = {
	{ .name = "creationTimestamp" },
	{ .name = "deletionGracePeriodSeconds" },
	{ .name = "deletionTimestamp" },
	{ .name = "finalizers" },
	{ .name = "generateName" },
	{ .name = "generation" },
	{ .name = "managedFields" },
	{ .name = "ownerReferences" },
	{ .name = "resourceVersion" },
	{ .name = "selfLink" },
	{ .name = "uid" },
	{ "name", FIELD(struct meta, name, parse_dns_name), .required = true },
	{ "namespace", FIELD(struct meta, namespace, parse_dns_label) },
	{ "labels", FIELD(struct meta, labels, parse_labels) },
	{ "annotations", .parse = parse_elsewhere },
	{ 0 },
};

static const struct field document_fields[] = {
	{ .name = "status" },
	{ "apiVersion", .parse = parse_elsewhere, .required = true },
	{ "kind", .parse = parse_elsewhere, .required = true },
	{ "metadata", .parse = parse_elsewhere, .required = true },
	{ "spec", .parse = parse_elsewhere },
	{ 0 },
};

static const struct kind *find_kind(struct parse *p, const struct node *document)
{
	const struct node *kind = node_get(document, "kind");
	const struct node *version = node_get(document, "apiVersion");
	struct choice names[ARRAY_SIZE(kinds) + 2] = { 0 };
	struct choice versions[3] = { 0 };
	size_t before = p->errors->total, path;
	uint8_t i = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		names[k] = (struct choice){ kinds[k].name, (uint8_t)k };
	names[ARRAY_SIZE(kinds)] = (struct choice){ KIND_LIST, 0 }; /* for the message */
	path = parse_enter(p, "kind");
	parse_choice(p, kind, names, &i);
	parse_leave(p, path);
	if (p->errors->total != before)
		return NULL;
	versions[0].name = kinds[i].api_version;
	versions[1].name = kinds[i].also;
	path = parse_enter(p, "apiVersion");
	parse_choice(p, version, versions, &(uint8_t){ 0 });
	parse_leave(p, path);
	return p->errors->total == before ? &kinds[i] : NULL;
}

/* The annotation is for files, which no API server has given a time. */
static int parse_audit_since(struct parse *p, const struct node *meta, struct moment *ret)
{
	const struct node *annotations = node_get(meta, "annotations");
	const struct node *created = node_get(meta, "creationTimestamp"), *since = NULL;
	size_t before = parse_enter(p, "annotations"), path;
	int r = 0;

	if (created && created->type == NODE_TEXT)
		moment_parse(created->text, ret);
	if (annotations && annotations->type == NODE_MAP)
		since = node_get(annotations, AUDIT_SINCE);
	path = parse_enter(p, AUDIT_SINCE);
	if (since)
		r = parse_moment(p, since, ret);
	parse_leave(p, path);
	parse_leave(p, before);
	return r;
}

static int parse_meta(struct parse *p, const struct node *document, const struct kind *kind,
		      struct meta *ret)
{
	const struct node *node = node_get(document, "metadata");
	size_t path = parse_enter(p, "metadata");
	struct meta meta = { .place = parse_place(p, document) };
	size_t errors = p->errors->total;
	int r;

	r = parse_fields(p, node, meta_fields, &meta);
	if (meta.namespace && kind->cluster) {
		size_t before = parse_enter(p, "namespace");

		parse_error(p, node_get(node, "namespace"), "a %s has none: leave it out",
			    kind->name);
		parse_leave(p, before);
	}
	if (!meta.namespace)
		meta.namespace = kind->cluster ? "" : NAMESPACE_DEFAULT;
	if (r == 0 && p->errors->total == errors)
		r = parse_audit_since(p, node, &meta.audit_since);
	parse_leave(p, path);
	*ret = meta;
	return r;
}

/* What the kind's own parser is for: `spec`, or all of the document. */
static int parse_content(struct parse *p, const struct node *document, const struct kind *kind,
			 const struct meta *meta)
{
	const struct node *spec = parse_given(p, document, "spec");
	size_t path;
	int r = 0;

	if (kind->whole)
		return kind->parse(p, document, meta);
	path = parse_enter(p, "spec");
	if (spec && spec->type != NODE_MAP)
		parse_wrong_type(p, spec, "a mapping");
	else
		r = kind->parse(p, spec, meta);
	parse_leave(p, path);
	return r;
}

static int parse_object(struct parse *p, const struct node *document)
{
	const struct kind *kind = find_kind(p, document);
	size_t before = p->errors->total;
	struct meta meta = { 0 };
	int r;

	if (!kind)
		return 0;
	p->upstream = kind->upstream;
	p->tolerant = kind->whole;
	r = parse_fields(p, document, document_fields, &meta);
	if (r < 0 || p->errors->total != before)
		return r;
	r = parse_meta(p, document, kind, &meta);
	if (r < 0 || p->errors->total != before)
		return r;
	p->namespace = meta.namespace;
	return parse_content(p, document, kind, &meta);
}

static int parse_document(struct parse *p, const struct node *document);

/* What `kubectl get -o yaml` prints: objects of any kinds in one document. */
static int parse_items(struct parse *p, const struct node *node, void *target)
{
	int r = 0;

	(void)target;
	if (node->type != NODE_LIST) {
		parse_wrong_type(p, node, "a list");
		return 0;
	}
	for (size_t i = 0; i < node->n && r == 0; i++) {
		size_t path = parse_enter_index(p, i);

		r = parse_document(p, node->item[i]);
		parse_leave(p, path);
	}
	p->upstream = p->tolerant = false;
	return r;
}

static int parse_list_version(struct parse *p, const struct node *node, void *target)
{
	static const struct choice versions[] = { { "v1", 1 }, { 0 } };

	return parse_choice(p, node, versions, target);
}

static const struct field list_fields[] = {
	{ "apiVersion", .parse = parse_list_version, .required = true },
	{ "kind", .parse = parse_elsewhere, .required = true },
	{ .name = "metadata" },
	{ "items", .parse = parse_items, .required = true },
	{ 0 },
};

static int parse_document(struct parse *p, const struct node *document)
{
	static const struct field head_fields[] = {
		{ "apiVersion", .parse = parse_elsewhere, .required = true },
		{ "kind", .parse = parse_elsewhere, .required = true },
		{ 0 },
	};
	size_t before = p->errors->total;
	const struct node *kind;
	uint8_t unused;
	int r;

	p->upstream = false;
	p->tolerant = true;
	r = parse_fields(p, document, head_fields, &unused);
	if (r < 0 || p->errors->total != before)
		return r;
	p->tolerant = false;
	kind = node_get(document, "kind");
	if (kind->type == NODE_TEXT && streq(kind->text, KIND_LIST))
		return parse_fields(p, document, list_fields, &unused);
	return parse_object(p, document);
}

/* One document, its tree freed behind it. */
static int parse_next(struct parse *p, struct yaml_stream *stream, bool *ret_end)
{
	struct arena arena = { 0 };
	const struct node *document = NULL;
	int r;

	r = yaml_stream_next(stream, &arena, &document);
	p->path[0] = 0;
	if (r == 0 && document && !node_is_null(document))
		r = parse_document(p, document);
	*ret_end = r < 0 || !document;
	arena_done(&arena);
	return r;
}

int policy_set_parse(struct policy_set *set, const char *file, const char *text, size_t length,
		     struct policy_errors *errors)
{
	_cleanup_(yaml_stream_freep) struct yaml_stream *stream = NULL;
	struct parse p = { .set = set, .errors = errors };
	size_t before = errors->total;
	bool end = false;
	int r;

	p.file = arena_strdup(&set->arena, file);
	if (!p.file)
		return -ENOMEM;
	r = yaml_stream_new(text, length, &stream);
	while (r == 0 && !end)
		r = parse_next(&p, stream, &end);
	if (r == -EBADMSG) {
		struct place place = { .file = file };
		const char *problem = yaml_stream_problem(stream, &place.line);

		policy_errors_add(errors, &place, NULL, "%s", problem);
	}
	return r < 0 && r != -EBADMSG ? r : errors->total == before ? 0 : -EBADMSG;
}
