/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/policy_words.h"

#include <netinet/in.h>

#include "user/cli/cli.h"
#include "user/flow/text.h"

static const struct {
	uint8_t number;
	const char *word;
} protocols[] = {
	{ IPPROTO_TCP, "TCP" },
	{ IPPROTO_UDP, "UDP" },
	{ IPPROTO_SCTP, "SCTP" },
};

const char *policy_protocol_word(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].word;
	return "other";
}

uint8_t policy_protocol_number(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (streq(protocols[i].word, word))
			return protocols[i].number;
	return 0;
}

const char *policy_direction_word(unsigned int direction)
{
	return direction == CS_INGRESS ? "ingress" : "egress";
}

char *policy_decider_text(const char *rule, uint8_t reason)
{
	char *text;

	if (asprintf(&text, "%s%s%s%s", *rule ? "by " : "", rule, *rule ? ": " : "",
		     text_reason(reason)->text) < 0)
		return NULL;
	return text;
}

size_t policy_utf8_length(const char *text)
{
	const uint8_t *s = (const uint8_t *)text;
	/* By the first byte; 0xc0, 0xc1 and what follows 0xf4 begin nothing. */
	static const struct {
		uint8_t below;
		uint8_t length;
	} lengths[] = { { 0x80, 1 }, { 0xc2, 0 }, { 0xe0, 2 }, { 0xf0, 3 }, { 0xf5, 4 } };
	size_t n = 0;

	for (size_t i = ARRAY_SIZE(lengths); i > 0; i--)
		if (*s < lengths[i - 1].below)
			n = lengths[i - 1].length;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Too long, surrogates, and above U+10FFFF. */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

json_t *policy_json_text(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);

	if (!copy)
		return NULL;
	for (char *at = copy; *at;) {
		size_t n = policy_utf8_length(at);

		if (!n)
			*at = '?';
		at += MAX(n, (size_t)1);
	}
	return json_string(copy);
}

int policy_print_json(FILE *out, json_t *object)
{
	_cleanup_free_ char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;

	json_decref(object);
	if (!text)
		return CLI_FAILED;
	fprintf(out, "%s\n", text);
	return CLI_OK;
}
