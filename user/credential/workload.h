/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the SPIFFE Workload API (workload.proto): protocol buffers to a credential. The
 * message holds the private key, so it is unpacked with an allocator that prefers the secure
 * heap and wipes what it frees.
 */
#pragma once

#include "user/credential/credential.h"

#define WORKLOAD_MESSAGE_MAX BUNDLE_BYTES_MAX /* bytes of an answer */
#define WORKLOAD_UNPACKED_MAX (4 * WORKLOAD_MESSAGE_MAX) /* and of what is made of it */
#define WORKLOAD_SVIDS_MAX 64
#define WORKLOAD_FEDERATED_MAX (BUNDLES_MAX - 1) /* the own trust domain has one, too */

/*
 * Takes the SVID of this node out of an answer, with all bundles and CRLs. -EBADMSG: not an
 * answer, or one beyond the limits; -ENOENT: other SVIDs; -EKEYREJECTED: the SVID is not what
 * it should be or is refused by its bundle; else what the parsers of certificates say.
 */
int workload_parse(const uint8_t *message, size_t length, const struct credential_options *options,
		   struct credential *ret, struct credential_error *reterr);

/* Memory for what may hold a key: on the secure heap when there is room, never left unwiped. */
void *workload_secret_alloc(size_t size);
void workload_secret_free(void *secret, size_t size);
