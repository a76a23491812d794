/* SPDX-License-Identifier: Apache-2.0 */
/* A NodeIdentity object as a node record's document. */
#pragma once

#include <jansson.h>

#include "user/base/util.h"

#define NODE_IDENTITY_NAME_MAX sizeof("65535.json")

/* All that a record consists of, for a reflector. */
extern const char *const node_identity_fields[];

/*
 * The document of @object and its name, "<number>.json", without what other versions, the
 * status or the API server put beside a record; always the same text for the same record.
 * 0: @ret is the caller's; -ENODATA: it is a claim, which no signature belongs to; -EINVAL:
 * its name is no number.
 */
int node_identity_document(const json_t *object, char ret_name[static NODE_IDENTITY_NAME_MAX],
			   char **ret);

/* The name alone; -EINVAL. */
int node_identity_name(const json_t *object, char ret_name[static NODE_IDENTITY_NAME_MAX]);
