/* SPDX-License-Identifier: Apache-2.0 */
/* Who stands at one end of a flow, as far as an image tells. */
#pragma once

#include "user/policy/policy.h"

struct party {
	const struct image_workload *workload; /* one that is judged here, or NULL */
	const struct image_identity *identity; /* or NULL: nothing is known */
	uint32_t class_index; /* as in struct image_endpoint */
	bool unmanaged; /* a socket of no workload */
	bool revoked; /* see policy_revokes() */
	bool by_service; /* reached by a Service's address: not even the sender is itself then */
};

/*
 * Finds "ns/name", an entity, or what can be inferred from an address. CIDRs look at a
 * workload's address of @family (4 or 6; 0: its first). -ENOENT: no such workload, or the
 * text is none of these.
 */
int party_find(const struct image *image, const char *text, uint8_t family, struct party *ret);

/* The Service that the flow is for, by its address, port and protocol; or NULL. */
const struct image_service *party_service(const struct image *image,
					  const struct policy_flow *flow);

/* What the address of a backend stands for. */
struct party party_of_backend(const struct image *image, const struct image_backend *backend);

/*
 * The verdict that is given before policies are asked: false when there is none. Every tool
 * asks this one function, as the kernel does in every packet's way.
 */
bool policy_revokes(bool subject, bool peer, struct cs_result *ret);

/*
 * Whether a workload of the image is revoked, or an address of it. Without @workload: whether
 * any of @identity is, elsewhere, as a node may speak for none of them then.
 */
bool party_is_revoked(const struct image *image, const struct image_workload *workload,
		      uint64_t identity);

/* Whether @result is worse for the flow than @than. */
bool result_is_worse(const struct cs_result *result, const struct cs_result *than);
