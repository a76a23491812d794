/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefixes and the CIDR selectors that cover them.
 *
 * Every prefix that a policy names, as a CIDR or as a hole in one, is a class. An address
 * belongs to the class of its longest prefix, and no CIDR lies between the two, so what
 * covers the prefix covers the address. The prefixes that cover a prefix are found by
 * cutting it to each length in use: never more than 129 look-ups.
 */
#include "user/policy/compile.h"

static const __u32 v4_words[4] = { [2] = __builtin_bswap32(0xffff) };

/* The index of a prefix, which may be there already. */
static int get_prefix(struct compile *c, const struct cs_cidr *cidr, uint32_t *ret)
{
	static const struct limit limit = { "CS_CLASSES_MAX", CS_CLASSES_MAX - 1,
					    "different prefixes", "join neighbouring prefixes" };
	const struct place *place = c->policy ? &c->policy->place : NULL;
	struct prefix *prefix;
	int r;

	if (keymap_get(&c->by_prefix, cidr, sizeof(*cidr), ret))
		return 0;
	if (c->prefixes.n == limit.max)
		return compile_limit(c, &limit, place);
	prefix = arena_alloc(&c->arena, sizeof(*prefix));
	if (!prefix || !GROW(c, &c->prefixes))
		return -ENOMEM;
	prefix->cidr = *cidr;
	prefix->place = place;
	*ret = (uint32_t)c->prefixes.n;
	r = keymap_put(&c->by_prefix, &prefix->cidr, sizeof(prefix->cidr), *ret);
	if (r < 0)
		return r;
	c->prefixes.item[c->prefixes.n++] = prefix;
	c->lengths[cidr->prefixlen] = true;
	return 0;
}

static int use_prefix(struct compile *c, const struct cs_cidr *cidr, uint32_t block, bool except)
{
	struct prefix *prefix;
	uint32_t i;
	int r;

	r = get_prefix(c, cidr, &i);
	if (r < 0)
		return r;
	if (!GROW(c, &c->uses))
		return -ENOMEM;
	prefix = c->prefixes.item[i];
	c->uses.item[c->uses.n++] = (struct prefix_use){ block, prefix->uses, except };
	prefix->uses = (uint32_t)c->uses.n;
	return 0;
}

int compile_block(struct compile *c, const struct peer *peer, uint16_t selector)
{
	uint32_t block = (uint32_t)c->blocks.n;
	int r;

	if (!GROW(c, &c->blocks))
		return -ENOMEM;
	c->blocks.item[c->blocks.n++] = (struct block){ .peer = peer, .selector = selector };
	r = use_prefix(c, &peer->cidr, block, /* except= */ false);
	for (size_t i = 0; i < peer->n_except && r == 0; i++)
		r = use_prefix(c, &peer->except[i], block, /* except= */ true);
	return r;
}

/* Prefixes that no policy names but the options do. */
struct given {
	const char *const *text; /* NULL-terminated, or NULL */
	const char *where; /* for messages */
	size_t flag; /* offset of the flag in struct prefix */
};

static int add_given(struct compile *c, const struct given *given)
{
	const char *const *text = given->text;
	struct place place = { .file = given->where };
	struct cs_cidr cidr;
	uint32_t i;
	int r;

	for (; text && *text; text++) {
		const char *problem = cidr_parse(*text, &cidr);

		if (problem) {
			policy_errors_add(c->errors, &place, "", "\"%.64s\" %s", *text, problem);
			return -EBADMSG;
		}
		r = get_prefix(c, &cidr, &i);
		if (r < 0)
			return r;
		*(bool *)((char *)c->prefixes.item[i] + given->flag) = true;
	}
	return 0;
}

/*
 * In the kernel's trie a short IPv6 prefix such as ::/0 also has the IPv4 addresses below
 * it. A class for all of IPv4 catches them, so that IPv6 CIDRs cover no IPv4 address.
 */
static int split_families(struct compile *c)
{
	struct cs_cidr v4 = cidr_of(v4_words, ADDRESS_V4_BITS);
	uint32_t i;

	for (unsigned int length = 0; length < ADDRESS_V4_BITS; length++) {
		struct cs_cidr above = cidr_of(v4_words, length);

		if (c->lengths[length] && keymap_get(&c->by_prefix, &above, sizeof(above), &i))
			return get_prefix(c, &v4, &i);
	}
	return 0;
}

/* The longest prefix in use that covers the first @bits bits; NULL: none. */
static const struct prefix *covering(const struct compile *c, const __u32 word[static 4],
				     unsigned int bits, unsigned int least, uint32_t *ret)
{
	for (unsigned int n = bits + 1; n > least; n--) {
		struct cs_cidr cidr;

		if (!c->lengths[n - 1])
			continue;
		cidr = cidr_of(word, n - 1);
		if (keymap_get(&c->by_prefix, &cidr, sizeof(cidr), ret))
			return c->prefixes.item[*ret];
	}
	return NULL;
}

