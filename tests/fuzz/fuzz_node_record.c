/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer's way into node records: any bytes as JSON. What is read is judged, and written
 * and read again, which must give the same.
 */
#include "user/credential/node_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void check_again(const struct node_record *record)
{
	struct node_record *again = NULL;
	char *text = node_record_format(record), *text2;

	/* With white space left out it may have fitted the limit, and with it not any more. */
	if (!text)
		return;
	PROMISE(node_record_parse(text, strlen(text), &again, NULL) == NODE_FLAW_NONE);
	text2 = node_record_format(again);
	PROMISE(text2 && streq(text, text2));
	PROMISE(memcmp(record->key, again->key, sizeof(record->key)) == 0);
	node_record_free(again);
	free(text);
	free(text2);
}

static void judge(const struct node_record *record)
{
	const struct bundles bundles = { 0 };
	const struct node_trust trust = { &bundles, NULL, record->issued_ms, NODE_SKEW_MS };
	struct credential_error error = { "" };
	enum node_flaw flaw = node_record_judge(record, &trust, &error);

	/* Without a bundle nothing is good. */
	PROMISE(flaw == NODE_FLAW_SIGNATURE || flaw == NODE_FLAW_NOT_A_NODE ||
		flaw == NODE_FLAW_CERTIFICATE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct credential_error error = { "" };
	struct node_record *record = NULL;
	enum node_flaw flaw = node_record_parse((const char *)data, size, &record, &error);

	PROMISE(flaw == NODE_FLAW_NONE || flaw == NODE_FLAW_MALFORMED);
	PROMISE((flaw == NODE_FLAW_NONE) == (record != NULL));
	PROMISE((flaw == NODE_FLAW_NONE) == (error.text[0] == '\0'));
	if (record) {
		check_again(record);
		judge(record);
	}
	node_record_free(record);
	return 0;
}
