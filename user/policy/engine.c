/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/engine_internal.h"

#define ENGINE_CHANGES_FIRST 16
#define ENGINE_CHANGES_KEPT 4096 /* room that is not given back after a change */

/* ---- staging ---- */

static const char *name_of(const void *of, uint32_t id)
{
	const struct policy_engine *engine = of;

	return engine->document[id]->name;
}

/* Forgets the change; documents that only it has go too. */
static void drop_changes(struct policy_engine *engine, bool accepted)
{
	for (size_t i = 0; i < engine->changes.n; i++) {
		struct engine_change *change = &engine->changes.item[i];

		if (change->old)
			change->old->changed = false;
		engine_document_free(engine, accepted ? change->old : change->new);
	}
	engine->changes.n = 0;
	if (engine->changes.capacity > ENGINE_CHANGES_KEPT) {
		free(engine->changes.item);
		engine->changes.item = NULL;
		engine->changes.capacity = 0;
	}
}

/* A failure leaves @new to the caller. */
static int note_change(struct policy_engine *engine, struct engine_document *old,
		       struct engine_document *new)
{
	size_t capacity = engine->changes.capacity ? engine->changes.capacity * 2
						   : ENGINE_CHANGES_FIRST;
	void *more;

	if (engine->changes.n == engine->changes.capacity) {
		more = reallocarray(engine->changes.item, capacity, sizeof(*engine->changes.item));
		if (!more)
			return -ENOMEM;
		engine->changes.item = more;
		engine->changes.capacity = capacity;
	}
	engine->changes.item[engine->changes.n++] = (struct engine_change){ old, new };
	if (old)
		old->changed = true;
	return 0;
}

static bool is_same(const struct engine_document *a, const struct cs_key *digest)
{
	return a && memcmp(&a->digest, digest, sizeof(*digest)) == 0;
}

/* A document that was not there (@old NULL), or is different by its digest. */
static int stage_new(struct policy_engine *engine, struct policy_document document,
		     struct engine_document *old, struct policy_errors *errors)
{
	struct engine_document *new = NULL;
	int r;

	if (!document.digest.k0)
		document.digest = document_digest(document.name, document.text, document.length);
	if (is_same(old, &document.digest))
		return 0;
	if (!document.text)
		return -ENODATA;
	r = engine_document_new(engine, &document, &new, errors);
	if (r == 0) {
		r = note_change(engine, old, new);
		if (r < 0)
			engine_document_free(engine, new);
	}
	return r;
}

/* Errors of all documents are told, not only of the first that has one. */
static int and_on(int first, int r)
{
	return first == 0 || (first == -EBADMSG && r < 0 && r != -EBADMSG) ? r : first;
}

/* The documents in force, one after the other, beside those that are given. */
struct walk {
	struct order_at at;
	struct engine_document *old; /* the next one; NULL: there is none */
};

static void walk_on(const struct policy_engine *engine, struct walk *walk)
{
	uint32_t id;

	walk->old = order_next(&engine->order, &walk->at, &id) ? engine->document[id] : NULL;
}

/* Documents in force that come before @name went: all of them when it is NULL. */
static int stage_gone(struct policy_engine *engine, struct walk *walk, const char *name)
{
	int r = 0;

	while (r == 0 && walk->old && (!name || strcmp(walk->old->name, name) < 0)) {
		r = note_change(engine, walk->old, NULL);
		walk_on(engine, walk);
	}
	return r;
}

static int stage_next(struct policy_engine *engine, const struct policy_document *document,
		      struct walk *walk, struct policy_errors *errors)
{
	struct engine_document *old = NULL;
	int r;

	if (document->digest.k0 && is_same(walk->old, &document->digest)) {
		walk_on(engine, walk);
		return 0;
	}
	r = stage_gone(engine, walk, document->name);
	if (r < 0)
		return r;
	if (walk->old && streq(walk->old->name, document->name)) {
		old = walk->old;
		walk_on(engine, walk);
	}
	return stage_new(engine, *document, old, errors);
}

static ssize_t stage_end(struct policy_engine *engine, int r)
{
	if (r == 0) /* so that accepting cannot fail */
		r = order_reserve(&engine->order, engine->changes.n);
	if (r == 0)
		return (ssize_t)engine->changes.n;
	policy_engine_reject(engine);
	return r;
}

static void stage_begin(struct policy_engine *engine)
{
	policy_engine_reject(engine);
	engine->pending = true;
}

