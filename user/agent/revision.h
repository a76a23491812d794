/* SPDX-License-Identifier: Apache-2.0 */
/* One accepted policy set: its documents as they were read, and who put it in force when. */
#pragma once

#include <countersign/siphash.h>

#include "user/agent/origin.h"
#include "user/source/source.h"

#define REVISION_HEADER_BYTES_MAX (8u << 20) /* names of up to 16384 documents, escaped */
#define REVISION_BYTES_MAX (REVISION_HEADER_BYTES_MAX + SOURCE_BYTES_MAX)

struct revision {
	uint32_t number; /* from 1, ascending */
	int64_t realtime_ns; /* accepted at */
	struct origin origin;
	uint64_t workloads, policies, rules; /* counts */
	struct cs_key digest; /* of the documents, see revision_digest() */
};

/* Tells one set of documents from another: names and texts count. */
struct cs_key revision_digest(const struct source_documents *documents);

/*
 * As bytes: a line of JSON, then the texts. The result is the caller's; -EFBIG when the
 * names alone pass REVISION_HEADER_BYTES_MAX.
 */
int revision_encode(const struct revision *revision, const struct source_documents *documents,
		    char **ret, size_t *ret_length);

/* The opposite; @ret_documents may be NULL. -EBADMSG when it is not such text. */
int revision_decode(const char *bytes, size_t length, struct revision *ret,
		    struct source_documents *ret_documents);
