/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/identity.h"

#define IDENTITY_ENCODING 1 /* first byte of a record; bump when the encoding changes */

/* Labels that change while what a workload is does not. */
static const char *const identity_noise[] = {
	"apps.kubernetes.io/pod-index",
	"batch.kubernetes.io/controller-uid",
	"batch.kubernetes.io/job-completion-index",
	"batch.kubernetes.io/job-name",
	"controller-revision-hash",
	"controller-uid",
	"job-name",
	"pod-template-generation",
	"pod-template-hash",
	"statefulset.kubernetes.io/pod-name",
};

bool identity_label_is_noise(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(identity_noise); i++)
		if (streq(identity_noise[i], key))
			return true;
	return false;
}

int label_compare(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

int named_port_compare(const void *a, const void *b)
{
	const struct named_port *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (int)x->protocol - (int)y->protocol;
}

const char *labels_get(const struct labels *labels, const char *key)
{
	struct label wanted = { .key = key };
	const struct label *found;

	if (!labels->n)
		return NULL;
	found = bsearch(&wanted, labels->item, labels->n, sizeof(wanted), label_compare);
	return found ? found->value : NULL;
}

void identity_encode(const struct identity_record *record, struct bytes *ret)
{
	bytes_put_u8(ret, IDENTITY_ENCODING);
	bytes_put_string(ret, record->trust_domain);
	bytes_put_string(ret, record->namespace);
	bytes_put_string(ret, record->service_account);
	bytes_put_u32(ret, (uint32_t)record->labels.n);
	for (size_t i = 0; i < record->labels.n; i++) {
		bytes_put_string(ret, record->labels.item[i].key);
		bytes_put_string(ret, record->labels.item[i].value);
	}
	bytes_put_u32(ret, (uint32_t)record->ports.n);
	for (size_t i = 0; i < record->ports.n; i++) {
		bytes_put_string(ret, record->ports.item[i].name);
		bytes_put_u16(ret, record->ports.item[i].port);
		bytes_put_u8(ret, record->ports.item[i].protocol);
	}
	/* Nothing for all others: their numbers are what they were before this was told. */
	if (record->host_network)
		bytes_put_u8(ret, 1);
}

int identity_number_above(const uint64_t salt[static 2], const struct bytes *record, uint64_t least,
			  uint64_t *ret)
{
	const struct cs_key key = { .k0 = salt[0], .k1 = salt[1] };
	_cleanup_bytes_ struct bytes longer = { 0 };
	uint64_t number;

	number = cs_siphash_bytes(&key, record->data, record->n) & CS_IDENTITY_MASK;
	if (number < least)
		bytes_put(&longer, record->data, record->n);
	while (number < least) {
		bytes_put_u8(&longer, 0);
		if (longer.failed)
			return -ENOMEM;
		number = cs_siphash_bytes(&key, longer.data, longer.n) & CS_IDENTITY_MASK;
	}
	*ret = number;
	return 0;
}

void labels_text(const struct labels *labels, struct bytes *ret)
{
	for (size_t i = 0; i < labels->n; i++) {
		if (i > 0)
			bytes_put(ret, ",", 1);
		bytes_put(ret, labels->item[i].key, strlen(labels->item[i].key));
		bytes_put(ret, "=", 1);
		bytes_put(ret, labels->item[i].value, strlen(labels->item[i].value));
	}
	bytes_put_u8(ret, 0);
}

static const struct {
	uint8_t number;
	const char *name;
} entities[] = {
#define X(num, name, text) { num, text },
	CS_ENTITIES(X)
#undef X
};

const char *entity_name(uint64_t entity)
{
	for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
		if (entities[i].number == entity)
			return entities[i].name;
	return NULL;
}

uint8_t entity_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
		if (streq(entities[i].name, name))
			return entities[i].number;
	return 0;
}

bool labels_equal(const struct labels *a, const struct labels *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (!streq(a->item[i].key, b->item[i].key) ||
		    !streq(a->item[i].value, b->item[i].value))
			return false;
	return a->n == b->n;
}

bool named_ports_equal(const struct named_ports *a, const struct named_ports *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (named_port_compare(&a->item[i], &b->item[i]) != 0 ||
		    a->item[i].port != b->item[i].port)
			return false;
	return a->n == b->n;
}
