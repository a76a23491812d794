/* SPDX-License-Identifier: Apache-2.0 */
#include "user/flow/text.h"

#include <strings.h>

#include "user/flow/flow.h"

const char *const text_tcp_flags[TEXT_TCP_FLAGS] = {
	"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR",
};

const struct text_reason *text_reason(uint8_t reason)
{
	static const struct text_reason unknown = { "UNKNOWN", "", "a reason of a newer agent",
						    "" };
	static const struct text_reason reasons[CS_REASON_MAX] = {
#define X(num, name, drop, text, remedy) [num] = { #name, drop, text, remedy },
		CS_REASONS(X)
#undef X
	};

	return reason < CS_REASON_MAX && reasons[reason].name ? &reasons[reason] : &unknown;
}

const struct text_reason *text_reason_by_name(const char *name)
{
	for (unsigned int i = 0; i < CS_REASON_MAX; i++)
		if (streq(text_reason(i)->name, name))
			return text_reason(i);
	return NULL;
}

const struct text_auth *text_auth(uint8_t auth)
{
	static const struct text_auth auths[CS_AUTH_MAX] = {
#define X(num, name, level, text) [num] = { level, text },
		CS_AUTHS(X)
#undef X
	};

	return &auths[auth < CS_AUTH_MAX ? auth : CS_AUTH_UNKNOWN];
}

const char *text_stat_by_name(const char *metric)
{
	static const struct {
		const char *metric, *text;
	} stats[] = {
#define X(num, name, metric, text) { metric, text },
		CS_STATS(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_SIZE(stats); i++)
		if (streq(stats[i].metric, metric))
			return stats[i].text;
	return "";
}

static const struct {
	const char *hubble;
	const char *action; /* as in policies */
} verdicts[CS_VERDICT_MAX] = {
	[CS_VERDICT_NONE] = { "VERDICT_UNKNOWN", NULL },
	[CS_VERDICT_ALLOW] = { "FORWARDED", "allow" },
	[CS_VERDICT_DENY] = { "DROPPED", "deny" },
	[CS_VERDICT_AUDIT] = { "AUDIT", "audit" },
};

const char *flow_verdict_name(uint8_t verdict)
{
	return verdicts[verdict < CS_VERDICT_MAX ? verdict : CS_VERDICT_NONE].hubble;
}

int flow_verdict_from_name(const char *name)
{
	for (int i = CS_VERDICT_ALLOW; i < CS_VERDICT_MAX; i++)
		if (strcasecmp(name, verdicts[i].hubble) == 0 ||
		    strcasecmp(name, verdicts[i].action) == 0)
			return i;
	return -EINVAL;
}
