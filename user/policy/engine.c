/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/engine_internal.h"

#define ENGINE_CHANGES_FIRST 16

/* ---- documents ---- */

static struct engine_document *document_free(struct engine_document *document)
{
	if (!document)
		return NULL;
	policy_set_free(document->set);
	free(document->name);
	free(document);
	return NULL;
}

static void document_freep(struct engine_document **document)
{
	document_free(*document);
}

static void documents_done(struct engine_documents *documents)
{
	free(documents->digest);
	free(documents->item);
	*documents = (struct engine_documents){ 0 };
}

static int documents_init(struct engine_documents *documents, size_t n)
{
	documents->digest = calloc(n + 1, sizeof(*documents->digest));
	documents->item = calloc(n + 1, sizeof(struct engine_document *));
	return documents->digest && documents->item ? 0 : -ENOMEM;
}

static int document_parse(const struct policy_document *from, struct engine_document **ret,
			  struct policy_errors *errors)
{
	_cleanup_(document_freep) struct engine_document *document = calloc(1, sizeof(*document));
	int r;

	if (!document)
		return -ENOMEM;
	document->name = strdup(from->name);
	if (!document->name)
		return -ENOMEM;
	r = policy_set_new(&document->set);
	if (r == 0)
		r = policy_set_parse(document->set, from->name, from->text, from->length, errors);
	if (r < 0)
		return r;
	for (size_t i = 0; i < document->set->workloads.n; i++) {
		const struct workload *workload = document->set->workloads.item[i];

		document->n_placed += workload->node || workload->cgroup || workload->systemd_unit;
	}
	*ret = TAKE_PTR(document);
	return 0;
}

/* ---- staging ---- */

/* Forgets the change; documents that only it has go too. */
static void drop_changes(struct policy_engine *engine, bool accepted)
{
	for (size_t i = 0; i < engine->changes.n; i++)
		document_free(accepted ? engine->changes.item[i].old : engine->changes.item[i].new);
	engine->changes.n = 0;
}

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
	return 0;
}

static void stage_same(struct policy_engine *engine, size_t i)
{
	size_t n = engine->staged.n++;

	engine->staged.digest[n] = engine->documents.digest[i];
	engine->staged.item[n] = engine->documents.item[i];
}

/* A document that was not there (@old NULL) or was different. */
static int stage_new(struct policy_engine *engine, const struct policy_document *document,
		     struct engine_document *old, struct policy_errors *errors)
{
	_cleanup_(document_freep) struct engine_document *new = NULL;
	int r;

	if (!document->text)
		return -ENODATA;
	r = document_parse(document, &new, errors);
	if (r < 0)
		return r;
	r = note_change(engine, old, new);
	if (r < 0)
		return r;
	engine->staged.digest[engine->staged.n] = document->digest;
	engine->staged.item[engine->staged.n++] = TAKE_PTR(new);
	return 0;
}

/* Errors of all documents are told, not only of the first that has one. */
static int and_on(int first, int r)
{
	return first == 0 || (first == -EBADMSG && r < 0 && r != -EBADMSG) ? r : first;
}

/* Documents in force that come before @name went: all of them when it is NULL. */
static int stage_gone(struct policy_engine *engine, size_t *i, const char *name)
{
	int r = 0;

	while (r == 0 && *i < engine->documents.n &&
	       (!name || strcmp(engine->documents.item[*i]->name, name) < 0))
		r = note_change(engine, engine->documents.item[(*i)++], NULL);
	return r;
}

static int stage_next(struct policy_engine *engine, struct policy_document document, size_t *i,
		      struct policy_errors *errors)
{
	struct engine_document *old = NULL;
	int r;

	if (!document.digest.k0)
		document.digest = document_digest(document.name, document.text, document.length);
	if (*i < engine->documents.n &&
	    memcmp(&document.digest, &engine->documents.digest[*i], sizeof(document.digest)) == 0) {
		stage_same(engine, (*i)++);
		return 0;
	}
	r = stage_gone(engine, i, document.name);
	if (r < 0)
		return r;
	if (*i < engine->documents.n && streq(engine->documents.item[*i]->name, document.name))
		old = engine->documents.item[(*i)++];
	if (old && memcmp(&document.digest, &engine->documents.digest[*i - 1],
			  sizeof(document.digest)) == 0) {
		stage_same(engine, *i - 1);
		return 0;
	}
	return stage_new(engine, &document, old, errors);
}

static ssize_t stage_end(struct policy_engine *engine, int r)
{
	if (r == 0)
		return (ssize_t)engine->changes.n;
	policy_engine_reject(engine);
	return r;
}

static int stage_begin(struct policy_engine *engine, size_t n)
{
	policy_engine_reject(engine);
	engine->pending = true;
	return documents_init(&engine->staged, n);
}

