/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>

#include "user/base/digest.h"
#include "user/credential/node_judge.h"
#include "user/credential/node_table_internal.h"
#include "user/credential/secret_pages.h"

#define NODE_ID "spiffe://%s/countersign/node/%s"

/* ---- peers ---- */

static struct peer *take_peer(struct node_table *table)
{
	if (table->n_free)
		return &table->pool[table->free[--table->n_free]];
	return table->pool_top < PEERS_MAX ? &table->pool[table->pool_top++] : NULL;
}

struct peer *node_table_peer(struct node_table *table, uint16_t number)
{
	struct peer *peer = table->peer[number];

	if (peer)
		return peer;
	peer = take_peer(table);
	if (peer) {
		peer->number = number;
		peer->refusal = CS_REASON_UNKNOWN_NODE;
	}
	table->peer[number] = peer;
	return peer;
}

void node_table_drop_peer(struct node_table *table, uint16_t number)
{
	struct peer *peer = table->peer[number];

	if (!peer)
		return;
	OPENSSL_cleanse(peer, sizeof(*peer));
	table->free[table->n_free++] = (uint32_t)(peer - table->pool);
	table->peer[number] = NULL;
}

/* ---- the table ---- */

static struct node *node_free(struct node *node)
{
	if (!node)
		return NULL;
	if (node->held != node->doc)
		claim_free(node->held);
	claim_free(node->doc);
	verdict_done(&node->document);
	verdict_done(&node->conflict);
	free(node->file);
	free(node);
	return NULL;
}

int node_table_new(const struct node_table_options *options, struct node_table **ret)
{
	_cleanup_(node_table_freep) struct node_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->own_number = options->own_number;
	table->skew_ms = NODE_SKEW_MS;
	table->peer = calloc(NODE_NUMBERS, sizeof(struct peer *));
	table->pool = secret_pages_new(PEERS_MAX * sizeof(struct peer));
	if (!table->peer || !table->pool ||
	    asprintf(&table->own_id, NODE_ID, options->trust_domain, options->own_name) < 0) {
		table->own_id = NULL;
		return -ENOMEM;
	}
	*ret = TAKE_PTR(table);
	return 0;
}

struct node_table *node_table_free(struct node_table *table)
{
	if (!table)
		return NULL;
	secret_pages_free(table->pool, PEERS_MAX * sizeof(struct peer));
	for (size_t i = 0; i < table->n; i++)
		node_free(table->node[i]);
	keymap_done(&table->names);
	free(table->peer);
	free(table->node);
	free(table->own_id);
	free(table);
	return NULL;
}

/* ---- reading ---- */

/* The number that "<number>.json" says, in its one spelling; 0: it says none. */
static uint16_t number_of_file(const char *file)
{
	const char *last = strrchr(file, '/');
	char expected[sizeof("65535.json")];
	unsigned long number;

	last = last ? last + 1 : file;
	number = strtoul(last, NULL, 10);
	if (number == 0 || number > UINT16_MAX)
		return 0;
	snprintf(expected, sizeof(expected), "%lu.json", number);
	return streq(last, expected) ? number : 0;
}

static struct node *node_new(const char *file)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->file = strdup(file);
	node->number = number_of_file(file);
	return node->file ? node : node_free(node);
}

static void set_doc(struct node *node, struct claim *claim)
{
	if (node->doc != node->held)
		claim_free(node->doc);
	node->doc = claim;
}

/* Reads the text, unless it is the one that was read last. */
static int read_document(struct node *node, const struct node_document *document)
{
	struct cs_key digest = document->digest;
	struct credential_error why = { "" };
	struct claim *claim = NULL;
	char detail[64];
	enum node_flaw flaw;

	if (!digest.k0 && !digest.k1)
		digest = document_digest("", document->text, document->length);
	if (node->digest.k0 == digest.k0 && node->digest.k1 == digest.k1)
		return 0;
	claim = calloc(1, sizeof(*claim));
	if (!claim)
		return -ENOMEM;
	flaw = node_record_parse(document->text, document->length, &claim->record, &why);
	node->digest = digest;
	set_doc(node, flaw ? claim_free(claim) : claim);
	if (flaw)
		return verdict_set(&node->document, flaw, why.text);
	if (claim->record->number == node->number)
		return verdict_set(&node->document, NODE_FLAW_NONE, NULL);
	snprintf(detail, sizeof(detail), "its number is %u", claim->record->number);
	return verdict_set(&node->document, NODE_FLAW_FILE_NAME, detail);
}

