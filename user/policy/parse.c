/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: apiVersion, kind and metadata, then the parser of the kind. */
#include "user/policy/parse.h"

#include "user/policy/names.h"

#define API_VERSION "countersign.dev/v1alpha1"
#define NAMESPACE_DEFAULT "default"

struct kind {
	const char *name;
	const char *api_version;
	int (*parse)(struct parse *p, const struct node *spec, const struct meta *meta);
	bool spec_matters; /* else any spec will do */
};

static const struct kind kinds[] = {
	{ "Workload", API_VERSION, parse_workload, .spec_matters = true },
	{ "IdentityPolicy", API_VERSION, parse_identity_policy, .spec_matters = true },
	{ "Namespace", "v1", parse_namespace, .spec_matters = false },
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

/* The last ones come from the API server and mean nothing here. */
static const struct field meta_fields[] = {
	{ "name", FIELD(struct meta, name, parse_dns_name), .required = true },
	{ "namespace", FIELD(struct meta, namespace, parse_dns_label) },
	{ "labels", FIELD(struct meta, labels, parse_labels) },
	{ "annotations", .parse = parse_elsewhere },
	{ .name = "creationTimestamp" },
	{ .name = "finalizers" },
	{ .name = "generation" },
	{ .name = "managedFields" },
	{ .name = "ownerReferences" },
	{ .name = "resourceVersion" },
	{ .name = "selfLink" },
	{ .name = "uid" },
	{ 0 },
};

static const struct field document_fields[] = {
	{ "apiVersion", .parse = parse_elsewhere, .required = true },
	{ "kind", .parse = parse_elsewhere, .required = true },
	{ "metadata", .parse = parse_elsewhere, .required = true },
	{ "spec", .parse = parse_elsewhere },
	{ .name = "status" },
	{ 0 },
};

static const struct kind *find_kind(struct parse *p, const struct node *document)
{
	const struct node *kind = node_get(document, "kind");
	const struct node *version = node_get(document, "apiVersion");
	struct choice names[ARRAY_SIZE(kinds) + 1] = { 0 };
	struct choice versions[2] = { 0 };
	size_t before = p->errors->total, path;
	uint8_t i = 0;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		names[k] = (struct choice){ kinds[k].name, (uint8_t)k };
	path = parse_enter(p, "kind");
	parse_choice(p, kind, names, &i);
	parse_leave(p, path);
	if (p->errors->total != before)
		return NULL;
	versions[0].name = kinds[i].api_version;
	path = parse_enter(p, "apiVersion");
	parse_choice(p, version, versions, &(uint8_t){ 0 });
	parse_leave(p, path);
	return p->errors->total == before ? &kinds[i] : NULL;
}

static int parse_meta(struct parse *p, const struct node *document, struct meta *ret)
{
	size_t path = parse_enter(p, "metadata");
	struct meta meta = { .namespace = NAMESPACE_DEFAULT };
	int r;

	meta.place = parse_place(p, document);
	r = parse_fields(p, node_get(document, "metadata"), meta_fields, &meta);
	parse_leave(p, path);
	*ret = meta;
	return r;
}

static int parse_document(struct parse *p, const struct node *document)
{
	size_t before = p->errors->total, path;
	const struct node *spec;
	const struct kind *kind;
	struct meta meta = { 0 };
	int r;

	p->path[0] = 0;
	r = parse_fields(p, document, document_fields, &meta);
	if (r < 0 || p->errors->total != before)
		return r;
	kind = find_kind(p, document);
	if (!kind)
		return 0;
	r = parse_meta(p, document, &meta);
	if (r < 0 || p->errors->total != before)
		return r;
	p->namespace = meta.namespace;
	spec = node_get(document, "spec");
	path = parse_enter(p, "spec");
	if (spec && kind->spec_matters && spec->type != NODE_MAP)
		parse_wrong_type(p, spec, "a mapping");
	else
		r = kind->parse(p, spec, &meta);
	parse_leave(p, path);
	return r;
}

/* One document, its tree freed behind it. */
static int parse_next(struct parse *p, struct yaml_stream *stream, bool *ret_end)
{
	struct arena arena = { 0 };
	const struct node *document = NULL;
	int r;

	r = yaml_stream_next(stream, &arena, &document);
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