/* Calls @fn for each use of each prefix that covers prefix @i. */
static int each_use(struct compile *c, uint32_t i, struct bits *bits,
		    int (*fn)(struct compile *c, uint32_t i, const struct prefix_use *use,
			      struct bits *bits))
{
	const struct cs_cidr *cidr = &c->prefixes.item[i]->cidr;
	unsigned int least = cidr_is_v4(cidr) ? ADDRESS_V4_BITS : 0;
	const struct prefix *prefix;
	unsigned int length = cidr->prefixlen;
	uint32_t found;

	for (;;) {
		prefix = covering(c, cidr->word, length, least, &found);
		if (!prefix)
			return 0;
		for (uint32_t u = prefix->uses; u; u = c->uses.item[u - 1].next) {
			int r = fn(c, i, &c->uses.item[u - 1], bits);

			if (r < 0)
				return r;
		}
		if (prefix->cidr.prefixlen == least)
			return 0;
		length = prefix->cidr.prefixlen - 1;
	}
}

static int mark_excluded(struct compile *c, uint32_t i, const struct prefix_use *use,
			 struct bits *bits)
{
	(void)bits;
	if (use->except)
		c->blocks.item[use->block].excluded = i + 1;
	return 0;
}

static int add_covered(struct compile *c, uint32_t i, const struct prefix_use *use,
		       struct bits *bits)
{
	const struct block *block = &c->blocks.item[use->block];

	if (use->except || block->excluded == i + 1)
		return 0;
	return bits_add(c, bits, block->selector);
}

static bool is_tagged(const struct compile *c, const struct cs_cidr *cidr)
{
	unsigned int least = cidr_is_v4(cidr) ? ADDRESS_V4_BITS : 0;

	for (unsigned int n = least; n <= cidr->prefixlen; n++) {
		struct cs_cidr above = cidr_of(cidr->word, n);
		uint32_t i;

		if (c->lengths[n] && keymap_get(&c->by_prefix, &above, sizeof(above), &i) &&
		    c->prefixes.item[i]->tag)
			return true;
	}
	return false;
}

static int add_class(struct compile *c, uint32_t i)
{
	static const struct place nowhere;
	const struct prefix *prefix = c->prefixes.item[i];
	struct image_class *class = &c->image->classes[c->image->n_classes++];
	struct bits bits = { 0 };
	int r;

	class->prefix = prefix->cidr;
	class->flags = is_tagged(c, &prefix->cidr) ? CS_CLASS_TAG : 0;
	if (prefix->host)
		class->flags |= CS_CLASS_HOST;
	r = each_use(c, i, &bits, mark_excluded);
	if (r == 0)
		r = each_use(c, i, &bits, add_covered);
	if (r < 0)
		return r;
	return compile_row(c, &bits, prefix->place ? prefix->place : &nowhere, &class->row);
}

/*
 * Pods of the cluster may be at such an address, if they are not known yet. A compile of rules
 * has no Nodes in its set.
 */
static int add_pod_cidrs(struct compile *c)
{
	const struct object_list *nodes = &c->objects->nodes;
	uint32_t prefix;
	int r = 0;

	for (size_t i = 0; i < nodes->n && r == 0; i++) {
		const struct node_object *node = nodes->item[i];

		for (size_t k = 0; node && k < node->n_pod_cidrs && r == 0; k++) {
			r = get_prefix(c, &node->pod_cidrs[k], &prefix);
			if (r == 0)
				c->prefixes.item[prefix]->tag = true;
		}
	}
	return r;
}

int compile_classes(struct compile *c)
{
	const struct given given[] = {
		{ c->options->tag_networks, "--tag-networks", offsetof(struct prefix, tag) },
		{ c->options->host_addresses, "this node's addresses",
		  offsetof(struct prefix, host) },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(given) && r == 0; i++)
		r = add_given(c, &given[i]);
	if (r == 0)
		r = add_pod_cidrs(c);
	if (r == 0)
		r = split_families(c);
	if (r < 0)
		return r;
	c->image->classes = calloc(c->prefixes.n + 1, sizeof(*c->image->classes));
	if (!c->image->classes)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->prefixes.n && r == 0; i++)
		r = add_class(c, i);
	return r;
}

uint32_t compile_class_of(const struct compile *c, const struct cs_addr *addr)
{
	struct cs_cidr host = cidr_of(addr->word, ADDRESS_BITS);
	uint32_t i;

	if (covering(c, host.word, ADDRESS_BITS, cidr_is_v4(&host) ? ADDRESS_V4_BITS : 0, &i))
		return i + 1;
	return 0;
}
