/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look-ups in an image by number, without a walk over 100,000 identities per event: a
 * sorted index per image, made at the first look-up and kept for the last few images.
 * Private to this room. Not thread-safe: one event loop formats all flows.
 */
#pragma once

#include "user/identity/image.h"

struct name_index;

/* Cilium's policy match types, which Hubble's policy_match_type carries. */
enum match_type {
	MATCH_NONE = 0,
	MATCH_L3_ONLY = 1,
	MATCH_L3_L4 = 2,
	MATCH_L4_ONLY = 3,
	MATCH_ALL = 4,
	MATCH_L3_PROTO = 5,
	MATCH_PROTO_ONLY = 6,
};

/* The index of @image; NULL for no image or no memory: numbers then stay numbers. */
const struct name_index *name_index_get(const struct image *image);

/* Drops the index of @image, of every image when NULL. */
void name_index_forget(const struct image *image);

/* What is known of identity number @identity, or NULL. */
const struct image_identity *name_index_identity(const struct name_index *index, uint64_t identity);

/* How many workloads of this node have @identity; *@ret_first is the first one's number. */
size_t name_index_workloads(const struct name_index *index, uint64_t identity, size_t *ret_first);

/* Workload number @i in the order of name_index_workloads(). */
const struct image_workload *name_index_workload(const struct name_index *index, size_t i);

/* The workload of this node that alone has @addr and has @identity, or NULL. */
const struct image_workload *name_index_address(const struct name_index *index,
						const struct cs_addr *addr, uint64_t identity);

/* What kind of rule the rule id stands for, MATCH_NONE when unknown. */
enum match_type name_index_match(const struct name_index *index, uint32_t rule);
