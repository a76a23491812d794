/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/node_record.h"

struct flaw_words {
	const char *name, *text, *remedy;
};

static const struct flaw_words flaws[NODE_FLAW_MAX] = {
#define X(name, text, remedy) [NODE_FLAW_##name] = { #name, text, remedy },
	NODE_FLAWS(X)
#undef X
};

static const struct flaw_words *words(enum node_flaw flaw)
{
	static const struct flaw_words unknown = { "?", "?", "" };

	return (unsigned int)flaw < NODE_FLAW_MAX ? &flaws[flaw] : &unknown;
}

const char *node_flaw_name(enum node_flaw flaw)
{
	return words(flaw)->name;
}

const char *node_flaw_text(enum node_flaw flaw)
{
	return words(flaw)->text;
}

const char *node_flaw_remedy(enum node_flaw flaw)
{
	return words(flaw)->remedy;
}

int64_t node_record_issue_ms(int64_t last_ms, int64_t now_ms)
{
	return last_ms >= now_ms && last_ms - now_ms < NODE_SKEW_MS ? last_ms + 1 : now_ms;
}

struct node_record *node_record_free(struct node_record *record)
{
	if (!record)
		return NULL;
	free(record->trust_domain);
	svid_free(record->svid);
	free(record);
	return NULL;
}
