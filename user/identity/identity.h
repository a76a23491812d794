/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities: the canonical record of who a workload is, and its 46-bit number.
 *
 * Every agent computes the same number from the same workload, so the encoding is fixed:
 * the byte 1, trust domain, namespace, service account, the number of labels and each
 * label's key and value, the number of named ports and each port's name, number and
 * protocol; then the byte 1 when the workload uses its node's network, and nothing when it
 * has its own. Strings have their length in front (32 bits, as all counts), numbers are
 * little-endian. Labels are sorted by key, ports by name and protocol.
 *
 * The number is SipHash-2-4 of the record under the cluster's salt, its low 46 bits.
 * Numbers below CS_IDENTITY_FIRST belong to entities: a record that hits one is hashed
 * again with one more zero byte behind it until the number is above.
 */
#pragma once

#include <countersign/abi.h>

#include "user/base/util.h"
#include "user/identity/bytes.h"

struct label {
	const char *key;
	const char *value;
};

/* Sorted by key; no key twice. */
struct labels {
	struct label *item;
	size_t n;
};

struct named_port {
	const char *name;
	uint16_t port;
	uint8_t protocol; /* IPPROTO_* */
};

/* Sorted by name, then protocol; no pair twice. */
struct named_ports {
	struct named_port *item;
	size_t n;
};

struct identity_record {
	const char *trust_domain;
	const char *namespace;
	const char *service_account;
	struct labels labels;
	struct named_ports ports;
	bool host_network; /* it cannot be told from its node by address */
};

/* The value of a label, or NULL. */
const char *labels_get(const struct labels *labels, const char *key);

/* qsort(3) orders. */
int label_compare(const void *a, const void *b);
int named_port_compare(const void *a, const void *b);

/* Both lists in their order, the ports' numbers too. */
bool labels_equal(const struct labels *a, const struct labels *b);
bool named_ports_equal(const struct named_ports *a, const struct named_ports *b);

/*
 * Whether a label says nothing about what a workload is: labels that controllers add and
 * change on every roll-out. They take no part in the identity unless some policy selects
 * on their key (the caller knows).
 */
bool identity_label_is_noise(const char *key);

/* The canonical encoding, appended to @ret. @ret->failed says whether memory ran out. */
void identity_encode(const struct identity_record *record, struct bytes *ret);

/* The number of an encoded record, in [@least, 2^46). @least is no more than 2^45. */
int identity_number_above(const uint64_t salt[static 2], const struct bytes *record, uint64_t least,
			  uint64_t *ret);

static inline int identity_number(const uint64_t salt[static 2], const struct bytes *record,
				  uint64_t *ret)
{
	return identity_number_above(salt, record, CS_IDENTITY_FIRST, ret);
}

/* "app=checkout,stage=prod" into @ret as text; the caller checks @ret->failed. */
void labels_text(const struct labels *labels, struct bytes *ret);

/* The text of an entity, or NULL; and back: 0 for a text that is none. */
const char *entity_name(uint64_t entity);
uint8_t entity_by_name(const char *name);