static int by_name(const void *a, const void *b)
{
	const struct node_document *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* The nodes of before, by file; @at: the first that was not met yet. */
struct merge {
	struct node **before;
	size_t n, at;
};

/* The node of @document: that of before, or a new one; NULL: no memory. */
static struct node *merge_next(struct merge *m, const struct node_document *document)
{
	while (m->at < m->n && strcmp(m->before[m->at]->file, document->name) < 0)
		m->at++;
	if (m->at == m->n || !streq(m->before[m->at]->file, document->name))
		return node_new(document->name);
	m->before[m->at]->kept = true;
	return m->before[m->at++];
}

/* Reads @n documents in the order of their names into @to; of two of a name, the first. */
static int read_sorted(struct node_table *table, const struct node_document **documents, size_t n,
		       struct node **to, size_t *ret_n)
{
	struct merge m = { .before = table->node, .n = table->n };
	int r = 0;

	for (size_t i = 0; i < table->n; i++)
		table->node[i]->kept = false;
	*ret_n = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct node *node;

		if (i > 0 && streq(documents[i - 1]->name, documents[i]->name))
			continue;
		node = merge_next(&m, documents[i]);
		if (!node)
			return -ENOMEM;
		to[(*ret_n)++] = node;
		r = read_document(node, documents[i]);
	}
	return r;
}

/* All that is not kept goes, of both lists or of none. */
static void free_unkept(struct node **node, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!node[i]->kept)
			node_free(node[i]);
}

int node_table_read(struct node_table *table, const struct node_document *documents, size_t n,
		    const struct node_trust *trust)
{
	_cleanup_free_ const struct node_document **sorted = NULL;
	_cleanup_free_ struct node **now = NULL;
	size_t n_now = 0;
	int r;

	if (n > NODE_TABLE_MAX)
		return -ENOSPC;
	sorted = calloc(n + 1, sizeof(struct node_document *));
	now = calloc(n + 1, sizeof(struct node *));
	if (!sorted || !now)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &documents[i];
	qsort(sorted, n, sizeof(struct node_document *), by_name);
	r = read_sorted(table, sorted, n, now, &n_now);
	if (r < 0) {
		free_unkept(now, n_now); /* the new ones */
		return r;
	}
	free_unkept(table->node, table->n); /* those whose document is gone */
	free(table->node);
	table->node = TAKE_PTR(now);
	table->n = n_now;
	return node_table_judge(table, trust);
}

/* ---- judging ---- */

static int judge_node(struct node *node, const struct node_trust *trust, uint64_t bundles)
{
	int r = 0;

	if (node->doc && !node->document.flaw)
		r = claim_judge(node->doc, trust, bundles);
	if (r == 0 && node->held && node->held != node->doc)
		r = claim_judge(node->held, trust, bundles);
	return r;
}

/* Settles who is in force even when something failed: names of records that are gone must
 * not stay behind. */
int node_table_judge(struct node_table *table, const struct node_trust *trust)
{
	uint64_t bundles = node_judge_bundles(trust->bundles);
	int r = 0, elected;

	table->skew_ms = trust->skew_ms;
	for (size_t i = 0; i < table->n && r == 0; i++)
		r = judge_node(table->node[i], trust, bundles);
	elected = node_table_elect(table, trust->now_ms);
	return r < 0 ? r : elected;
}

static int64_t due_of_ring(const struct key_ring *ring, int64_t now_ms)
{
	struct node_key own[NODE_KEYS_MAX];
	size_t n = key_ring_public(ring, own);
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		if (own[i].active_ms > now_ms)
			due = MIN(due, own[i].active_ms);
		if (own[i].not_after_ms > now_ms)
			due = MIN(due, own[i].not_after_ms);
	}
	return due;
}

int64_t node_table_due_ms(const struct node_table *table, const struct key_ring *ring,
			  int64_t now_ms)
{
	int64_t due = due_of_ring(ring, now_ms);

	for (size_t i = 0; i < table->n; i++) {
		const struct node *node = table->node[i];

		if (node->doc && !node->document.flaw)
			due = MIN(due, claim_due_ms(node->doc, table->skew_ms, now_ms));
		if (node->held && node->held != node->doc)
			due = MIN(due, claim_due_ms(node->held, table->skew_ms, now_ms));
	}
	return due;
}

/* ---- what is known ---- */

size_t node_table_size(const struct node_table *table)
{
	return table->n;
}

const struct node_entry *node_table_entry(const struct node_table *table, size_t i)
{
	return i < table->n ? &table->node[i]->entry : NULL;
}

uint16_t node_table_number(const struct node_table *table, const char *trust_domain,
			   const char *name)
{
	_cleanup_free_ char *id = NULL;
	uint32_t i;
	int n = asprintf(&id, NODE_ID, trust_domain, name);

	if (n < 0) {
		id = NULL;
		return 0;
	}
	return keymap_get(&table->names, id, n, &i) ? table->node[i]->number : 0;
}

const char *node_table_name(const struct node_table *table, uint16_t number)
{
	const struct peer *peer = table->peer[number];

	return peer && peer->node ? peer->node->held->record->name : NULL;
}
