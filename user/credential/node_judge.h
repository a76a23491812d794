/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judgement of a node record in parts, by what can change them: the signature never
 * does; the chain with the bundles and at moments that are known; the rest with any clock
 * tick, and costs next to nothing.
 */
#pragma once

#include "user/credential/node_record.h"

/* SIGNATURE, NOT_A_NODE or NONE. */
enum node_flaw node_judge_signature(const struct node_record *record,
				    struct credential_error *reterr);

/* CERTIFICATE, EXPIRED, REVOKED or NONE. */
enum node_flaw node_judge_chain(const struct node_record *record, const struct node_trust *trust,
				struct credential_error *reterr);

/*
 * Between which moments the chain's judgement stays what it is at @now_ms, as long as the
 * bundles stay what they are: [*ret_from, *ret_until).
 */
void node_judge_period(const struct node_record *record, const struct node_trust *trust,
		       int64_t *ret_from, int64_t *ret_until);

/* REVOKED by `Revocation` documents, or NONE. */
enum node_flaw node_judge_revocations(const struct node_record *record,
				      const struct revocations *revocations,
				      struct credential_error *reterr);

/* NUMBER_RANGE, WINDOW, KEYS_EXPIRED or NONE. */
enum node_flaw node_judge_content(const struct node_record *record, const struct node_trust *trust,
				  struct credential_error *reterr);

/* A digest of all that the bundles say, to see whether they changed. Never zero. */
uint64_t node_judge_bundles(const struct bundles *bundles);
