/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of selector bits, and the bitmaps that equal sets share. */
#include "user/policy/compile.h"

/* Bits mostly come in order; one that comes late is put into its place. */
int bits_add(struct compile *c, struct bits *bits, uint16_t bit)
{
	size_t i = bits->n;
	void *grown;

	while (i > 0 && bits->bit[i - 1] > bit)
		i--;
	if (i > 0 && bits->bit[i - 1] == bit)
		return 0;
	grown = arena_grow(&c->arena, bits->bit, bits->n, &bits->capacity, sizeof(bit));
	if (!grown)
		return -ENOMEM;
	bits->bit = grown;
	memmove(&bits->bit[i + 1], &bits->bit[i], (bits->n - i) * sizeof(bit));
	bits->bit[i] = bit;
	bits->n++;
	return 0;
}

int compile_row(struct compile *c, const struct bits *bits, const struct place *place,
		uint32_t *ret)
{
	static const struct limit limits[] = {
		{ "CS_BITMAPS_MAX", CS_BITMAPS_MAX,
		  "different kinds of peers for the rules of this node",
		  "select peers by common labels" },
		{ "OFFLINE_BITMAPS_MAX", OFFLINE_BITMAPS_MAX, "different kinds of peers",
		  "look at fewer namespaces at a time" },
	};
	const struct limit *limit = &limits[c->options->every_subject];
	size_t size = bits->n * sizeof(*bits->bit);
	struct image *image = c->image;
	uint32_t row = 0;

	if (!bits->n || keymap_get(&c->by_bits, bits->bit, size, &row)) {
		*ret = row;
		return 0;
	}
	if (image->n_bitmaps == limit->max)
		return compile_limit(c, limit, place);
	row = (uint32_t)image->n_bitmaps++;
	for (size_t i = 0; i < bits->n; i++)
		image->bitmaps[row].word[bits->bit[i] / 64] |= 1ULL << (bits->bit[i] % 64);
	*ret = row;
	return keymap_put(&c->by_bits, bits->bit, size, row);
}

int compile_rows(struct compile *c)
{
	static const struct place nowhere;
	int r = 0;

	for (size_t i = 0; i < c->image->n_identities && r == 0; i++) {
		const struct peer_identity *identity = &c->identities[i];

		if (c->image->identities[i].gone)
			continue;
		r = compile_row(c, &identity->bits,
				identity->workload ? &identity->workload->place : &nowhere,
				&c->image->identities[i].row);
	}
	return r;
}
