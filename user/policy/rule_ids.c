/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/rule_ids.h"

#include "user/identity/bytes.h"
#include "user/identity/keymap.h"

struct rule_id {
	struct image_rule name;
	uint8_t *key; /* encoded */
	size_t length;
	uint64_t used; /* the compile that asked for it last */
};

struct rule_ids {
	struct rule_id *item; /* index = id; 0 is unused */
	uint32_t n; /* of ids ever given, with 0 */
	uint32_t reuse; /* ids below were looked at for reuse in this compile */
	uint64_t compile;
	struct keymap by_key;
};

int rule_ids_new(struct rule_ids **ret)
{
	struct rule_ids *ids = calloc(1, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	ids->item = calloc(CS_RULE_IDS_MAX, sizeof(*ids->item));
	if (!ids->item) {
		free(ids);
		return -ENOMEM;
	}
	ids->n = 1;
	*ret = ids;
	return 0;
}

static void rule_id_done(struct rule_id *id)
{
	free(id->name.kind);
	free(id->name.namespace);
	free(id->name.policy);
	free(id->name.rule);
	free(id->key);
	*id = (struct rule_id){ 0 };
}

struct rule_ids *rule_ids_free(struct rule_ids *ids)
{
	if (!ids)
		return NULL;
	for (uint32_t i = 1; i < ids->n; i++)
		rule_id_done(&ids->item[i]);
	keymap_done(&ids->by_key);
	free(ids->item);
	free(ids);
	return NULL;
}

void rule_ids_begin(struct rule_ids *ids)
{
	ids->compile++;
	ids->reuse = 1;
}

static void encode_key(const struct rule_key *key, struct bytes *ret)
{
	bytes_put_u8(ret, key->direction);
	bytes_put_string(ret, key->kind);
	bytes_put_string(ret, key->namespace);
	bytes_put_string(ret, key->policy);
	bytes_put_string(ret, key->rule);
}

static void find_encoded(struct rule_ids *ids, const struct bytes *key, uint32_t *ret)
{
	*ret = 0;
	if (keymap_get(&ids->by_key, key->data, key->n, ret))
		ids->item[*ret].used = ids->compile;
}

int rule_ids_find(struct rule_ids *ids, const struct rule_key *key, uint32_t *ret)
{
	_cleanup_bytes_ struct bytes encoded = { 0 };

	encode_key(key, &encoded);
	if (encoded.failed)
		return -ENOMEM;
	find_encoded(ids, &encoded, ret);
	return 0;
}

static int rule_id_init(struct rule_id *id, const struct rule_key *key, struct bytes *encoded)
{
	struct rule_id new = {
		.name = {
			.kind = strdup(key->kind),
			.namespace = strdup(key->namespace),
			.policy = strdup(key->policy),
			.rule = strdup(key->rule),
		},
	};

	if (!new.name.kind || !new.name.namespace || !new.name.policy || !new.name.rule) {
		rule_id_done(&new);
		return -ENOMEM;
	}
	new.key = TAKE_PTR(encoded->data);
	new.length = encoded->n;
	*id = new;
	return 0;
}

/* The map cannot forget one key, so it is made anew without the vanished ones. */
static int forget_vanished(struct rule_ids *ids)
{
	struct keymap by_key = { 0 };

	for (uint32_t i = 1; i < ids->n; i++) {
		int r;

		if (ids->item[i].used != ids->compile)
			continue;
		r = keymap_put(&by_key, ids->item[i].key, ids->item[i].length, i);
		if (r < 0) {
			keymap_done(&by_key);
			return r;
		}
	}
	keymap_done(&ids->by_key);
	ids->by_key = by_key;
	return 0;
}

/* A number that no rule has: a fresh one, or when they ran out a vanished rule's. */
static int take_number(struct rule_ids *ids, uint32_t *ret)
{
	int r;

	if (ids->n < CS_RULE_IDS_MAX) {
		*ret = ids->n++;
		return 0;
	}
	r = ids->reuse == 1 ? forget_vanished(ids) : 0;
	if (r < 0)
		return r;
	while (ids->reuse < CS_RULE_IDS_MAX && ids->item[ids->reuse].used == ids->compile)
		ids->reuse++;
	if (ids->reuse == CS_RULE_IDS_MAX)
		return -ENOSPC;
	*ret = ids->reuse++;
	rule_id_done(&ids->item[*ret]);
	return 0;
}

int rule_ids_get(struct rule_ids *ids, const struct rule_key *key, uint32_t *ret)
{
	_cleanup_bytes_ struct bytes encoded = { 0 };
	uint32_t id;
	int r;

	encode_key(key, &encoded);
	if (encoded.failed)
		return -ENOMEM;
	find_encoded(ids, &encoded, &id);
	if (!id) {
		r = take_number(ids, &id);
		if (r == 0)
			r = rule_id_init(&ids->item[id], key, &encoded);
		if (r == 0)
			r = keymap_put(&ids->by_key, ids->item[id].key, ids->item[id].length, id);
		if (r < 0)
			return r;
		ids->item[id].used = ids->compile;
	}
	*ret = id;
	return 0;
}

static char *copy(const char *s)
{
	return strdup(s ? s : "");
}

int rule_ids_names(const struct rule_ids *ids, struct image *image)
{
	image->rules = calloc(ids->n, sizeof(*image->rules));
	if (!image->rules)
		return -ENOMEM;
	image->n_rules = ids->n;
	for (uint32_t i = 1; i < ids->n; i++) {
		const struct image_rule *name = &ids->item[i].name;

		image->rules[i] = (struct image_rule){
			.kind = copy(name->kind),
			.namespace = copy(name->namespace),
			.policy = copy(name->policy),
			.rule = copy(name->rule),
		};
		if (!image->rules[i].kind || !image->rules[i].namespace ||
		    !image->rules[i].policy || !image->rules[i].rule)
			return -ENOMEM;
	}
	return 0;
}
