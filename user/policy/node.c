/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about a YAML tree. */
#include <strings.h>

#include "user/policy/yaml.h"

const struct node *node_get(const struct node *map, const char *key)
{
	for (size_t i = 0; map->type == NODE_MAP && i < map->n; i++)
		if (streq(node_key(map, i)->text, key))
			return node_value(map, i);
	return NULL;
}

bool node_is_null(const struct node *node)
{
	return node->type == NODE_TEXT && !node->quoted &&
	       (!*node->text || streq(node->text, "~") || strcasecmp(node->text, "null") == 0);
}

static bool text_is_truth(const char *text)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

static bool text_is_number(const char *text)
{
	static const char *const words[] = { ".inf", "-.inf", "+.inf", ".nan" };
	char *end;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	if (!strpbrk(text, "0123456789") ||
	    strspn(text, "0123456789abcdefABCDEFxo+-._") != strlen(text))
		return false;
	if (startswith(text, "0o"))
		return strspn(text + 2, "01234567") == strlen(text + 2);
	strtod(text, &end);
	return !*end;
}

bool node_is_typed(const struct node *node)
{
	if (node->type != NODE_TEXT || node->quoted)
		return false;
	return node_is_null(node) || text_is_truth(node->text) || text_is_number(node->text);
}

const char *node_kind(const struct node *node)
{
	if (node->type == NODE_LIST)
		return "a list";
	if (node->type == NODE_MAP)
		return "a mapping";
	return node_is_null(node) ? "nothing" : "text";
}
