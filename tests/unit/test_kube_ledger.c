/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of policies, and the ledger that keeps them as documents change. */
#include <criterion/criterion.h>

#include "user/kube/ledger.h"

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static void uid_of(unsigned int i, char ret[KUBE_UID_MAX])
{
	snprintf(ret, KUBE_UID_MAX, "%08x-0000-4000-8000-%012x", i, i * 7);
}

static struct kube_version version_of(unsigned int i, int64_t generation)
{
	struct kube_version version = { .generation = generation };

	uid_of(i, version.uid);
	return version;
}

static bool equal(const struct kube_buckets *a, const struct kube_buckets *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

Test(kube_buckets, the_format_is_fixed)
{
	struct kube_buckets buckets = { 0 }, read;
	const struct kube_version version = { "5f8a1c9e-0b1d-4c7e-9a51-3c1f1f1f0001", 3 };
	char text[KUBE_BUCKETS_TEXT_MAX];
	unsigned int bucket = kube_bucket_of(version.uid);

	/* Agents of all versions must agree: never change these. */
	cr_assert_eq(bucket, 18);
	kube_buckets_add(&buckets, &version);
	cr_assert_eq(buckets.sum[bucket], 0x3c20feb9aa0c2726ULL);
	kube_buckets_text(&buckets, text);
	cr_assert_eq(strlen(text), 1024);
	cr_assert_eq(kube_buckets_parse(text, &read), 0);
	cr_assert(equal(&read, &buckets));
	text[1023] = 'g';
	cr_assert_eq(kube_buckets_parse(text, &read), -EINVAL);
	text[1023] = 0;
	cr_assert_eq(kube_buckets_parse(text, &read), -EINVAL);
}

/* Equal sets have equal sums, in any order; of two that differ in one version one sum differs. */
Test(kube_buckets, sums_tell_sets_apart)
{
	for (random_state = 1; random_state < 200; random_state++) {
		uint32_t seed = random_state;
		unsigned int n = 1 + draw(300), changed = draw(n);
		struct kube_buckets up = { 0 }, down = { 0 }, other = { 0 };
		unsigned int differ = 0;

		for (unsigned int i = 0; i < n; i++) {
			struct kube_version a = version_of(i, 1 + i % 5);
			struct kube_version b = version_of(n - 1 - i, 1 + (n - 1 - i) % 5);
			struct kube_version c = version_of(i, 1 + i % 5 + (i == changed));

			kube_buckets_add(&up, &a);
			kube_buckets_add(&down, &b);
			kube_buckets_add(&other, &c);
		}
		cr_assert(equal(&up, &down));
		for (unsigned int i = 0; i < KUBE_BUCKETS; i++)
			differ += up.sum[i] != other.sum[i];
		cr_assert_eq(differ, 1, "%u sums differ with seed %u", differ, seed);
		random_state = seed;
	}
}

static int set(struct kube_ledger *ledger, unsigned int i, int64_t generation)
{
	char document[64], text[256], uid[KUBE_UID_MAX];

	uid_of(i, uid);
	snprintf(document, sizeof(document), "IdentityPolicy/ns/p%u", i);
	if (!generation)
		return kube_ledger_set(ledger, document, NULL, 0);
	snprintf(text, sizeof(text), "{\"metadata\":{\"uid\":\"%s\",\"generation\":%lld}}", uid,
		 (long long)generation);
	return kube_ledger_set(ledger, document, text, strlen(text));
}

#define OBJECTS 400

/* What was kept up to date in steps is what one would count from the start. */
Test(kube_ledger, steps_come_to_the_whole)
{
	_cleanup_(kube_ledger_freep) struct kube_ledger *ledger = NULL;
	int64_t generation[OBJECTS] = { 0 };

	random_state = 7;
	cr_assert_eq(kube_ledger_new(&ledger), 0);
	for (unsigned int round = 0; round < 300; round++) {
		struct kube_refused refused[OBJECTS];
		char name[OBJECTS][32];
		struct kube_buckets want = { 0 };
		size_t n_refused = 0, exist = 0;

		for (unsigned int k = draw(20); k > 0; k--) {
			unsigned int i = draw(OBJECTS);

			generation[i] = draw(4) ? generation[i] + 1 : 0;
			cr_assert_eq(set(ledger, i, generation[i]), 0);
		}
		/* More than a report has room for, now and then: sorted, the first 64 count. */
		for (unsigned int i = 0; i < OBJECTS; i++) {
			snprintf(name[i], sizeof(name[i]), "IdentityPolicy/ns/p%u", i);
			if (generation[i] && round % 3 == 0 && i % 4 == 0)
				refused[n_refused++] = (struct kube_refused){ name[i], "why" };
		}
		cr_assert_geq(kube_ledger_settle(ledger, refused, n_refused), 0);
		for (unsigned int i = 0; i < OBJECTS; i++) {
			struct kube_version version = version_of(i, generation[i]);
			size_t listed = LEDGER_LISTED_MAX, n;
			const struct ledger_refused *list = kube_ledger_refused(ledger, &n);

			exist += generation[i] != 0;
			for (size_t k = 0; k < n; k++)
				if (streq(list[k].document, name[i]))
					listed = k + 1000 * (k >= LEDGER_LISTED_MAX);
			if (generation[i] && listed <= LEDGER_LISTED_MAX)
				kube_buckets_add(&want, &version);
		}
		cr_assert(equal(kube_ledger_reported(ledger), &want), "in round %u", round);
		cr_assert_eq(kube_ledger_wanted(ledger), exist);
		cr_assert_eq(kube_ledger_settle(ledger, refused, n_refused), 0,
			     "the same again is a change");
	}
}

Test(kube_ledger, nothing_counts_before_it_is_settled)
{
	_cleanup_(kube_ledger_freep) struct kube_ledger *ledger = NULL;
	const struct kube_buckets none = { 0 };
	struct kube_buckets one;

	cr_assert_eq(kube_ledger_new(&ledger), 0);
	cr_assert_eq(set(ledger, 1, 1), 0);
	cr_assert(equal(kube_ledger_reported(ledger), &none));
	cr_assert_eq(kube_ledger_settle(ledger, NULL, 0), 1);
	one = *kube_ledger_reported(ledger);
	cr_assert_not(equal(&one, &none));
	cr_assert_eq(set(ledger, 1, 2), 0);
	cr_assert(equal(kube_ledger_reported(ledger), &one));
	cr_assert_eq(set(ledger, 1, 0), 0);
	cr_assert_eq(kube_ledger_policies(ledger), 1, "it is in force until that is settled");
	cr_assert_eq(kube_ledger_settle(ledger, NULL, 0), 1);
	cr_assert(equal(kube_ledger_reported(ledger), &none));
	cr_assert_eq(kube_ledger_policies(ledger), 0);
}

Test(kube_ledger, recreated_under_its_name)
{
	static const char second[] =
		"{\"metadata\":{\"uid\":\"ffffffff-0000-4000-8000-00000000ffff\",\"generation\":1}}";
	_cleanup_(kube_ledger_freep) struct kube_ledger *ledger = NULL;
	struct kube_buckets want = { 0 };
	const struct kube_version version = { "ffffffff-0000-4000-8000-00000000ffff", 1 };

	cr_assert_eq(kube_ledger_new(&ledger), 0);
	cr_assert_eq(set(ledger, 1, 5), 0);
	cr_assert_eq(kube_ledger_settle(ledger, NULL, 0), 1);
	cr_assert_eq(kube_ledger_set(ledger, "IdentityPolicy/ns/p1", second, strlen(second)), 0);
	cr_assert_eq(kube_ledger_settle(ledger, NULL, 0), 1);
	kube_buckets_add(&want, &version);
	cr_assert(equal(kube_ledger_reported(ledger), &want));
	cr_assert_eq(kube_ledger_wanted(ledger), 1);
	for (unsigned int i = 0; i < KUBE_BUCKETS; i++)
		cr_assert_eq(kube_ledger_state_of(ledger, i, want.sum[i]),
			     kube_ledger_state_now(ledger, i), "bucket %u is not up to date", i);
}

Test(kube_ledger, whole_reading)
{
	_cleanup_(kube_ledger_freep) struct kube_ledger *ledger = NULL;
	static const char node[] = "{\"metadata\":{\"uid\":\"u\",\"labels\":"
				   "{\"countersign.dev/agent\":\"none\"}}}";

	cr_assert_eq(kube_ledger_new(&ledger), 0);
	for (unsigned int i = 0; i < 3; i++)
		cr_assert_eq(set(ledger, i, 1), 0);
	cr_assert_eq(kube_ledger_set(ledger, "Node/a", node, strlen(node)), 0);
	cr_assert_eq(kube_ledger_set(ledger, "Node/b", node, strlen(node)), 0);
	cr_assert(kube_ledger_find_node(ledger, "a")->exempt);
	kube_ledger_begin(ledger);
	kube_ledger_keep(ledger, "IdentityPolicy/ns/p0");
	cr_assert_eq(set(ledger, 1, 2), 0);
	kube_ledger_keep(ledger, "Node/b");
	kube_ledger_end(ledger);
	cr_assert_eq(kube_ledger_wanted(ledger), 2);
	cr_assert_null(kube_ledger_find_node(ledger, "a"));
	cr_assert_not_null(kube_ledger_find_node(ledger, "b"));
	cr_assert_eq(kube_ledger_settle(ledger, NULL, 0), 1);
	cr_assert_eq(kube_ledger_policies(ledger), 2);
}

/* Other kinds, files without UID, and what is no JSON are none of its business. */
Test(kube_ledger, passes_over)
{
	static const char yaml[] = "kind: IdentityPolicy\nmetadata: {name: a}\n";
	static const char no_uid[] = "{\"metadata\":{\"name\":\"a\",\"generation\":1}}";
	static const char pod[] = "{\"metadata\":{\"uid\":\"u\",\"generation\":1}}";
	_cleanup_(kube_ledger_freep) struct kube_ledger *ledger = NULL;

	cr_assert_eq(kube_ledger_new(&ledger), 0);
	cr_assert_eq(kube_ledger_set(ledger, "IdentityPolicy/ns/a", yaml, strlen(yaml)), 0);
	cr_assert_eq(kube_ledger_set(ledger, "IdentityPolicy/ns/b", no_uid, strlen(no_uid)), 0);
	cr_assert_eq(kube_ledger_set(ledger, "Pod/ns/b", pod, strlen(pod)), 0);
	cr_assert_eq(kube_ledger_set(ledger, "IdentityPolicy/ns/c", NULL, 0), 0);
	cr_assert_eq(kube_ledger_policies(ledger), 0);
}