ssize_t policy_engine_stage(struct policy_engine *engine, const struct policy_document *documents,
			    size_t n, struct policy_errors *errors)
{
	struct walk walk = { 0 };
	int r = 0;

	stage_begin(engine);
	walk_on(engine, &walk);
	for (size_t k = 0; k < n && (r == 0 || r == -EBADMSG); k++)
		r = and_on(r, stage_next(engine, &documents[k], &walk, errors));
	if (r == 0)
		r = stage_gone(engine, &walk, NULL);
	return stage_end(engine, r);
}

static int stage_change(struct policy_engine *engine, const struct policy_document *change,
			struct policy_errors *errors)
{
	struct engine_document *old = NULL;
	struct order_at at;
	uint32_t id;

	if (order_find(&engine->order, name_of, engine, change->name, &at) &&
	    order_next(&engine->order, &at, &id))
		old = engine->document[id];
	if (change->text)
		return stage_new(engine, *change, old, errors);
	return old ? note_change(engine, old, NULL) : 0;
}

ssize_t policy_engine_stage_changes(struct policy_engine *engine,
				    const struct policy_document *changes, size_t n,
				    struct policy_errors *errors)
{
	int r = 0;

	stage_begin(engine);
	engine->few = true;
	for (size_t k = 1; k < n && r == 0; k++)
		if (strcmp(changes[k - 1].name, changes[k].name) >= 0)
			r = -EINVAL;
	for (size_t k = 0; k < n && (r == 0 || r == -EBADMSG); k++)
		r = and_on(r, stage_change(engine, &changes[k], errors));
	return stage_end(engine, r);
}

int policy_engine_stage_again(struct policy_engine *engine)
{
	if (!engine->current)
		return -ENODATA;
	stage_begin(engine);
	return 0;
}

/* ---- accepting ---- */

static void drop_next(struct policy_engine *engine)
{
	compile_free(engine->next);
	engine->next = NULL;
	engine->next_view = engine_view_free(engine->next_view);
	engine_claims_done(&engine->next_claims);
}

static void spoil(struct policy_engine *engine)
{
	if (engine->in_place)
		image_delta_undo(&engine->delta, engine->current->image);
	engine->spoiled |= engine->in_place;
	engine->in_place = false;
	engine->claims_moved = false;
	image_delta_done(&engine->delta);
}

void policy_engine_reject(struct policy_engine *engine)
{
	spoil(engine);
	drop_next(engine);
	drop_changes(engine, /* accepted= */ false);
	engine->pending = engine->few = engine->compiled = false;
}

/* What was compiled takes the place of what was known. */
static void accept_next(struct policy_engine *engine)
{
	if (!engine->next)
		return;
	if (engine->in_place) /* the image of the epoch before stays what it was */
		image_delta_undo(&engine->delta, engine->current->image);
	engine->next->given = true;
	if (engine->next->borrowed)
		compile_take_over(engine->next, engine->current);
	compile_free(engine->current);
	engine->current = TAKE_PTR(engine->next);
	engine_view_free(engine->view);
	engine->view = TAKE_PTR(engine->next_view);
	engine->spoiled = false;
	engine->options = engine->next_options;
	if (engine->next_claims.valid) {
		engine_claims_done(&engine->claims);
		engine->claims = engine->next_claims;
		engine->next_claims = (struct engine_claims){ 0 };
	}
}

/* stage_end() and policy_engine_compile() have made room. */
static void move_documents(struct policy_engine *engine)
{
	struct order_at at;

	for (size_t i = 0; i < engine->changes.n; i++) {
		const struct engine_change *change = &engine->changes.item[i];
		const struct engine_document *named = change->new ?: change->old;

		if (!named)
			continue;
		order_find(&engine->order, name_of, engine, named->name, &at);
		if (change->old && change->new)
			engine->order.chunk[at.chunk]->id[at.i] = change->new->id;
		else if (change->old)
			order_remove(&engine->order, &at);
		else
			order_insert(&engine->order, &at, change->new->id);
		if (change->old)
			engine_set_special(engine, change->old, false);
		if (change->new)
			engine_set_special(engine, change->new, engine_is_special(change->new));
	}
}

void policy_engine_accept(struct policy_engine *engine)
{
	bool whole = engine->next && !engine->next->borrowed;

	if (!engine->compiled) {
		policy_engine_reject(engine);
		return;
	}
	accept_next(engine);
	engine->claims.valid |= engine->claims_moved;
	engine->claims_moved = false;
	engine->in_place = false;
	image_delta_done(&engine->delta);
	move_documents(engine);
	if (whole)
		engine_list_special(engine);
	drop_changes(engine, /* accepted= */ true);
	engine->pending = engine->few = engine->compiled = false;
}

/* ---- compiling ---- */

