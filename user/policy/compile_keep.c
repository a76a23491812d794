/* SPDX-License-Identifier: Apache-2.0 */
/* What one compile leaves for the next: who is there, and what was asked of them. */
#include "user/policy/compile.h"

int compile_note_selector(struct compile *c, const struct used_selector *selector)
{
	if (!c->kept)
		return 0;
	if (!GROW(c, &c->selectors))
		return -ENOMEM;
	c->selectors.item[c->selectors.n++] = *selector;
	return 0;
}

int compile_note_named(struct compile *c, const struct named_use *use)
{
	if (!c->kept)
		return 0;
	if (!GROW(c, &c->named))
		return -ENOMEM;
	c->named.item[c->named.n++] = *use;
	return 0;
}

/* Selectors whose members may be worse off than who is unknown. */
static void note_restricting(struct compile *c)
{
	for (size_t i = 0; i < c->image->n_rulesets; i++) {
		const struct cs_ruleset *ruleset = &c->image->rulesets[i];

		for (uint32_t k = 0; k < ruleset->count; k++) {
			uint16_t selector = ruleset->rules[k].selector;

			if (ruleset->rules[k].action != CS_ACTION_ALLOW &&
			    selector < CS_SELECTORS_MAX)
				c->restricting.word[selector / 64] |= 1ULL << (selector % 64);
		}
	}
}

/* Workloads and subjects, and which policies select them. */
static void forget_passing(struct compile *c)
{
	for (size_t i = 0; i < c->namespaces.n; i++)
		c->namespaces.item[i].listed = false;
	for (size_t i = 0; i < c->image->n_identities; i++)
		c->identities[i].matched = false;
	keymap_done(&c->by_subject);
	arena_done(&c->passing);
	c->set = NULL;
	c->policies = NULL;
	c->identity_of = c->subject_of = NULL;
	c->subjects.n = 0;
}

void compile_keep(struct compile *c)
{
	note_restricting(c);
	forget_passing(c);
}

static bool same_noise(const struct compile *a, const struct compile *b)
{
	struct keymap_item item;
	size_t position = 0;
	uint32_t value;

	while (keymap_next(&a->noise, &position, &item))
		if (!keymap_get(&b->noise, item.key, item.length, &value))
			return false;
	return a->noise.n == b->noise.n;
}

/* All but what policies made of them. */
static void adopt_identities(struct compile *c, const struct compile *from)
{
	struct image *image = c->image;
	size_t n = from->image->n_identities;

	memcpy(image->identities, from->image->identities, n * sizeof(*image->identities));
	memcpy(c->identities, from->identities, n * sizeof(*c->identities));
	for (size_t i = 0; i < n; i++) {
		image->identities[i].row = 0; /* of bitmaps of another image; gone ones keep it */
		c->identities[i].bits = (struct bits){ 0 };
		c->identities[i].collected = 0;
		c->identities[i].policies = NULL;
		c->identities[i].n_policies = 0;
		c->identities[i].matched = false;
	}
	image->n_identities = n;
	memcpy(image->names, from->image->names, from->image->n_names * sizeof(*image->names));
	image->n_names = from->image->n_names;
	memcpy(c->name_first, from->name_first, CS_NAMES_MAX * sizeof(*c->name_first));
	memcpy(c->name_last, from->name_last, CS_NAMES_MAX * sizeof(*c->name_last));
}

/* Keys and chains; the maps are only read as long as they are borrowed. */
static int adopt_maps(struct compile *c, const struct compile *from)
{
	size_t size = from->namespaces.n * sizeof(*c->namespaces.item);

	c->borrowed = true;
	c->by_record = from->by_record;
	c->by_number = from->by_number;
	c->by_name = from->by_name;
	c->by_namespace = from->by_namespace;
	c->by_address = from->by_address;
	c->by_placement = from->by_placement;
	c->by_text = from->by_text;
	c->objects = from->objects;
	c->update = from->update;
	c->n_gone = from->n_gone;
	c->namespaces.item = arena_alloc(&c->arena, size);
	if (!c->namespaces.item)
		return -ENOMEM;
	if (size)
		memcpy(c->namespaces.item, from->namespaces.item, size);
	c->namespaces.n = c->namespaces.capacity = from->namespaces.n;
	for (size_t i = 0; i < c->namespaces.n; i++) {
		c->namespaces.item[i].candidates = NULL;
		c->namespaces.item[i].n_candidates = 0;
		c->namespaces.item[i].listed = false;
	}
	return 0;
}

int compile_adopt(struct compile *c)
{
	const struct compile *from = c->from;
	int r;

	if (!same_noise(c, from) || from->image->n_identities > c->room)
		return -ESTALE;
	adopt_identities(c, from);
	r = adopt_maps(c, from);
	for (size_t i = 0; i < c->set->workloads.n && r == 0; i++)
		r = compile_identity(c, c->set->workloads.item[i], &c->identity_of[i]);
	return r;
}
