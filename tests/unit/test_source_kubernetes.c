/* SPDX-License-Identifier: Apache-2.0 */
/* What the reflectors tell, and what a reader gets of it. */
#include "test_source_kubernetes.h"

#include <poll.h>

static struct kubernetes *k;
static struct reader reader;

static void set_up(void)
{
	cr_assert_eq(kubernetes_open(NULL, NULL, &k), 0);
}

static void tear_down(void)
{
	reader_done(&reader);
	source_free(&k->source);
}

TestSuite(source_kubernetes, .init = set_up, .fini = tear_down);

static bool readable(void)
{
	struct pollfd fd = { .fd = source_fd(&k->source), .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static void begin_pods(void)
{
	kubernetes_ops.begin(follower_of(k, "Pod"));
}

static void end_pods(void)
{
	kubernetes_ops.synced(follower_of(k, "Pod"));
}

/* All kinds are listed, with one pod: web-1. */
static void start(void)
{
	sync_all_but(k, "Pod");
	begin_pods();
	tell_pod(k, "shop", "web-1", 1);
	end_pods();
	reader_read(&reader, &k->source);
	cr_assert_eq(reader_version(&reader, "shop", "web-1"), 1);
}

Test(source_kubernetes, waits_for_every_required_kind)
{
	struct source_documents documents = { 0 };

	sync_all_but(k, "Pod");
	begin_pods();
	tell_pod(k, "shop", "web-1", 1);
	kubernetes_ops.trouble(follower_of(k, "Pod"), "connection refused");
	cr_assert_eq(source_dispatch(&k->source), 0);
	cr_assert_not(readable());
	cr_assert_eq(source_read(&k->source, &documents), -EAGAIN);
	cr_assert_str_eq(source_error(&k->source),
			 "waiting for the API server: pods not listed yet: connection refused");
	cr_assert_eq(source_changes(&k->source, &documents), -EAGAIN);
	cr_assert_not(source_kubernetes_synced(&k->source));
	end_pods();
	cr_assert(readable());
	cr_assert_eq(source_dispatch(&k->source), 1);
	cr_assert(source_kubernetes_synced(&k->source));
	reader_read(&reader, &k->source);
	cr_assert_eq(reader.n, 1);
}

Test(source_kubernetes, says_what_it_waits_for)
{
	struct source_documents documents = { 0 };

	cr_assert_eq(source_read(&k->source, &documents), -EAGAIN);
	cr_assert_not_null(strstr(source_error(&k->source), "pods, namespaces, nodes, services"));
	cr_assert_not_null(strstr(source_error(&k->source), "revocations not listed yet"));
}

Test(source_kubernetes, an_empty_cluster_is_read, .timeout = 10)
{
	sync_all_but(k, NULL);
	cr_assert(readable());
	cr_assert_eq(source_dispatch(&k->source), 1);
	reader_read(&reader, &k->source);
	cr_assert_eq(reader.n, 0);
	cr_assert_eq(source_dispatch(&k->source), 0);
	cr_assert_not(readable());
}

Test(source_kubernetes, changes_are_told_once)
{
	start();
	cr_assert_eq(source_dispatch(&k->source), 0);
	tell_pod(k, "shop", "web-1", 1);
	cr_assert_not(readable(), "nothing changed");
	tell_pod(k, "shop", "web-1", 2);
	tell_pod(k, "shop", "web-1", 3);
	tell_pod(k, "shop", "web-2", 1);
	cr_assert(readable());
	cr_assert_eq(source_dispatch(&k->source), 1);
	cr_assert_eq(reader_changes(&reader, &k->source), 2);
	cr_assert_eq(reader_version(&reader, "shop", "web-1"), 3);
	cr_assert_eq(reader_version(&reader, "shop", "web-2"), 1);
	cr_assert_eq(source_dispatch(&k->source), 0);
	cr_assert_eq(reader_changes(&reader, &k->source), 0);
}

Test(source_kubernetes, what_came_and_went_unseen_is_not_told)
{
	start();
	tell_pod(k, "shop", "web-2", 1);
	tell_gone(k, "shop", "web-2");
	tell_gone(k, "shop", "web-3");
	cr_assert_eq(reader_changes(&reader, &k->source), 0);
	cr_assert_eq(k->store.n, 1);
}

Test(source_kubernetes, a_pod_made_anew_is_one_change)
{
	start();
	tell_gone(k, "shop", "web-1");
	tell_pod(k, "shop", "web-1", 2);
	cr_assert_eq(reader_changes(&reader, &k->source), 1);
	cr_assert_eq(reader_version(&reader, "shop", "web-1"), 2);
	tell_pod(k, "shop", "web-1", 0);
	cr_assert_eq(reader_changes(&reader, &k->source), 1);
	cr_assert_eq(reader_version(&reader, "shop", "web-1"), -1);
	cr_assert_eq(k->store.n, 0);
}

Test(source_kubernetes, a_list_forgets_when_it_is_whole)
{
	start();
	tell_pod(k, "shop", "web-2", 1);
	reader_changes(&reader, &k->source);
	begin_pods();
	tell_pod(k, "shop", "web-2", 1);
	cr_assert_eq(reader_changes(&reader, &k->source), 0, "the list is not whole");
	/* Broken off, and begun anew: what only the first one named is not in the second. */
	begin_pods();
	tell_pod(k, "shop", "web-1", 1);
	end_pods();
	cr_assert_eq(reader_changes(&reader, &k->source), 1);
	cr_assert_eq(reader_version(&reader, "shop", "web-1"), 1);
	cr_assert_eq(reader_version(&reader, "shop", "web-2"), -1);
	/* Lists of other kinds leave pods alone. */
	sync_all_but(k, "Pod");
	cr_assert_eq(reader_changes(&reader, &k->source), 0);
}

Test(source_kubernetes, a_refused_object_keeps_its_last_document)
{
	struct source_kubernetes_status status;

	start();
	tell_bad_pod(k, "shop", "web-1");
	tell_bad_pod(k, "shop", "new");
	cr_assert_eq(reader_changes(&reader, &k->source), 0);
	cr_assert_eq(source_kubernetes_status(&k->source, 0, &status), 0);
	cr_assert_str_eq(status.kind, "Pod");
	cr_assert_eq(status.objects, 1);
	cr_assert_not_null(strstr(status.trouble, "2 objects are refused, the last: Pod/shop/new "
						  "is not what its kind says"),
			   "%s", status.trouble);
	/* A list in which they are still bad ones takes nothing away. */
	begin_pods();
	tell_bad_pod(k, "shop", "web-1");
	tell_bad_pod(k, "shop", "new");
	end_pods();
	cr_assert_eq(reader_changes(&reader, &k->source), 0);
	cr_assert_eq(reader_version(&reader, "shop", "web-1"), 1);
	/* As it was is good, and so is another. */
	tell_pod(k, "shop", "web-1", 1);
	tell_pod(k, "shop", "new", 5);
	cr_assert_eq(reader_changes(&reader, &k->source), 1);
	cr_assert_eq(reader_version(&reader, "shop", "new"), 5);
	source_kubernetes_status(&k->source, 0, &status);
	cr_assert_str_eq(status.trouble, "");
	cr_assert_eq(status.objects, 2);
}

Test(source_kubernetes, a_refused_object_that_goes_is_gone)
{
	start();
	tell_bad_pod(k, "shop", "web-1");
	tell_bad_pod(k, "shop", "new");
	begin_pods();
	end_pods();
	cr_assert_eq(reader_changes(&reader, &k->source), 1);
	cr_assert_eq(reader.n, 0);
	cr_assert_eq(k->store.n, 0);
	cr_assert_eq(follower_of(k, "Pod")->refused, 0);
	cr_assert_eq(follower_of(k, "Pod")->objects, 0);
}

Test(source_kubernetes, an_object_without_a_name_is_counted)
{
	json_t *object = json_pack("{s:s, s:{}}", "kind", "Pod", "metadata");
	struct source_kubernetes_status status;

	start();
	kubernetes_ops.set(follower_of(k, "Pod"), object);
	kubernetes_ops.gone(follower_of(k, "Pod"), object);
	json_decref(object);
	cr_assert_eq(reader_changes(&reader, &k->source), 0);
	source_kubernetes_status(&k->source, 0, &status);
	cr_assert_not_null(strstr(status.trouble, "Pod is not what its kind says"));
	begin_pods();
	source_kubernetes_status(&k->source, 0, &status);
	cr_assert_str_eq(status.trouble, "");
}

Test(source_kubernetes, status_ends_after_the_last_kind)
{
	struct source_kubernetes_status status;
	size_t n = 0;

	kubernetes_ops.trouble(&k->follower[1], "forbidden");
	while (source_kubernetes_status(&k->source, n, &status) == 0)
		n++;
	cr_assert_eq(n, kube_kinds_n);
	source_kubernetes_status(&k->source, 1, &status);
	cr_assert_str_eq(status.trouble, "forbidden");
	cr_assert_eq(source_kubernetes_status(&k->source, n + 1, &status), -ENOENT);
}

Test(source_kubernetes, read_leaves_out_texts_that_the_reader_has)
{
	struct source_documents documents = { 0 };

	start();
	tell_pod(k, "shop", "web-2", 1);
	tell_pod(k, "shop", "web-0", 1);
	cr_assert_eq(source_read(&k->source, &documents), 0);
	cr_assert_eq(documents.n, 3);
	cr_assert_not_null(documents.item[0].text);
	cr_assert_null(documents.item[1].text);
	cr_assert_str_eq(documents.item[1].name, "Pod/shop/web-1");
	cr_assert_not_null(documents.item[2].text);
	source_documents_done(&documents);
}

/* ---- random histories ---- */

#define NAMES 40
#define STEPS 4000

struct truth {
	int version[NAMES]; /* what the server has; -1: nothing */
	int known[NAMES]; /* what the source must give */
	bool told[NAMES];
	bool listing;
};

static const char *name_of(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "pod-%d", i);
	return name;
}

static void tell(struct truth *truth, int i)
{
	int version = truth->version[i];

	if (version < 0) {
		tell_gone(k, "shop", name_of(i));
		truth->known[i] = -1;
		return;
	}
	truth->told[i] = true;
	if (version == 99) { /* a bad one */
		tell_bad_pod(k, "shop", name_of(i));
		return;
	}
	tell_pod(k, "shop", name_of(i), version);
	truth->known[i] = version ?: -1;
}

static void random_change(struct truth *truth, unsigned int *seed)
{
	static const int versions[] = { -1, -1, 0, 1, 2, 3, 99 };
	int i = rand_r(seed) % NAMES;

	truth->version[i] = versions[rand_r(seed) % ARRAY_SIZE(versions)];
	/* While a list is read, or the watch is broken, changes may be missed. */
	if (rand_r(seed) % 4)
		tell(truth, i);
}

static void random_list(struct truth *truth)
{
	if (!truth->listing) {
		begin_pods();
		memset(truth->told, 0, sizeof(truth->told));
		truth->listing = true;
		return;
	}
	for (int i = 0; i < NAMES; i++) {
		if (truth->version[i] >= 0)
			tell(truth, i);
		else if (!truth->told[i])
			truth->known[i] = -1;
	}
	/* What was told by a watch before its list, and went unheard, stays until the next. */
	end_pods();
	truth->listing = false;
}

static void expect_truth(const struct truth *truth)
{
	size_t n = 0;

	for (int i = 0; i < NAMES; i++) {
		n += truth->known[i] > 0;
		cr_assert_eq(reader_version(&reader, "shop", name_of(i)), truth->known[i],
			     "pod-%d is %d, not %d", i, reader_version(&reader, "shop", name_of(i)),
			     truth->known[i]);
	}
	cr_assert_eq(reader.n, n);
	cr_assert_eq(follower_of(k, "Pod")->objects, n);
}

static void random_history(unsigned int seed)
{
	struct truth truth = { .listing = false };

	for (int i = 0; i < NAMES; i++)
		truth.version[i] = truth.known[i] = -1;
	for (int step = 0; step < STEPS; step++) {
		int what = rand_r(&seed) % 100;

		if (what < 80)
			random_change(&truth, &seed);
		else if (what < 86)
			random_list(&truth);
		else if (what < 88 && truth.listing)
			truth.listing = false; /* broken off: the next begins anew */
		else if (what < 96)
			reader_changes(&reader, &k->source);
		else
			reader_read(&reader, &k->source);
		if (what >= 88)
			expect_truth(&truth);
	}
	/* Nothing is missed by a last list, whatever went before. */
	truth.listing = false;
	random_list(&truth);
	random_list(&truth);
	reader_changes(&reader, &k->source);
	expect_truth(&truth);
	cr_assert_leq(k->store.n, NAMES);
}

Test(source_kubernetes, random_histories_end_in_the_truth, .timeout = 120)
{
	for (unsigned int seed = 1; seed <= 10; seed++) {
		tear_down();
		set_up();
		sync_all_but(k, NULL);
		reader_read(&reader, &k->source);
		random_history(seed);
	}
}

/* ---- the store ---- */

static const char *no_kind(uint8_t kind)
{
	return kind ? "B" : "A";
}

/* Names of every length come and go until objects have been moved many times. */
Test(source_kubernetes, the_store_finds_what_was_moved)
{
	static bool there[2][1500];
	struct store store;
	unsigned int seed = 7;
	uint32_t at;
	size_t n = 0;

	cr_assert_eq(store_init(&store, no_kind), 0);
	for (int step = 0; step < 100000; step++) {
		int i = rand_r(&seed) % 1500;
		uint8_t kind = (uint8_t)(rand_r(&seed) % 2);
		char name[512];

		snprintf(name, sizeof(name), "%d-%0*d", i, 1 + i % 400, i);
		at = store_find(&store, kind, name);
		cr_assert_eq(at != 0, there[kind][i]);
		if (at) {
			cr_assert_str_eq(store_at(&store, at)->name, name);
			store_remove(&store, at);
		} else {
			cr_assert_eq(store_add(&store, kind, name, &at), 0);
		}
		there[kind][i] = !there[kind][i];
	}
	for (at = store_next(&store, 0); at; at = store_next(&store, at))
		n++;
	cr_assert_eq(n, store.n);
	cr_assert_lt(store.room, (size_t)3 << 20, "%zu bytes", store.room);
	store_done(&store);
}

Test(source_kubernetes, the_store_has_limits)
{
	char name[STORE_NAME_MAX + 1];
	struct store store;
	uint32_t at;

	cr_assert_eq(store_init(&store, no_kind), 0);
	memset(name, 'x', STORE_NAME_MAX);
	name[STORE_NAME_MAX] = 0;
	cr_assert_eq(store_add(&store, 0, name, &at), -EFBIG);
	name[STORE_NAME_MAX - 1] = 0;
	cr_assert_eq(store_add(&store, 0, name, &at), 0);
	cr_assert_eq(store_set(&store, at,
			       &(struct store_text){ .length = STORE_CHANGE_BYTES_MAX + 1 }),
		     -ENOSPC);
	store.n = STORE_OBJECTS_MAX;
	cr_assert_eq(store_add(&store, 0, "y", &at), -EFBIG);
	store.n = 1;
	store_done(&store);
}

/* A name and 16 bytes each: what 150,000 pods cost, and well below 10 MiB. */
Test(source_kubernetes, objects_that_were_read_are_small)
{
	char name[64], text[] = "x";
	struct source_documents documents = { 0 };
	struct store store;
	uint32_t at;

	cr_assert_eq(store_init(&store, no_kind), 0);
	for (int i = 0; i < 150000; i++) {
		snprintf(name, sizeof(name), "shop-%d/web-7d4b9c9f8-%05d", i % 100, i);
		cr_assert_eq(store_add(&store, 0, name, &at), 0);
		cr_assert_eq(store_set(&store, at,
				       &(struct store_text){ .text = strdup(text), .length = 1 }),
			     0);
	}
	cr_assert_eq(store_take_changes(&store, &documents), 0);
	cr_assert_eq(documents.n, 150000);
	source_documents_done(&documents);
	cr_assert_null(store.change);
	cr_assert_lt(store.used + store.n_slots * sizeof(*store.slot), (size_t)9 << 20);
	store_done(&store);
}
