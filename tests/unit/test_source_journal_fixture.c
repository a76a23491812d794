/* SPDX-License-Identifier: Apache-2.0 */
/* See test_source_journal.h. */
#include "test_source_journal.h"

#include <ftw.h>
#include <sys/stat.h>

struct journal_test journal_test;

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

void open_source(void)
{
	cr_assert_eq(kubernetes_open(journal_test.path, JOURNAL_CLUSTER, &journal_test.k), 0);
}

void close_source(void)
{
	reader_done(&journal_test.reader);
	if (journal_test.k)
		source_free(&journal_test.k->source);
	journal_test.k = NULL;
}

void journal_test_begin(void)
{
	strcpy(journal_test.root, "/tmp/countersign-journal.XXXXXX");
	cr_assert_not_null(mkdtemp(journal_test.root));
	snprintf(journal_test.path, sizeof(journal_test.path), "%s/objects", journal_test.root);
	open_source();
}

void journal_test_end(void)
{
	close_source();
	nftw(journal_test.root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void restart(void)
{
	close_source();
	open_source();
}

const char *trouble(void)
{
	return source_kubernetes_journal_trouble(&journal_test.k->source);
}

void expect_trouble(const char *text)
{
	cr_assert_not_null(strstr(trouble(), text), "\"%s\" does not say \"%s\"", trouble(), text);
}

void begin_pods(void)
{
	kubernetes_ops.begin(follower_of(journal_test.k, "Pod"));
}

void end_pods(void)
{
	kubernetes_ops.synced(follower_of(journal_test.k, "Pod"));
}

void list_three(void)
{
	char name[16];

	sync_all_but(journal_test.k, "Pod");
	begin_pods();
	for (int i = 1; i <= 3; i++) {
		snprintf(name, sizeof(name), "web-%d", i);
		tell_pod(journal_test.k, "shop", name, i);
	}
	end_pods();
}

bool knows_anything(void)
{
	struct source_documents documents = { 0 };
	int r = source_read(&journal_test.k->source, &documents);

	cr_assert(r == 0 || r == -EAGAIN);
	source_documents_done(&documents);
	return r == 0;
}
