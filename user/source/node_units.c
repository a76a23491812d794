/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/node_units.h"

#define NODE_PREFIX "Node/" /* of documents, see user/kube/object.h */

struct node_units {
	struct source source;
	struct source *of;
	struct host_unit_list units;
	char *own_node;
};

static void node_units_free(struct source *source)
{
	struct node_units *u = (struct node_units *)source;

	if (!u)
		return;
	source_free(u->of);
	host_unit_list_done(&u->units);
	free(u->own_node);
	free(u);
}

/* The node that the document is of; NULL: it is of none, or of this one. */
static const char *node_of(const struct node_units *u, const struct source_document *document)
{
	const char *name = document->name + strlen(NODE_PREFIX);

	return startswith(document->name, NODE_PREFIX) && !streq(name, u->own_node) ? name : NULL;
}

/* A node that is gone takes its units along; one that is as it was leaves them so, too. */
static int add_units(const struct node_units *u, const struct source_document *node,
		     struct source_documents *ret)
{
	static const struct cs_key unknown;
	int r = 0;

	for (size_t i = 0; i < u->units.n && r == 0; i++) {
		struct source_document *document = &ret->item[ret->n];

		r = host_unit_document(&u->units, i, node_of(u, node), /* own= */ false, document);
		if (r < 0)
			break;
		ret->n++;
		if (node->text)
			continue;
		free(document->text);
		document->text = NULL;
		document->length = 0;
		if (memcmp(&node->digest, &unknown, sizeof(unknown)) == 0)
			document->digest = unknown; /* it went */
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct source_document *)a)->name,
		      ((const struct source_document *)b)->name);
}

static int expand(const struct node_units *u, struct source_documents *documents)
{
	size_t n = documents->n, nodes = 0;
	struct source_document *more;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		nodes += node_of(u, &documents->item[i]) != NULL;
	if (!nodes)
		return 0;
	more = reallocarray(documents->item, n + nodes * u->units.n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	documents->item = more;
	for (size_t i = 0; i < n && r == 0; i++)
		if (node_of(u, &documents->item[i]))
			r = add_units(u, &documents->item[i], documents);
	qsort(documents->item, documents->n, sizeof(*documents->item), by_name);
	return r;
}

static int finish(struct node_units *u, int r, struct source_documents *ret)
{
	if (r == 0)
		return expand(u, ret);
	snprintf(u->source.error, sizeof(u->source.error), "%s", source_error(u->of));
	return r;
}

static int node_units_read(struct source *source, struct source_documents *ret)
{
	struct node_units *u = (struct node_units *)source;

	return finish(u, source_read(u->of, ret), ret);
}

static int node_units_changes(struct source *source, struct source_documents *ret)
{
	struct node_units *u = (struct node_units *)source;

	return finish(u, source_changes(u->of, ret), ret);
}

static int node_units_fd(const struct source *source)
{
	return source_fd(((const struct node_units *)source)->of);
}

static int node_units_dispatch(struct source *source)
{
	return source_dispatch(((struct node_units *)source)->of);
}

int source_node_units_new(struct source *of, const char *list, const char *own_node,
			  struct source **ret)
{
	static const struct source_ops ops = {
		.read = node_units_read,
		.changes = node_units_changes,
		.fd = node_units_fd,
		.dispatch = node_units_dispatch,
		.free = node_units_free,
	};
	struct node_units *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->source.ops = &ops;
	u->own_node = strdup(own_node);
	r = u->own_node ? host_unit_list_parse(list, &u->units) : -ENOMEM;
	if (r < 0) {
		node_units_free(&u->source);
		return r;
	}
	u->of = of;
	*ret = &u->source;
	return 0;
}
