/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/refusals.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct refusal *)a)->document.name,
		      ((const struct refusal *)b)->document.name);
}

static void refusal_done(struct refusal *refusal)
{
	free(refusal->document.name);
	free(refusal->document.text);
	free(refusal->message);
}

void refusals_done(struct refusals *refusals)
{
	for (size_t i = 0; i < refusals->n; i++)
		refusal_done(&refusals->item[i]);
	free(refusals->item);
	*refusals = (struct refusals){ 0 };
}

const struct refusal *refusals_find(const struct refusals *refusals, const char *name)
{
	const struct refusal key = { .document.name = (char *)name };

	if (!refusals->n)
		return NULL;
	return bsearch(&key, refusals->item, refusals->n, sizeof(key), by_name);
}

static bool same(const struct refusal *a, const struct refusal *b)
{
	return b && streq(a->message ?: "", b->message ?: "") &&
	       memcmp(&a->document.digest, &b->document.digest, sizeof(a->document.digest)) == 0;
}

void refusals_replace(struct refusals *refusals, struct refusals *fresh)
{
	uint64_t version = refusals->version;
	bool changed = refusals->n != fresh->n;

	if (fresh->n)
		qsort(fresh->item, fresh->n, sizeof(*fresh->item), by_name);
	for (size_t i = 0; i < fresh->n; i++) {
		const struct refusal *before =
			refusals_find(refusals, fresh->item[i].document.name);

		fresh->item[i].said = same(&fresh->item[i], before) && before->said;
		changed |= !same(&fresh->item[i], before);
	}
	fresh->version = version + changed;
	fresh->failures = !fresh->n ? 0 : changed ? 1 : refusals->failures + 1;
	refusals_done(refusals);
	*refusals = *fresh;
	*fresh = (struct refusals){ 0 };
}

unsigned int refusals_retry_ms(const struct refusals *refusals)
{
	unsigned int shift = MIN(MAX(refusals->failures, 1U) - 1, 5U);

	return MIN((unsigned int)REFUSALS_RETRY_MIN_MS << shift,
		   (unsigned int)REFUSALS_RETRY_MAX_MS);
}