static void add_text(struct cs_key *sum, const char *text)
{
	sum->k0 = cs_siphash_bytes(sum, text ? text : "", text ? strlen(text) : 0);
	sum->k1 += text ? 1 : 2;
}

/* What a compile depends on besides the documents and the clock. */
static struct cs_key options_digest(const struct policy_options *options)
{
	struct cs_key sum = { options->salt[0], options->salt[1] };
	const char *const *const lists[] = { options->tag_networks, options->host_addresses };

	add_text(&sum, options->trust_domain);
	add_text(&sum, options->node_name);
	sum.k1 += options->default_verdict + 256 * options->every_subject +
		  512 * options->salt_by_domain + 1024 * options->audit;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (size_t k = 0; lists[i] && lists[i][k]; k++)
			add_text(&sum, lists[i][k]);
		add_text(&sum, NULL);
	}
	return sum;
}

/* With @from: the rules only. */
static int compile_staged(struct policy_engine *engine, struct compile_input *input,
			  const struct compile *from)
{
	int r;

	drop_next(engine);
	r = engine_find_locals(engine, input->options, /* all= */ !from);
	if (r == 0)
		r = engine_view(engine, from ? input->options : NULL, &engine->next_view,
				input->errors);
	if (r < 0)
		return r;
	input->set = engine->next_view;
	r = compile_new(input, &engine->next);
	if (r == 0)
		r = compile_run(engine->next, from);
	if (r < 0)
		drop_next(engine);
	else
		engine_view_forget_workloads(engine->next_view);
	return r;
}

/* Changes workloads in the state of the last compile. */
static int change_in_place(struct policy_engine *engine, const struct compile_input *input,
			   bool *ret_rules)
{
	struct policy_errors errors = { 0 };
	struct compile *c = engine->current;
	int r;

	c->options = input->options;
	c->errors = &errors; /* a whole compile says it better */
	r = engine_change_peers(engine, ret_rules);
	c->options = NULL;
	c->errors = NULL;
	policy_errors_done(&errors);
	return r;
}

/* Who came and went first, if anybody did; then the rules, if they must, for who is there. */
static int change(struct policy_engine *engine, struct compile_input *input,
		  enum policy_effort least, struct policy_result *ret)
{
	bool rules = false;
	int r = change_in_place(engine, input, &rules);

	rules |= least == POLICY_RULES;
	if (r == 0 && rules)
		r = compile_staged(engine, input, engine->current);
	if (r < 0)
		spoil(engine);
	else if (rules)
		*ret = (struct policy_result){ engine->next->image, NULL, POLICY_RULES };
	else
		*ret = (struct policy_result){ engine->current->image, &engine->delta,
					       POLICY_PEERS };
	return r;
}

int policy_engine_compile(struct policy_engine *engine, const struct policy_options *options,
			  struct rule_ids *ids, enum policy_effort least, struct policy_result *ret,
			  struct policy_errors *errors)
{
	struct compile_input input = {
		.options = options,
		.ids = ids,
		.errors = errors,
		.kept = true,
	};
	struct cs_key digest = options_digest(options);
	int r = -ESTALE;

	if (!engine->pending)
		return -EINVAL;
	spoil(engine); /* when this is the second time */
	engine->next_options = digest;
	if (!engine->current || memcmp(&digest, &engine->options, sizeof(digest)) != 0)
		least = POLICY_WHOLE;
	if (least >= POLICY_RULES && (engine->changes.n || engine->few) && !engine->spoiled) {
		r = engine_find_locals(engine, options, /* all= */ false);
		if (r == 0)
			r = change(engine, &input, least, ret);
	}
	if (r == -ESTALE) {
		r = compile_staged(engine, &input, NULL);
		if (r == 0)
			*ret = (struct policy_result){ engine->next->image, NULL, POLICY_WHOLE };
	}
	engine->compiled = r == 0;
	return r;
}

/* ---- the engine itself ---- */

int policy_engine_new(struct policy_engine **ret)
{
	struct policy_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	*ret = engine;
	return 0;
}

struct policy_engine *policy_engine_free(struct policy_engine *engine)
{
	if (!engine)
		return NULL;
	policy_engine_reject(engine);
	for (size_t i = 0; i < engine->n_documents; i++)
		engine_document_free(engine, engine->document[i]);
	free(engine->document);
	free(engine->free_ids);
	free(engine->special.item);
	order_done(&engine->order);
	engine_shared_done(&engine->shared);
	engine_claims_done(&engine->claims);
	compile_free(engine->current);
	engine_view_free(engine->view);
	free(engine->changes.item);
	free(engine);
	return NULL;
}
