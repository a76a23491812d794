/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine's files share. */
#pragma once

#include "user/policy/compile.h"
#include "user/policy/engine.h"

/* A document and the objects in it. */
struct engine_document {
	char *name;
	struct policy_set *set;
	size_t n_placed; /* workloads that may be of this node */
};

/* Sorted by name. The digests lie together: they are all that is compared mostly. */
struct engine_documents {
	struct cs_key *digest;
	struct engine_document **item;
	size_t n;
};

/* One document that came (no old), changed or went (no new). */
struct engine_change {
	struct engine_document *old;
	struct engine_document *new;
};

/* What workloads have that no two may have. */
struct engine_claims {
	struct keymap names;
	struct keymap cgroups;
	struct keymap units;
	bool valid; /* they are those of the documents in force */
};

struct policy_engine {
	struct engine_documents documents; /* in force */
	struct engine_claims claims;
	struct compile *current; /* NULL: there was none */
	struct policy_set *view; /* that it was compiled from: workloads in it may be gone */
	struct cs_key options; /* digest of those it was compiled with */
	bool spoiled; /* @current was changed by something that did not come into force */

	struct engine_documents staged;
	GROWING(struct engine_change) changes;
	bool pending; /* the above are to be accepted or rejected */
	struct compile *next;
	struct policy_set *next_view;
	struct engine_claims next_claims;
	struct image_delta delta; /* made in @current's image, when @in_place; also below @next */
	bool in_place;
	bool claims_moved; /* @claims are those of the staged documents */
	struct cs_key next_options;
};

/* ---- engine_view.c: one set of all documents' objects ---- */

/*
 * All objects of @documents in a set, whose lists point into the documents' own; names given
 * twice are errors. With @rules_only, which are the options to compile with, only those
 * workloads that are of this node, and their claims are not looked at.
 */
int engine_view(const struct engine_documents *documents, const struct policy_options *rules_only,
		struct policy_set **ret, struct policy_errors *errors);
struct policy_set *engine_view_free(struct policy_set *view);

/* What @own has for each of @n objects, in their order; no key: nothing. The caller frees. */
struct keymap_item *engine_in_order(const struct keymap *own, size_t n);

/* What kinds of objects a document has. */
enum {
	ENGINE_HAS_WORKLOADS = 1 << 0,
	ENGINE_HAS_POLICIES = 1 << 1,
	ENGINE_HAS_OTHERS = 1 << 2, /* that a compile asks for */
};
unsigned int engine_contents(const struct engine_document *document);

/* ---- engine_peers.c: workloads only ---- */

void engine_claims_done(struct engine_claims *claims);

/*
 * Makes the staged changes of workloads in place; *@ret_rules: the rules must be compiled
 * behind it. -ESTALE: everything must.
 */
int engine_change_peers(struct policy_engine *engine, bool *ret_rules);
