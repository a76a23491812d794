/* SPDX-License-Identifier: Apache-2.0 */
/* A table with a CA, a ring, and documents that tests put and drop. */
#pragma once

#include <criterion/criterion.h>

#include "test_node.h"
#include "user/credential/node_table.h"
#include "user/credential/secret.h"

#define OWN 1
#define DOCUMENTS_MAX 8

struct fixture {
	struct node_ca ca;
	struct bundles bundles;
	struct revocations revocations;
	struct node_trust trust;
	struct key_ring *ring, *peers_ring; /* all peers have the same keys: nobody minds */
	struct node_table *table;
	struct node_document document[DOCUMENTS_MAX];
	size_t n;
	struct cs_node_keys told; /* last */
	unsigned int n_told;
};

static struct fixture f; /* each file's own; a test has a process to itself */

static inline int note(void *arg, const struct cs_node_keys *keys)
{
	(void)arg;
	f.told = *keys;
	f.n_told++;
	return 0;
}

static inline struct key_ring *ring_make(void)
{
	struct key_ring *ring = NULL;

	cr_assert_eq(key_ring_new(&(struct key_ring_options){ HOUR_MS, 0 }, &ring), 0);
	key_ring_tick(ring, NOON_MS);
	return ring;
}

static inline void start(void)
{
	const struct node_table_options options = { OWN, "me", "example.org" };

	cr_assert_eq(secret_init(NULL), 0);
	node_ca_make("example.org", &f.ca);
	f.bundles = (struct bundles){ &f.ca.bundle, 1 };
	f.trust = (struct node_trust){ &f.bundles, &f.revocations, NOON_MS, NODE_SKEW_MS };
	f.ring = ring_make();
	f.peers_ring = ring_make();
	cr_assert_eq(node_table_new(&options, &f.table), 0);
}

static inline void stop(void)
{
	for (size_t i = 0; i < f.n; i++)
		free((char *)f.document[i].text);
	node_table_free(f.table);
	key_ring_free(f.ring);
	key_ring_free(f.peers_ring);
	node_ca_done(&f.ca);
}

static inline char *record_text(const char *name, uint16_t number, int64_t issued_ms,
				const struct node_svid_options *options)
{
	struct svid *svid = node_svid_make(&f.ca, name, options);
	struct node_record *record = node_record_make("example.org");
	char *text;

	strcpy(record->name, name);
	record->number = number;
	record->issued_ms = issued_ms;
	record->n_keys = key_ring_public(f.peers_ring, record->key);
	text = node_record_signed_text(record, svid);
	node_record_free(record);
	svid_free(svid);
	return text;
}

static inline size_t put_text(const char *file, char *text)
{
	size_t i = 0;

	while (i < f.n && !streq(f.document[i].name, file))
		i++;
	if (i == f.n)
		f.n++;
	else
		free((char *)f.document[i].text);
	f.document[i] =
		(struct node_document){ .name = file, .text = text, .length = strlen(text) };
	return i;
}

static inline void put(const char *file, const char *name, uint16_t number, int64_t issued_ms)
{
	put_text(file, record_text(name, number, issued_ms, NULL));
}

static inline void read_all(void)
{
	cr_assert_eq(node_table_read(f.table, f.document, f.n, &f.trust), 0);
}

static inline void drop(const char *file)
{
	for (size_t i = 0; i < f.n; i++) {
		if (streq(f.document[i].name, file)) {
			free((char *)f.document[i].text);
			f.document[i] = f.document[--f.n];
			return;
		}
	}
}

static inline const struct node_entry *entry(const char *file)
{
	for (size_t i = 0; i < node_table_size(f.table); i++)
		if (streq(node_table_entry(f.table, i)->file, file))
			return node_table_entry(f.table, i);
	cr_assert_fail("no entry of %s", file);
	abort();
}

/* Whether @file is refused for @flaw, with @part in its detail. */
static inline void expect(const char *file, enum node_flaw flaw, const char *part, bool in_force)
{
	const struct node_entry *e = entry(file);

	cr_expect_eq(e->flaw, flaw, "%s: %s (%s)", file, node_flaw_name(e->flaw), e->detail);
	cr_expect_not_null(strstr(e->detail, part), "%s: \"%s\" lacks \"%s\"", file, e->detail,
			   part);
	cr_expect_eq(e->in_force, in_force, "%s", file);
}

/* How often the kernel is told something. */
static inline unsigned int tell(bool all)
{
	f.n_told = 0;
	cr_assert_eq(node_table_keys(f.table, f.ring, f.trust.now_ms, all, note, NULL), 0);
	return f.n_told;
}