ssize_t policy_engine_stage(struct policy_engine *engine, const struct policy_document *documents,
			    size_t n, struct policy_errors *errors)
{
	size_t i = 0;
	int r = stage_begin(engine, n);

	for (size_t k = 0; k < n && (r == 0 || r == -EBADMSG); k++)
		r = and_on(r, stage_next(engine, documents[k], &i, errors));
	if (r == 0)
		r = stage_gone(engine, &i, NULL);
	return stage_end(engine, r);
}

/* The first document of that name or a later one. */
static size_t find_document(const struct engine_documents *documents, const char *name)
{
	size_t low = 0, high = documents->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(documents->item[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Documents [@from, @to) stay as they are. */
static void stage_range(struct policy_engine *engine, size_t from, size_t to)
{
	struct engine_documents *staged = &engine->staged;

	memcpy(staged->digest + staged->n, engine->documents.digest + from,
	       (to - from) * sizeof(*staged->digest));
	memcpy(staged->item + staged->n, engine->documents.item + from,
	       (to - from) * sizeof(struct engine_document *));
	staged->n += to - from;
}

ssize_t policy_engine_stage_one(struct policy_engine *engine,
				const struct policy_document *document,
				struct policy_errors *errors)
{
	const struct engine_documents *documents = &engine->documents;
	size_t i = find_document(documents, document->name);
	int r = stage_begin(engine, documents->n + 1);

	if (r < 0)
		return stage_end(engine, r);
	stage_range(engine, 0, i);
	if (document->text)
		r = stage_next(engine, *document, &i, errors);
	else if (i < documents->n && streq(documents->item[i]->name, document->name))
		r = note_change(engine, documents->item[i++], NULL);
	if (r == 0)
		stage_range(engine, i, documents->n);
	return stage_end(engine, r);
}

int policy_engine_stage_again(struct policy_engine *engine)
{
	int r = engine->current ? stage_begin(engine, engine->documents.n) : -ENODATA;

	if (r == 0)
		stage_range(engine, 0, engine->documents.n);
	return (int)stage_end(engine, r);
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
	documents_done(&engine->staged);
	engine->pending = false;
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

void policy_engine_accept(struct policy_engine *engine)
{
	if (!engine->pending)
		return;
	accept_next(engine);
	engine->claims.valid |= engine->claims_moved;
	engine->claims_moved = false;
	engine->in_place = false;
	image_delta_done(&engine->delta);
	drop_changes(engine, /* accepted= */ true);
	documents_done(&engine->documents);
	engine->documents = engine->staged;
	engine->staged = (struct engine_documents){ 0 };
	engine->pending = false;
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
		  512 * options->salt_by_domain;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (size_t k = 0; lists[i] && lists[i][k]; k++)
			add_text(&sum, lists[i][k]);
		add_text(&sum, NULL);
	}
	return sum;
}

/* The keymaps of the view that later changes are checked against. */
static void take_claims(struct policy_engine *engine, struct policy_set *view)
{
	engine->next_claims = (struct engine_claims){
		.names = view->workloads.names,
		.cgroups = view->cgroups,
		.units = view->units,
		.valid = true,
	};
	view->workloads.names = view->cgroups = view->units = (struct keymap){ 0 };
}

/* With @from: the rules only. */
static int compile_staged(struct policy_engine *engine, struct compile_input *input,
			  const struct compile *from)
{
	int r;

	drop_next(engine);
	r = engine_view(&engine->staged, from ? input->options : NULL, &engine->next_view,
			input->errors);
	if (r < 0)
		return r;
	input->set = engine->next_view;
	r = compile_new(input, &engine->next);
	if (r == 0)
		r = compile_run(engine->next, from);
	if (r < 0) {
		drop_next(engine);
		return r;
	}
	if (!from)
		take_claims(engine, engine->next_view);
	return 0;
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
	if (least >= POLICY_RULES && engine->changes.n && !engine->spoiled)
		r = change(engine, &input, least, ret);
	if (r == -ESTALE) {
		r = compile_staged(engine, &input, NULL);
		if (r == 0)
			*ret = (struct policy_result){ engine->next->image, NULL, POLICY_WHOLE };
	}
	return r;
}

/* ---- the engine itself ---- */

int policy_engine_new(struct policy_engine **ret)
{
	struct policy_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	if (documents_init(&engine->documents, 0) < 0) {
		policy_engine_free(engine);
		return -ENOMEM;
	}
	*ret = engine;
	return 0;
}

struct policy_engine *policy_engine_free(struct policy_engine *engine)
{
	if (!engine)
		return NULL;
	policy_engine_reject(engine);
	for (size_t i = 0; i < engine->documents.n; i++)
		document_free(engine->documents.item[i]);
	documents_done(&engine->documents);
	engine_claims_done(&engine->claims);
	compile_free(engine->current);
	engine_view_free(engine->view);
	free(engine->changes.item);
	free(engine);
	return NULL;
}
