/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy engine: documents in, images out, and as little work as a change needs. It
 * holds what was read last, document by document, and what the last compile knew:
 *
 *   a document that did not change is not parsed again;
 *   workloads of other nodes, Services, EndpointSlices, Nodes and Namespaces that come, change
 *   or go change the image in place;
 *   policies and workloads of this node that change are compiled against the identities that
 *   are known, as are Nodes and labels of Namespaces that some rule asks for;
 *   anything else is compiled whole.
 *
 * A document of one workload is kept in about a hundred bytes and its name.
 *
 * A change is staged, compiled, and then accepted or rejected: until it is accepted the
 * engine is what it was, whatever failed.
 */
#pragma once

#include "user/base/digest.h"
#include "user/policy/policy.h"

struct policy_engine;

int policy_engine_new(struct policy_engine **ret);
struct policy_engine *policy_engine_free(struct policy_engine *engine); /* takes NULL, returns it */
static inline void policy_engine_freep(struct policy_engine **engine)
{
	policy_engine_free(*engine);
}

/* One YAML stream. */
struct policy_document {
	const char *name;
	const char *text; /* NULL: as it was, by its digest */
	size_t length;
	struct cs_key digest; /* document_digest(); zero: it is computed */
};

/*
 * Stages all documents there are, sorted by name. Returns how many came, changed or went, or
 * a negative errno as policy_set_parse(); then nothing is staged and nothing has changed.
 * -ENODATA: a document without text is not known.
 */
ssize_t policy_engine_stage(struct policy_engine *engine, const struct policy_document *documents,
			    size_t n, struct policy_errors *errors);

/*
 * The same for @n documents that changed, sorted by name, none twice (-EINVAL), all others
 * being as they were. No text: it went. What is staged before is forgotten. Costs what the
 * changes cost, however many documents there are; when nothing changed, so does compiling.
 */
ssize_t policy_engine_stage_changes(struct policy_engine *engine,
				    const struct policy_document *changes, size_t n,
				    struct policy_errors *errors);

static inline ssize_t policy_engine_stage_one(struct policy_engine *engine,
					      const struct policy_document *document,
					      struct policy_errors *errors)
{
	return policy_engine_stage_changes(engine, document, 1, errors);
}

/* The documents as they are, to be compiled whole. -ENODATA: there are none. */
int policy_engine_stage_again(struct policy_engine *engine);

enum policy_effort {
	POLICY_WHOLE, /* everything was compiled */
	POLICY_RULES, /* identities were known */
	POLICY_PEERS, /* the image was changed in place */
};

struct policy_result {
	struct image *image; /* the caller's from policy_engine_accept() on, or still */
	const struct image_delta *delta; /* POLICY_PEERS: what changed; the engine's */
	enum policy_effort effort;
};

/*
 * Compiles what is staged, with @least effort (POLICY_PEERS: as little as possible) or
 * more. May be called again for the same documents, with more effort. Errors as
 * policy_compile(); what was staged stays so until it is rejected.
 */
int policy_engine_compile(struct policy_engine *engine, const struct policy_options *options,
			  struct rule_ids *ids, enum policy_effort least, struct policy_result *ret,
			  struct policy_errors *errors);

/* What was compiled is in force; the caller keeps the image at least until the next is. */
void policy_engine_accept(struct policy_engine *engine);

/* What was staged is not wanted. Harmless when nothing is. */
void policy_engine_reject(struct policy_engine *engine);

/*
 * How many workloads the policy in force of that name selects, on all nodes; @namespace is ""
 * for cluster-wide kinds. Costs about a look at each identity of the namespace. -ENOENT: there
 * is no such policy in force.
 */
int64_t policy_engine_count_subjects(const struct policy_engine *engine, const char *kind,
				     const char *namespace, const char *name);
