/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/lab_keys.h"

#include <bpf/bpf.h>

#include "tests/lab/lab_internal.h"

static int lab_pinned_map(struct lab_node *node, const char *name)
{
	const char *dir = lab_node_path(node, "bpffs");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s_v%d", dir, name, CS_ABI_VERSION);
	return bpf_obj_get(path);
}

static void lab_map_read(struct lab_node *node, const char *name, uint32_t index, void *ret)
{
	_cleanup_close_ int map = lab_pinned_map(node, name);

	lab_check(node->lab, map >= 0 && bpf_map_lookup_elem(map, &index, ret) == 0,
		  "cannot read %s of node %s: %s", name, node->name, strerror(errno));
}

bool lab_node_keys(struct lab_node *node, int peer, struct cs_node_keys *ret)
{
	struct cs_node_keys keys;
	uint32_t slot = 0;

	lab_map_read(node, "cs_node_index", peer, &slot);
	if (!slot)
		return false;
	lab_map_read(node, "cs_nodes", slot, &keys);
	if (keys.node != (uint32_t)peer)
		return false;
	*ret = keys;
	return true;
}

void lab_node_knows(struct lab_node *node, struct lab_node *peer)
{
	uint64_t end = lab_now_ms() + LAB_WAIT_MS;
	struct cs_node_keys keys = { 0 };

	while (!lab_node_keys(node, peer->number, &keys) || !keys.send_valid ||
	       !keys.receive_valid || keys.refusal) {
		lab_check(node->lab, lab_now_ms() < end,
			  "node %s has no keys with node %s (refusal %d)", node->name, peer->name,
			  keys.refusal);
		lab_sleep_ms(10);
	}
}

void lab_node_vault(struct lab_node *node, struct cs_vault *ret)
{
	lab_map_read(node, "cs_vault", 0, ret);
}

const char *lab_key_hex(struct lab *lab, const struct cs_key *key)
{
	char text[2 * sizeof(*key) + 1];

	for (size_t i = 0; i < sizeof(*key); i++)
		snprintf(text + 2 * i, 3, "%02x", ((const uint8_t *)key)[i]);
	return lab_printf(lab, "%s", text);
}

const char *lab_claim_hex(struct lab *lab, int node, int phase, uint64_t identity)
{
	return lab_printf(lab, "fd%02x%04x%016llx", CS_TAG_LEN_SYN, CS_TCPOPT_EXID,
			  (unsigned long long)cs_tag(node, phase, identity));
}
