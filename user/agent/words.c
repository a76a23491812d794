/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/words.h"

#include <netinet/in.h>
#include <strings.h>

#define UNKNOWN "unknown"

static const char *const verdicts[CS_VERDICT_MAX] = {
	[CS_VERDICT_NONE] = "none",
	[CS_VERDICT_ALLOW] = "allow",
	[CS_VERDICT_DENY] = "deny",
	[CS_VERDICT_AUDIT] = "audit",
};

static const char *const directions[CS_DIRECTIONS] = {
	[CS_INGRESS] = "ingress",
	[CS_EGRESS] = "egress",
};

static const char *const deny_modes[] = {
	[CS_DENY_DROP] = "drop",
	[CS_DENY_REJECT] = "reject",
};

static const char *const actions[] = {
	[CS_ACTION_ALLOW] = "Allow",
	[CS_ACTION_DENY] = "Deny",
	[CS_ACTION_PASS] = "Pass",
};

static const char *const stats[CS_STAT_MAX] = {
#define X(num, name, metric, text) [num] = metric,
	CS_STATS(X)
#undef X
};

static const struct {
	const char *word;
	unsigned int number;
} protocols[] = {
	{ "TCP", IPPROTO_TCP },
	{ "UDP", IPPROTO_UDP },
	{ "SCTP", IPPROTO_SCTP },
};

#define LOOK_UP(table, i) ((i) < ARRAY_SIZE(table) && (table)[i] ? (table)[i] : UNKNOWN)

const char *verdict_word(unsigned int verdict)
{
	return LOOK_UP(verdicts, verdict);
}

const char *direction_word(unsigned int direction)
{
	return LOOK_UP(directions, direction);
}

const char *deny_mode_word(unsigned int mode)
{
	return LOOK_UP(deny_modes, mode);
}

const char *action_word(unsigned int action)
{
	return LOOK_UP(actions, action);
}

const char *stat_word(unsigned int stat)
{
	return stat < CS_STAT_MAX ? stats[stat] : NULL;
}

static int from_word(const char *const *table, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (table[i] && streq(table[i], word))
			return i;
	return -EINVAL;
}

int verdict_from_word(const char *word)
{
	int verdict = from_word(verdicts, ARRAY_SIZE(verdicts), word);

	return verdict == CS_VERDICT_NONE ? -EINVAL : verdict;
}

int deny_mode_from_word(const char *word)
{
	return from_word(deny_modes, ARRAY_SIZE(deny_modes), word);
}

int protocol_from_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (strcasecmp(protocols[i].word, word) == 0)
			return protocols[i].number;
	return -EINVAL;
}

const char *protocol_word(unsigned int protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].word;
	return UNKNOWN;
}
