/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/test_nodes_record.h"

#include <time.h>

int64_t nodes_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *record_path(struct nodes *n, int number)
{
	return lab_printf(n->lab, "%s/%d.json", lab_path(n->lab, "nodes"), number);
}

struct node_record *nodes_record(struct nodes *n, int number)
{
	_cleanup_fclose_ FILE *f = fopen(record_path(n, number), "re");
	struct credential_error error = { "" };
	struct node_record *record = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	cr_assert(f && getdelim(&text, &size, 0, f) > 0, "no record of node %d", number);
	cr_assert_eq(node_record_parse(text, strlen(text), &record, &error), NODE_FLAW_NONE, "%s",
		     error.text);
	return record;
}

static struct svid *svid_of(const struct lab_issued *issued)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct credential_error error = { "" };
	struct svid *svid = NULL;

	sk_X509_push(chain, issued->certificate);
	cr_assert_eq(svid_new(chain, issued->key, &svid, &error), 0, "%s", error.text);
	sk_X509_free(chain);
	return svid;
}

void nodes_record_publish(struct nodes *n, struct node_record *record,
			  const struct lab_issued *issued)
{
	const char *path = record_path(n, record->number);
	const char *draft = lab_printf(n->lab, "%s/draft", lab_path(n->lab, ""));
	_cleanup_(svid_freep) struct svid *svid = svid_of(issued);
	struct credential_error error = { "" };
	_cleanup_free_ char *text = NULL;
	FILE *f = fopen(draft, "we");

	record->issued_ms = MAX(record->issued_ms + 1, nodes_now_ms());
	cr_assert_eq(node_record_sign(record, svid, &error), 0, "%s", error.text);
	text = node_record_format(record);
	cr_assert(f && text && fputs(text, f) >= 0 && fclose(f) == 0);
	cr_assert_eq(rename(draft, path), 0, "cannot write %s", path);
	node_record_free(record);
}
