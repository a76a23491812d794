/* SPDX-License-Identifier: Apache-2.0 */
/* Judging records again and again without doing again what cannot have changed. */
#include "user/credential/node_judge.h"
#include "user/credential/node_table_internal.h"

#define BOUNDARY_MS 500 /* how often to look when a chain is about to change */

int verdict_set(struct verdict *verdict, enum node_flaw flaw, const char *detail)
{
	char *copy = detail && *detail ? strdup(detail) : NULL;

	free(verdict->detail);
	*verdict = (struct verdict){ flaw, copy };
	return detail && *detail && !copy ? -ENOMEM : 0;
}

void verdict_done(struct verdict *verdict)
{
	free(verdict->detail);
	*verdict = (struct verdict){ NODE_FLAW_NONE, NULL };
}

struct claim *claim_free(struct claim *claim)
{
	if (!claim)
		return NULL;
	node_record_free(claim->record);
	verdict_done(&claim->signature);
	verdict_done(&claim->chain);
	verdict_done(&claim->all);
	free(claim);
	return NULL;
}

static int judge_signature(struct claim *claim)
{
	struct credential_error why = { "" };

	if (claim->signature_known)
		return 0;
	claim->signature_known = true;
	return verdict_set(&claim->signature, node_judge_signature(claim->record, &why), why.text);
}

static int judge_chain(struct claim *claim, const struct node_trust *trust, uint64_t bundles)
{
	struct credential_error why = { "" };

	if (claim->bundles == bundles && trust->now_ms >= claim->from_ms &&
	    trust->now_ms < claim->until_ms)
		return 0;
	claim->bundles = bundles;
	node_judge_period(claim->record, trust, &claim->from_ms, &claim->until_ms);
	return verdict_set(&claim->chain, node_judge_chain(claim->record, trust, &why), why.text);
}

int claim_judge(struct claim *claim, const struct node_trust *trust, uint64_t bundles)
{
	struct credential_error why = { "" };
	enum node_flaw flaw;
	int r = judge_signature(claim);

	if (r < 0 || claim->signature.flaw)
		return r < 0 ? r
			     : verdict_set(&claim->all, claim->signature.flaw,
					   claim->signature.detail);
	flaw = node_judge_revocations(claim->record, trust->revocations, &why);
	if (flaw)
		return verdict_set(&claim->all, flaw, why.text);
	r = judge_chain(claim, trust, bundles);
	if (r < 0 || claim->chain.flaw)
		return r < 0 ? r : verdict_set(&claim->all, claim->chain.flaw, claim->chain.detail);
	flaw = node_judge_content(claim->record, trust, &why);
	return verdict_set(&claim->all, flaw, why.text);
}

static void earlier(int64_t *due, int64_t ms, int64_t now_ms)
{
	if (ms > now_ms)
		*due = MIN(*due, ms);
}

int64_t claim_due_ms(const struct claim *claim, int64_t skew_ms, int64_t now_ms)
{
	const struct node_record *record = claim->record;
	int64_t due = INT64_MAX;

	if (claim->bundles)
		due = MAX(claim->until_ms, now_ms + BOUNDARY_MS);
	earlier(&due, record->issued_ms - skew_ms, now_ms);
	for (size_t i = 0; i < record->n_keys; i++) {
		earlier(&due, record->key[i].not_before_ms - skew_ms, now_ms);
		earlier(&due, record->key[i].not_after_ms + skew_ms, now_ms);
	}
	return due;
}
