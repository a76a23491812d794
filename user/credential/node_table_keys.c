/* SPDX-License-Identifier: Apache-2.0 */
/* From records in force and our own keys to what the kernel wants to know of each node. */
#include <openssl/crypto.h>

#include "user/base/digest.h"
#include "user/credential/node_table_internal.h"

/* What all peers have in common at one moment. */
struct look {
	const struct node_table *table;
	const struct key_ring *ring;
	int64_t now_ms;
	struct node_key own[NODE_KEYS_MAX];
	size_t n_own;
	uint8_t sending; /* parity */
};

/* A key of ours is of use until its end, or as long as it is the one that sends. */
static bool own_is_live(const struct look *look, const struct node_key *key)
{
	return look->now_ms < key->not_after_ms || key->parity == look->sending;
}

static bool peer_is_live(const struct look *look, const struct node_key *key)
{
	return look->now_ms < key->not_after_ms + look->table->skew_ms;
}

static bool is_of(const struct pair_keys *keys, const struct node_key *own,
		  const struct node_key *peer)
{
	return keys->set && memcmp(keys->own_public, own->public_key, NODE_KEY_BYTES) == 0 &&
	       memcmp(keys->peer_public, peer->public_key, NODE_KEY_BYTES) == 0;
}

/* The keys of @own and @peer, derived unless they are there already. */
static int derive(const struct look *look, uint16_t number, const struct node_key *own,
		  const struct node_key *peer, struct pair_keys *keys)
{
	const struct node_pair pair = {
		.own_number = look->table->own_number,
		.peer_number = number,
		.own_parity = own->parity,
		.peer_public = peer->public_key,
	};
	int r;

	keys->used = true;
	if (is_of(keys, own, peer))
		return 0;
	OPENSSL_cleanse(keys, sizeof(*keys));
	r = key_ring_derive(look->ring, &pair, &keys->send, &keys->receive);
	if (r < 0 && r != -EINVAL)
		return r;
	keys->set = keys->used = true;
	keys->good = r == 0;
	memcpy(keys->own_public, own->public_key, NODE_KEY_BYTES);
	memcpy(keys->peer_public, peer->public_key, NODE_KEY_BYTES);
	return 0;
}

static void put_pair(struct cs_node_keys *keys, uint8_t own, uint8_t peer,
		     const struct pair_keys *pair)
{
	uint8_t send = own * 2 + peer, receive = peer * 2 + own;

	if (!pair->good)
		return;
	keys->send[send] = pair->send;
	keys->send_valid |= 1 << send;
	keys->receive[receive] = pair->receive;
	keys->receive_valid |= 1 << receive;
}

static int put_pairs(const struct look *look, struct peer *peer, struct cs_node_keys *keys)
{
	const struct node_record *record = peer->node->held->record;

	for (size_t i = 0; i < look->n_own; i++) {
		const struct node_key *own = &look->own[i];

		for (size_t j = 0; j < record->n_keys; j++) {
			const struct node_key *theirs = &record->key[j];
			struct pair_keys *pair = &peer->pair[own->parity * 2 + theirs->parity];
			int r;

			if (!own_is_live(look, own) || !peer_is_live(look, theirs))
				continue;
			r = derive(look, peer->number, own, theirs, pair);
			if (r < 0)
				return r;
			put_pair(keys, own->parity, theirs->parity, pair);
		}
	}
	return 0;
}

/* The peer's newest key: whoever published it can receive with it already. */
static uint8_t send_phase(const struct look *look, const struct node_record *record)
{
	size_t newest = 0;

	while (newest + 1 < record->n_keys && !peer_is_live(look, &record->key[newest]))
		newest++;
	return look->sending * 2 + record->key[newest].parity;
}

static int keys_of(const struct look *look, struct peer *peer, struct cs_node_keys *keys)
{
	const char *id;
	uint64_t holder;
	int r;

	keys->node = peer->number;
	for (size_t i = 0; i < CS_PHASES; i++)
		peer->pair[i].used = false;
	if (peer->node) {
		id = peer->node->held->record->svid->spiffe_id;
		holder = document_digest("", id, strlen(id)).k0;
		r = put_pairs(look, peer, keys);
		if (r < 0)
			return r;
		keys->send_phase = send_phase(look, peer->node->held->record);
		peer->node->entry.send_phase = keys->send_phase;
		/* What another node of this number once had says nothing about this one. */
		if (peer->holder == holder)
			keys->receive_past = (peer->told.receive_valid | peer->told.receive_past) &
					     ~keys->receive_valid;
		peer->holder = holder;
	} else {
		keys->refusal = peer->claimed ? peer->refusal : CS_REASON_UNKNOWN_NODE;
	}
	for (size_t i = 0; i < CS_PHASES; i++)
		if (!peer->pair[i].used)
			OPENSSL_cleanse(&peer->pair[i], sizeof(peer->pair[i]));
	return 0;
}

/* 0, or what @fn returned: then it is told again the next time. */
static int tell(const struct look *look, struct peer *peer, bool all, node_keys_fn fn, void *arg)
{
	struct cs_node_keys keys = { 0 };
	int r = keys_of(look, peer, &keys);

	if (r == 0 && (all || !peer->was_told || memcmp(&keys, &peer->told, sizeof(keys)) != 0)) {
		r = fn(arg, &keys);
		if (r == 0) {
			peer->told = keys;
			peer->was_told = true;
		}
	}
	OPENSSL_cleanse(&keys, sizeof(keys));
	return r;
}

int node_table_keys(struct node_table *table, const struct key_ring *ring, int64_t now_ms, bool all,
		    node_keys_fn fn, void *arg)
{
	struct look look = {
		.table = table,
		.ring = ring,
		.now_ms = now_ms,
		.sending = key_ring_sending(ring, now_ms),
	};

	look.n_own = key_ring_public(ring, look.own);
	for (size_t i = 1; i < NODE_NUMBERS; i++) {
		struct peer *peer = table->peer[i];
		int r;

		if (!peer || i == table->own_number)
			continue;
		/* Gone, and nobody was ever told of it. */
		r = peer->claimed || peer->was_told ? tell(&look, peer, all, fn, arg) : 0;
		if (r != 0)
			return r;
		if (!peer->claimed)
			node_table_drop_peer(table, i);
	}
	return 0;
}
