/* SPDX-License-Identifier: Apache-2.0 */
/* The identity room's containers: arena, bytes, keymap; and freeing an image. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "user/identity/arena.h"
#include "user/identity/bytes.h"
#include "user/identity/image.h"
#include "user/identity/keymap.h"

Test(identity_tables, arena_memory_is_zeroed_and_aligned)
{
	struct arena arena = { 0 };

	for (size_t size = 0; size < 300; size++) {
		unsigned char *p = arena_alloc(&arena, size);

		cr_assert_not_null(p);
		cr_assert_eq((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			cr_assert_eq(p[i], 0);
		memset(p, 0xff, size);
	}
	arena_done(&arena);
	cr_expect_eq(arena.total, 0);
}

Test(identity_tables, arena_large_and_too_large)
{
	struct arena arena = { 0 };
	char *p = arena_alloc(&arena, 1 << 20);

	cr_assert_not_null(p);
	p[(1 << 20) - 1] = 1;
	cr_expect_null(arena_alloc(&arena, ARENA_MAX));
	cr_expect_null(arena_alloc(&arena, SIZE_MAX));
	cr_expect_str_eq(arena_strndup(&arena, "abcdef", 3), "abc");
	arena_done(&arena);
}

Test(identity_tables, arena_grows_an_array)
{
	struct arena arena = { 0 };
	size_t capacity = 0, n = 0;
	int *items = NULL;

	for (; n < 1000; n++) {
		items = arena_grow(&arena, items, n, &capacity, sizeof(*items));
		cr_assert_not_null(items);
		cr_assert_gt(capacity, n);
		items[n] = (int)n;
	}
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(items[i], (int)i);
	arena_done(&arena);
}

Test(identity_tables, bytes_are_unambiguous)
{
	_cleanup_bytes_ struct bytes a = { 0 }, b = { 0 };

	bytes_put_string(&a, "ab");
	bytes_put_string(&a, "c");
	bytes_put_string(&b, "a");
	bytes_put_string(&b, "bc");
	cr_assert_eq(a.n, b.n);
	cr_assert_neq(memcmp(a.data, b.data, a.n), 0);
}

Test(identity_tables, bytes_are_little_endian)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };

	bytes_put_u8(&bytes, 0x01);
	bytes_put_u16(&bytes, 0x0203);
	bytes_put_u32(&bytes, 0x04050607);
	cr_assert_eq(bytes.n, 7);
	cr_assert_eq(memcmp(bytes.data, "\x01\x03\x02\x07\x06\x05\x04", 7), 0);
}

Test(identity_tables, bytes_have_a_limit)
{
	_cleanup_bytes_ struct bytes bytes = { 0 };
	_cleanup_free_ char *much = calloc(1, BYTES_MAX);

	bytes_put_u8(&bytes, 1);
	bytes_put(&bytes, much, BYTES_MAX);
	cr_expect(bytes.failed);
	bytes_put_u8(&bytes, 2);
	cr_expect_eq(bytes.n, 1, "nothing is added behind a gap");
}

Test(identity_tables, keymap_finds_what_was_put)
{
	_cleanup_keymap_ struct keymap map = { 0 };
	static char keys[5000][8];
	uint32_t value;

	cr_expect_not(keymap_get(&map, "x", 1, &value));
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		cr_assert_eq(keymap_put(&map, keys[i], strlen(keys[i]), i), 0);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		cr_assert(keymap_get(&map, keys[i], strlen(keys[i]), &value));
		cr_assert_eq(value, i);
	}
	cr_expect_not(keymap_get(&map, "k5000", 5, &value));
	cr_expect_not(keymap_get(&map, "k1", 3, &value), "the length is part of the key");
}

Test(identity_tables, keymap_keeps_the_first)
{
	_cleanup_keymap_ struct keymap map = { 0 };
	uint32_t value = 0;

	cr_assert_eq(keymap_put(&map, "a", 1, 1), 0);
	cr_assert_eq(keymap_put(&map, "a", 1, 2), -EEXIST);
	cr_assert(keymap_get(&map, "a", 1, &value));
	cr_expect_eq(value, 1);
	cr_assert_eq(keymap_put(&map, "", 0, 3), 0);
	cr_assert(keymap_get(&map, "", 0, &value));
	cr_expect_eq(value, 3);
}

Test(identity_tables, image_free_takes_null_and_half_made_ones)
{
	struct image *image = calloc(1, sizeof(*image));

	image_free(NULL);
	image->workloads = calloc(2, sizeof(*image->workloads));
	image->n_workloads = 2;
	image->workloads[0].name = strdup("x");
	image->rules = calloc(1, sizeof(*image->rules));
	image->n_rules = 1;
	image_free(image);
}

Test(identity_tables, image_rule_knows_its_bounds)
{
	struct image_rule rules[2] = { 0 };
	struct image image = { .rules = rules, .n_rules = 2 };

	cr_expect_null(image_rule(&image, CS_RULE_ID_NONE));
	cr_expect_eq(image_rule(&image, 1), &rules[1]);
	cr_expect_null(image_rule(&image, 2));
}
