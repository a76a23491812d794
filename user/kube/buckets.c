/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/buckets.h"

#include <countersign/siphash.h>

/* No secret: nobody chooses a UID but the API server. */
static const struct cs_key hash_key = { 0x636f756e74657273ULL, 0x69676e2f7265706fULL };

static uint64_t hash_uid(const char *uid)
{
	return cs_siphash_bytes(&hash_key, uid, strlen(uid));
}

unsigned int kube_bucket_of(const char *uid)
{
	return hash_uid(uid) % KUBE_BUCKETS;
}

static uint64_t hash_version(uint64_t uid, int64_t generation)
{
	struct cs_siphash_state state;

	cs_siphash_init(&state, &hash_key);
	cs_siphash_word(&state, uid);
	return cs_siphash_final(&state, (uint64_t)generation);
}

void kube_buckets_add(struct kube_buckets *buckets, const struct kube_version *version)
{
	uint64_t uid = hash_uid(version->uid);

	if (*version->uid)
		buckets->sum[uid % KUBE_BUCKETS] += hash_version(uid, version->generation);
}

void kube_buckets_remove(struct kube_buckets *buckets, const struct kube_version *version)
{
	uint64_t uid = hash_uid(version->uid);

	if (*version->uid)
		buckets->sum[uid % KUBE_BUCKETS] -= hash_version(uid, version->generation);
}

void kube_buckets_text(const struct kube_buckets *buckets, char ret[static KUBE_BUCKETS_TEXT_MAX])
{
	for (size_t i = 0; i < KUBE_BUCKETS; i++)
		snprintf(ret + 16 * i, 17, "%016llx", (unsigned long long)buckets->sum[i]);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = strchr(digits, c);

	return at && c ? (int)(at - digits) : -EINVAL;
}

int kube_buckets_parse(const char *text, struct kube_buckets *ret)
{
	struct kube_buckets buckets = { 0 };

	if (strlen(text) != KUBE_BUCKETS_TEXT_MAX - 1)
		return -EINVAL;
	for (size_t i = 0; text[i]; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -EINVAL;
		buckets.sum[i / 16] = buckets.sum[i / 16] << 4 | (unsigned int)digit;
	}
	*ret = buckets;
	return 0;
}
