/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical record: one number for one identity, another for every other. */
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "user/identity/identity.h"

static const uint64_t salt[2] = { 1, 2 };

static uint64_t number_of(const struct identity_record *record, uint64_t least)
{
	_cleanup_bytes_ struct bytes encoded = { 0 };
	uint64_t number = 0;

	identity_encode(record, &encoded);
	cr_assert(!encoded.failed);
	cr_assert_eq(identity_number_above(salt, &encoded, least, &number), 0);
	return number;
}

static struct label labels[] = { { "app", "checkout" }, { "stage", "prod" } };
static struct named_port ports[] = { { "http", 8080, IPPROTO_TCP } };

static struct identity_record example(void)
{
	return (struct identity_record){ .trust_domain = "example.org",
					 .namespace = "shop",
					 .service_account = "checkout",
					 .labels = { labels, 2 },
					 .ports = { ports, 1 } };
}

/* Written out by hand from the description in identity.h. */
Test(identity_number, encoding)
{
	static const char expected[] = "\x01"
				       "\x0b\0\0\0example.org"
				       "\x04\0\0\0shop"
				       "\x08\0\0\0checkout"
				       "\x02\0\0\0"
				       "\x03\0\0\0app\x08\0\0\0checkout"
				       "\x05\0\0\0stage\x04\0\0\0prod"
				       "\x01\0\0\0"
				       "\x04\0\0\0http\x90\x1f\x06";
	struct identity_record record = example();
	_cleanup_bytes_ struct bytes encoded = { 0 };

	identity_encode(&record, &encoded);
	cr_assert_eq(encoded.n, sizeof(expected) - 1);
	cr_assert_eq(memcmp(encoded.data, expected, encoded.n), 0);
}

/* One more byte for a node's network, and none for its own: numbers stay as they were. */
Test(identity_number, host_network)
{
	struct identity_record record = example();
	_cleanup_bytes_ struct bytes own = { 0 }, host = { 0 };

	identity_encode(&record, &own);
	record.host_network = true;
	identity_encode(&record, &host);
	cr_assert_eq(host.n, own.n + 1);
	cr_expect_eq(memcmp(host.data, own.data, own.n), 0);
	cr_expect_eq(host.data[own.n], 1);
}

/* A change of this number splits a cluster whose agents are of two versions. */
Test(identity_number, does_not_change)
{
	struct identity_record record = example();

	cr_assert_eq(number_of(&record, CS_IDENTITY_FIRST), 5809817238000);
}

Test(identity_number, every_part_counts)
{
	struct label other_labels[] = { { "app", "checkouts" }, { "stage", "prod" } };
	struct named_port other_ports[] = { { "http", 8080, IPPROTO_UDP } };
	struct identity_record records[11];
	uint64_t numbers[ARRAY_SIZE(records)];

	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		records[i] = example();
	records[1].trust_domain = "example.com";
	records[2].namespace = "shops";
	records[3].service_account = "check";
	records[4].labels.n = 1;
	records[5].labels.item = other_labels;
	records[6].ports.n = 0;
	records[7].ports.item = other_ports;
	records[8].namespace = "shopch"; /* the same letters, divided otherwise */
	records[8].service_account = "eckout";
	records[9].labels.n = 0;
	records[10].host_network = true;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		numbers[i] = number_of(&records[i], CS_IDENTITY_FIRST);
		cr_expect_leq(numbers[i], CS_IDENTITY_MASK);
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(numbers[i], numbers[j], "records %zu and %zu", i, j);
	}
}

Test(identity_number, the_salt_counts)
{
	const uint64_t other[2] = { 1, 3 };
	struct identity_record record = example();
	_cleanup_bytes_ struct bytes encoded = { 0 };
	uint64_t a, b;

	identity_encode(&record, &encoded);
	cr_assert_eq(identity_number(salt, &encoded, &a), 0);
	cr_assert_eq(identity_number(other, &encoded, &b), 0);
	cr_assert_neq(a, b);
}

/* Reserved numbers are hit once in 2^38: raise the bar until half of all numbers hit it. */
Test(identity_number, reserved_numbers_are_never_given)
{
	const uint64_t least = 1ULL << 45;
	struct identity_record record = example();
	char name[16];
	int moved = 0;

	record.service_account = name;
	for (int i = 0; i < 1000; i++) {
		uint64_t plain, number;

		snprintf(name, sizeof(name), "sa-%d", i);
		plain = number_of(&record, 0);
		number = number_of(&record, least);
		cr_assert_geq(number, least);
		cr_assert_leq(number, CS_IDENTITY_MASK);
		cr_assert(plain < least || plain == number);
		cr_assert_eq(number, number_of(&record, least), "it is the same every time");
		moved += plain < least;
	}
	cr_assert(moved > 400 && moved < 600, "%d moved", moved);
}

Test(identity_number, noise)
{
	cr_expect(identity_label_is_noise("pod-template-hash"));
	cr_expect(identity_label_is_noise("controller-revision-hash"));
	cr_expect(identity_label_is_noise("pod-template-generation"));
	cr_expect(identity_label_is_noise("statefulset.kubernetes.io/pod-name"));
	cr_expect(identity_label_is_noise("controller-uid"));
	cr_expect(identity_label_is_noise("job-name"));
	cr_expect_not(identity_label_is_noise("app"));
	cr_expect_not(identity_label_is_noise("pod-template-hash2"));
	cr_expect_not(identity_label_is_noise(""));
}

Test(identity_number, labels)
{
	const struct labels two = { labels, 2 }, no = { 0 };
	_cleanup_bytes_ struct bytes text = { 0 }, nothing = { 0 };

	cr_expect_str_eq(labels_get(&two, "app"), "checkout");
	cr_expect_str_eq(labels_get(&two, "stage"), "prod");
	cr_expect_null(labels_get(&two, "ap"));
	cr_expect_null(labels_get(&no, "app"));
	labels_text(&two, &text);
	cr_expect_str_eq((char *)text.data, "app=checkout,stage=prod");
	labels_text(&no, &nothing);
	cr_expect_str_eq((char *)nothing.data, "");
}

Test(identity_number, entities_round_trip)
{
	int found = 0;

	for (unsigned int i = 0; i < CS_IDENTITY_FIRST; i++) {
		const char *name = entity_name(i);

		if (!name)
			continue;
		found++;
		cr_expect_eq(entity_by_name(name), i);
	}
	cr_expect_eq(found, 5);
	cr_expect_eq(entity_by_name("world"), 0, "names are exact");
	cr_expect_null(entity_name(CS_IDENTITY_FIRST));
	cr_expect_null(entity_name(1ULL << 32 | CS_ENTITY_HOST));
}
