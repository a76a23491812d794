/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policies a node enforces, in a few words that thousands of nodes can report: every
 * policy falls into one of 64 buckets by its UID, and a bucket is the sum of a hash of UID and
 * generation of each policy in it. Equal sets give equal sums, whatever the order; a change of
 * one policy changes one sum. All agents must come to the same sums: the hash is part of the
 * format of NodeReport.
 */
#pragma once

#include "user/base/util.h"

#define KUBE_BUCKETS 64
#define KUBE_BUCKETS_TEXT_MAX (KUBE_BUCKETS * 16 + 1)
#define KUBE_UID_MAX 64 /* with its NUL; the API server's have 36 characters */

struct kube_buckets {
	uint64_t sum[KUBE_BUCKETS];
};

/* One version of one object. */
struct kube_version {
	char uid[KUBE_UID_MAX]; /* "": none */
	int64_t generation;
};

static inline bool kube_version_equal(const struct kube_version *a, const struct kube_version *b)
{
	return a->generation == b->generation && streq(a->uid, b->uid);
}

unsigned int kube_bucket_of(const char *uid);

/* A version without UID counts nothing. */
void kube_buckets_add(struct kube_buckets *buckets, const struct kube_version *version);
void kube_buckets_remove(struct kube_buckets *buckets, const struct kube_version *version);

/* 64 numbers of 16 hex digits. */
void kube_buckets_text(const struct kube_buckets *buckets, char ret[static KUBE_BUCKETS_TEXT_MAX]);
int kube_buckets_parse(const char *text, struct kube_buckets *ret); /* -EINVAL */
