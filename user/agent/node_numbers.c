/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/node_numbers.h"

#include <countersign/siphash.h>

const char *node_numbers_path(uint16_t number, char ret[static NODE_NUMBERS_PATH_MAX])
{
	snprintf(ret, NODE_NUMBERS_PATH_MAX, NODE_NUMBERS_PATH "/%u", number);
	return ret;
}

uint16_t node_numbers_try(const char *name, unsigned int attempt)
{
	/* No secret: it only has to spread, and alike on every node. */
	const struct cs_key key = { .k0 = 0x636f756e74657273, .k1 = attempt };

	return cs_siphash_bytes(&key, name, strlen(name)) % UINT16_MAX + 1;
}

char *node_numbers_claim(uint16_t number, const char *trust_domain, const char *name)
{
	json_auto_t *object = NULL;
	char text[sizeof("65535")];

	snprintf(text, sizeof(text), "%u", number);
	object = json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:i}}", "apiVersion",
			   "countersign.dev/v1alpha1", "kind", "NodeIdentity", "metadata", "name",
			   text, "spec", "trustDomain", trust_domain, "node", name, "number",
			   number);
	return object ? json_dumps(object, JSON_COMPACT) : NULL;
}

static bool has(const json_t *spec, const char *field, const char *value)
{
	const char *text = json_string_value(json_object_get(spec, field));

	return text && streq(text, value);
}

bool node_numbers_is_of(const json_t *object, const char *trust_domain, const char *name)
{
	const json_t *spec = json_object_get(object, "spec");

	return has(spec, "node", name) && has(spec, "trustDomain", trust_domain);
}

uint16_t node_numbers_kept(const char *text, const char *name)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	size_t length = strlen(name);

	if (*text < '1' || *text > '9' || number > UINT16_MAX || *end != ' ' ||
	    strncmp(end + 1, name, length) != 0 || !streq(end + 1 + length, "\n"))
		return 0;
	return number;
}
