/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which number. Whoever has one keeps it as long as its record is good; of one
 * node's records the one issued last counts, whatever files they are in.
 */
#include <stdarg.h>

#include "user/credential/node_table_internal.h"
#include "user/credential/node_text.h"

static const char *id_of(const struct claim *claim)
{
	return claim->record->svid->spiffe_id;
}

static bool is_own(const struct node_table *table, const struct claim *claim)
{
	return streq(id_of(claim), table->own_id);
}

static bool in_force(const struct node_table *table, const struct node *node)
{
	const struct peer *peer = table->peer[node->number];

	return peer && peer->node == node;
}

static struct node *node_of(const struct node_table *table, const char *id)
{
	uint32_t i;

	return keymap_get(&table->names, id, strlen(id), &i) ? table->node[i] : NULL;
}

/* Gives node @i what it holds. */
static int enter(struct node_table *table, size_t i)
{
	struct node *node = table->node[i];
	struct peer *peer = node_table_peer(table, node->number);

	if (!peer)
		return -ENOMEM;
	peer->node = node;
	return keymap_put(&table->names, id_of(node->held), strlen(id_of(node->held)), i);
}

static void leave(struct node_table *table, struct node *node)
{
	if (in_force(table, node)) {
		keymap_remove(&table->names, id_of(node->held), strlen(id_of(node->held)));
		table->peer[node->number]->node = NULL;
	}
	if (node->held != node->doc)
		claim_free(node->held);
	node->held = NULL;
}

static int refuse(struct node *node, enum node_flaw flaw, const char *format, ...) _printf_(3, 4);
static int refuse(struct node *node, enum node_flaw flaw, const char *format, ...)
{
	char detail[CREDENTIAL_ERROR_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	return verdict_set(&node->conflict, flaw, detail);
}

static int refuse_stale(struct node *node, const struct node *newer)
{
	char this[CLOCK_TEXT_MAX], that[CLOCK_TEXT_MAX];

	node_time_text(node->doc->record->issued_ms, this);
	node_time_text(newer->held->record->issued_ms, that);
	if (newer == node)
		return refuse(node, NODE_FLAW_STALE, "issued %s, the one in force %s", this, that);
	return refuse(node, NODE_FLAW_STALE, "issued %s, the one in force, in %s, %s", this,
		      newer->file, that);
}

/* Takes the document's record in place of what the node, or another file of it, held. */
static int promote(struct node_table *table, size_t i, struct node *before, int64_t now_ms)
{
	struct node *node = table->node[i];
	struct claim *claim = node->doc;
	bool kept = node->held && streq(id_of(node->held), id_of(claim));

	if (before && before->number == node->number)
		node->accepted_ms = before->accepted_ms;
	else if (!kept)
		node->accepted_ms = now_ms;
	if (before)
		leave(table, before);
	leave(table, node);
	node->held = claim;
	return enter(table, i);
}

/* 1: its record is in force now; 0: it is refused. */
static int try_node(struct node_table *table, size_t i, int64_t now_ms)
{
	struct node *node = table->node[i], *holder, *before;
	struct claim *claim = node->doc;
	int r;

	if (node->number == table->own_number && !is_own(table, claim))
		return refuse(node, NODE_FLAW_OWN_NUMBER, "%s does", id_of(claim));
	if (node->number != table->own_number && is_own(table, claim))
		return refuse(node, NODE_FLAW_STALE, "this node's number is %u now",
			      table->own_number);
	holder = table->peer[node->number] ? table->peer[node->number]->node : NULL;
	if (holder && !streq(id_of(holder->held), id_of(claim)))
		return refuse(node, NODE_FLAW_NUMBER_TAKEN, "%s does not get it: %s has it, by %s",
			      id_of(claim), id_of(holder->held), holder->file);
	before = node_of(table, id_of(claim));
	if (before &&
	    (before->held->record->issued_ms > claim->record->issued_ms ||
	     (before != node && before->held->record->issued_ms == claim->record->issued_ms)))
		return refuse_stale(node, before);
	r = promote(table, i, before, now_ms);
	return r < 0 ? r : 1;
}

/* ---- the whole ---- */

static int enter_incumbents(struct node_table *table)
{
	int r = 0;

	keymap_done(&table->names);
	for (size_t i = 0; i < NODE_NUMBERS; i++) {
		if (table->peer[i]) {
			table->peer[i]->node = NULL;
			table->peer[i]->claimed = false;
			table->peer[i]->refusal = CS_REASON_UNKNOWN_NODE;
		}
	}
	for (size_t i = 0; i < table->n && r == 0; i++)
		if (claim_is_good(table->node[i]->held))
			r = enter(table, i);
	return r;
}

/* A newcomer may free another's number: until nothing changes any more. */
static int elect_newcomers(struct node_table *table, int64_t now_ms)
{
	bool changed;

	do {
		changed = false;
		for (size_t i = 0; i < table->n; i++) {
			struct node *node = table->node[i];
			int r;

			verdict_done(&node->conflict);
			if (node->document.flaw || !claim_is_good(node->doc) ||
			    (node->doc == node->held && in_force(table, node)))
				continue;
			r = try_node(table, i, now_ms);
			if (r < 0)
				return r;
			changed |= r > 0;
		}
	} while (changed);
	return 0;
}

/* What to tell of a number that nobody has; the heavier reason counts. */
static void note_refusal(struct peer *peer, const struct claim *claim)
{
	static const struct {
		enum node_flaw flaw;
		enum cs_reason reason;
	} reasons[] = {
		{ NODE_FLAW_REVOKED, CS_REASON_REVOKED },
		{ NODE_FLAW_EXPIRED, CS_REASON_NODE_EXPIRED },
		{ NODE_FLAW_KEYS_EXPIRED, CS_REASON_KEY_EXPIRED },
	};

	for (size_t i = 0; claim && i < ARRAY_SIZE(reasons); i++) {
		if (peer->refusal == reasons[i].reason)
			return;
		if (claim->all.flaw == reasons[i].flaw) {
			peer->refusal = reasons[i].reason;
			return;
		}
	}
}

static int note_claims(struct node_table *table, struct node *node)
{
	struct peer *peer;

	if (node->number == 0 || (!node->held && (!node->doc || node->document.flaw)))
		return 0;
	peer = node_table_peer(table, node->number);
	if (!peer)
		return -ENOMEM;
	peer->claimed = true;
	note_refusal(peer, node->held);
	if (!node->document.flaw)
		note_refusal(peer, node->doc);
	return 0;
}

static void fill_entry(const struct node_table *table, struct node *node)
{
	const struct claim *doc = node->doc, *held = node->held;
	const struct verdict *verdict = &node->document;
	struct node_entry *entry = &node->entry;

	if (!verdict->flaw && doc)
		verdict = doc->all.flaw ? &doc->all : &node->conflict;
	entry->in_force = in_force(table, node);
	entry->record = entry->in_force ? held->record : doc ? doc->record : NULL;
	entry->number = entry->record ? entry->record->number : 0;
	entry->file = node->file;
	entry->flaw = verdict->flaw;
	entry->detail = verdict->detail ? verdict->detail : "";
	entry->accepted_ms = entry->in_force ? node->accepted_ms : 0;
}

int node_table_elect(struct node_table *table, int64_t now_ms)
{
	int r = enter_incumbents(table);

	if (r == 0)
		r = elect_newcomers(table, now_ms);
	for (size_t i = 0; i < table->n && r == 0; i++)
		r = note_claims(table, table->node[i]);
	for (size_t i = 0; i < table->n; i++)
		fill_entry(table, table->node[i]);
	return r;
}
