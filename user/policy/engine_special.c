/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that a compile of rules reads: a few of very many. */
#include "user/policy/engine_internal.h"

/* The documents that a compile of rules reads: @document is one of them, or is not. */
void engine_set_special(struct policy_engine *engine, struct engine_document *document,
			bool special)
{
	struct engine_document **item = engine->special.item;

	if (special == (document->special != 0))
		return;
	if (special) {
		item[engine->special.n++] = document;
		document->special = (uint32_t)engine->special.n;
		return;
	}
	item[document->special - 1] = item[--engine->special.n];
	item[document->special - 1]->special = document->special;
	document->special = 0;
}

bool engine_is_special(const struct engine_document *document)
{
	return document->local ||
	       engine_contents(document) & (ENGINE_HAS_POLICIES | ENGINE_HAS_OTHERS);
}

/* Another node's name may have come with the compile: who is local is asked of all. */
void engine_list_special(struct policy_engine *engine)
{
	struct order_at at = { 0 };
	uint32_t id;

	while (order_next(&engine->order, &at, &id))
		engine_set_special(engine, engine->document[id],
				   engine_is_special(engine->document[id]));
}

/* Who is of this node, of all documents or of those that changed; room for engine->special. */
int engine_find_locals(struct policy_engine *engine, const struct policy_options *options, bool all)
{
	size_t most = engine->n_documents;
	struct order_at at = { 0 };
	uint32_t id;
	void *more;

	for (size_t i = 0; i < engine->changes.n; i++)
		if (engine->changes.item[i].new)
			engine_find_local(engine, engine->changes.item[i].new, options);
	while (all && order_next(&engine->order, &at, &id))
		engine_find_local(engine, engine->document[id], options);
	if (most <= engine->special.capacity)
		return 0;
	most += most / 2;
	more = reallocarray(engine->special.item, most, sizeof(struct engine_document *));
	if (!more)
		return -ENOMEM;
	engine->special.item = more;
	engine->special.capacity = most;
	return 0;
}
