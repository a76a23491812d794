/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine's files share. */
#pragma once

#include "user/policy/compile.h"
#include "user/policy/engine.h"
#include "user/policy/engine_order.h"

/* What many workloads have in common: a template's pods differ in little else. */
struct engine_template {
	struct arena arena; /* of all that @workload points to */
	struct workload workload; /* without name, node, addresses, places */
	uint32_t uses;
};

/* A node's name. */
struct engine_text {
	uint32_t uses;
	char text[];
};

/* Both are found by what they say, and have numbers, which are used again. */
struct engine_shared {
	struct object_list templates;
	struct object_list texts;
	struct hashindex template_of;
	struct hashindex text_of;
};

/* An object of a document. */
struct engine_object {
	const void *object;
	uint8_t kind; /* index into the kinds that engine_view.c knows, these the first of them */
};
enum { ENGINE_KIND_WORKLOAD, ENGINE_KIND_POLICY, ENGINE_KIND_REVOCATION };

/* Whether it is of an enum object_kind, and of which. */
bool engine_kind_of_object(const struct engine_object *object, enum object_kind *ret);

/* The objects of a document, and their memory. */
struct engine_full {
	struct arena arena;
	size_t n;
	struct engine_object object[];
};

/*
 * A document. Most are of one workload each, so that those are kept in a form of their own
 * (`brief`), without the objects that engine_expand() makes of it; the others have theirs.
 */
struct engine_document {
	struct cs_key digest;
	uint32_t id;
	uint32_t special; /* 1 + index into engine->special, 0: it is not in it */
	unsigned int line; /* brief ones: the workload's */
	uint16_t name_at; /* brief ones: where in @name the workload's begins */
	uint8_t n_addresses; /* brief ones */
	bool brief : 1;
	bool changed : 1; /* it is the old one of a change that is staged */
	bool local : 1; /* has workloads of this node, as far as the last compile knows */
	bool placed : 1; /* brief ones: places are behind the addresses */
	union {
		struct {
			uint32_t template;
			uint32_t node; /* 1 + number of the text, 0: none */
		};
		struct engine_full *full;
	};
	char name[]; /* brief: behind it the workload's, if it is none of it, then addresses */
};

/* One document that came (no old), changed or went (no new). */
struct engine_change {
	struct engine_document *old;
	struct engine_document *new;
};

/* What no two objects may have: names, and places of workloads. */
struct engine_claims {
	struct hashindex index; /* -> document */
	bool valid; /* they are those of the documents in force */
};

struct policy_engine {
	struct engine_document **document; /* by number; NULL: free */
	uint32_t *free_ids;
	size_t n_documents; /* numbers that were given */
	size_t n_free;
	size_t documents_room;
	struct order order; /* those in force, by name */
	GROWING(struct engine_document *)
	special; /* those in force that a compile of rules reads */
	struct engine_shared shared;
	struct engine_claims claims;
	struct compile *current; /* NULL: there was none */
	struct policy_set *view; /* that it was compiled from: workloads in it may be gone */
	struct cs_key options; /* digest of those it was compiled with */
	bool spoiled; /* @current was changed by something that did not come into force */

	GROWING(struct engine_change) changes;
	bool pending; /* the changes are to be accepted or rejected */
	bool compiled; /* they were */
	bool few; /* they are all that may have changed, not even the clock */
	struct compile *next;
	struct policy_set *next_view;
	struct engine_claims next_claims;
	struct image_delta delta; /* made in @current's image, when @in_place; also below @next */
	bool in_place;
	bool claims_moved; /* @claims are those of the staged documents */
	struct cs_key next_options;
};

/* ---- engine_document.c: parsing, and what is kept ---- */

/* Parses; the document has a number from then on. */
int engine_document_new(struct policy_engine *engine, const struct policy_document *from,
			struct engine_document **ret, struct policy_errors *errors);
void engine_document_free(struct policy_engine *engine, struct engine_document *document);

/* The workload of a brief document; what it points to is the document's and the engine's. */
void engine_expand(const struct policy_engine *engine, const struct engine_document *document,
		   struct workload *ret);

/* ---- engine_shared.c ---- */

/* The number of a template like @workload, of a text; one use more of it. */
int engine_share_template(struct engine_shared *shared, const struct workload *workload,
			  uint32_t *ret);
int engine_share_text(struct engine_shared *shared, const char *text, uint32_t *ret);
void engine_unshare_template(struct engine_shared *shared, uint32_t i);
void engine_unshare_text(struct engine_shared *shared, uint32_t i);
void engine_shared_done(struct engine_shared *shared);

/* Whether two workloads are of one template. */
bool engine_same_template(const struct workload *a, const struct workload *b);

/* ---- engine_view.c: one set of all documents' objects ---- */

/*
 * All objects of the staged documents in a set, whose lists point into the documents' own;
 * names given twice are errors. With @rules_only, which are the options to compile with,
 * only policies, Revocations and the workloads of this node; without, engine->next_claims is
 * made, too.
 */
int engine_view(struct policy_engine *engine, const struct policy_options *rules_only,
		struct policy_set **ret, struct policy_errors *errors);
struct policy_set *engine_view_free(struct policy_set *view);

/* The lists of workloads, which only the compile itself needs. */
void engine_view_forget_workloads(struct policy_set *view);

/* What kinds of objects a document has. */
enum {
	ENGINE_HAS_WORKLOADS = 1 << 0,
	ENGINE_HAS_POLICIES = 1 << 1,
	ENGINE_HAS_OBJECTS = 1 << 2, /* enum object_kind */
	ENGINE_HAS_OTHERS = 1 << 3, /* that a compile asks for */
};
unsigned int engine_contents(const struct engine_document *document);

/* How many workloads, and objects of enum object_kind, a document has; and these. */
size_t engine_n_workloads(const struct engine_document *document);
const struct workload *engine_workload(const struct engine_document *document, size_t *position);
void engine_objects(const struct engine_document *document, struct compile_object *ret, size_t *n);

/* The objects of a set that was just parsed, into a document. */
int engine_take_objects(struct engine_document *document, struct policy_set *set);

/* Which workloads of it are of this node. */
void engine_find_local(const struct policy_engine *engine, struct engine_document *document,
		       const struct policy_options *options);

/* ---- engine_special.c: the documents that a compile of rules reads ---- */

/*
 * Who is of this node, of all documents or of those that changed, before they are compiled;
 * and room for all in engine->special.
 */
int engine_find_locals(struct policy_engine *engine, const struct policy_options *options,
		       bool all);

bool engine_is_special(const struct engine_document *document);
void engine_set_special(struct policy_engine *engine, struct engine_document *document,
			bool special);

/* Asks all documents: another node's name may have come with the compile. */
void engine_list_special(struct policy_engine *engine);

/* ---- engine_claims.c ---- */

void engine_claims_done(struct engine_claims *claims);

/* All claims of a document. -EEXIST: another has one of them; then it is said where, if asked. */
int engine_claim(const struct policy_engine *engine, struct engine_claims *claims,
		 const struct engine_document *document, struct policy_errors *errors);
void engine_unclaim(const struct policy_engine *engine, struct engine_claims *claims,
		    const struct engine_document *document);

/* ---- engine_peers.c: what can be changed in place ---- */

/*
 * Makes the staged changes in place; *@ret_rules: the rules must be compiled behind it.
 * -ESTALE: everything must.
 */
int engine_change_peers(struct policy_engine *engine, bool *ret_rules);
