/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/model.h"

int string_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int requirement_compare(const void *a, const void *b)
{
	const struct requirement *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	if (!order)
		order = (int)x->op - (int)y->op;
	if (!order)
		order = (x->n_values > y->n_values) - (x->n_values < y->n_values);
	for (size_t i = 0; !order && i < x->n_values; i++)
		order = strcmp(x->values[i], y->values[i]);
	return order;
}

static bool requirement_lists(const struct requirement *req, const char *value)
{
	return bsearch(&value, req->values, req->n_values, sizeof(value), string_compare);
}

static bool requirement_holds(const struct requirement *req, const struct labels *labels)
{
	const char *value = labels_get(labels, req->key);

	switch (req->op) {
	case REQUIRE_IN:
		return value && requirement_lists(req, value);
	case REQUIRE_NOT_IN:
		return !value || !requirement_lists(req, value);
	case REQUIRE_EXISTS:
		return value;
	default:
		return !value;
	}
}

bool selector_matches(const struct selector *selector, const struct labels *labels)
{
	for (size_t i = 0; i < selector->n; i++)
		if (!requirement_holds(&selector->item[i], labels))
			return false;
	return true;
}

void selector_encode(const struct selector *selector, struct bytes *ret)
{
	bytes_put_u32(ret, (uint32_t)selector->n);
	for (size_t i = 0; i < selector->n; i++) {
		const struct requirement *req = &selector->item[i];

		bytes_put_u8(ret, req->op);
		bytes_put_string(ret, req->key);
		bytes_put_u32(ret, (uint32_t)req->n_values);
		for (size_t v = 0; v < req->n_values; v++)
			bytes_put_string(ret, req->values[v]);
	}
}
