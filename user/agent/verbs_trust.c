/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"verb":"credentials"}: what this node holds and trusts. {"verb":"nodes"}: the records of
 * all nodes, a line each behind {"nodes":N,"refused":N}. Neither tells a secret.
 */
#include "user/agent/json_text.h"
#include "user/agent/list_stream.h"
#include "user/agent/trust_internal.h"
#include "user/agent/verbs.h"
#include "user/base/clock.h"
#include "user/base/hex.h"

#define SUBJECT_MAX 256 /* bytes of a subject that are shown */

static void set_time_ms(json_t *object, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	if (!ms)
		return;
	clock_text(ms * 1000000, text);
	json_object_set_new(object, key, json_string(text));
}

static json_t *public_key(const struct node_key *key)
{
	char hex[2 * NODE_KEY_BYTES + 1];
	json_t *object;

	hex_write(key->public_key, NODE_KEY_BYTES, hex);
	object = json_pack("{s:i, s:s}", "parity", key->parity, "public_key", hex);
	set_time_ms(object, "not_before", key->not_before_ms);
	set_time_ms(object, "active", key->active_ms);
	set_time_ms(object, "not_after", key->not_after_ms);
	return object;
}

/* ---- credentials ---- */

static json_t *svid_json(const struct trust *trust)
{
	const struct svid *svid = trust->credential.svid;
	json_t *object;

	if (!svid)
		return json_null();
	object = json_pack("{s:s, s:s, s:o, s:i}", "spiffe_id", svid->spiffe_id, "serial",
			   svid->serial, "issuer", json_text(svid->issuer), "chain",
			   1 + sk_X509_num(svid->intermediates));
	set_time_ms(object, "not_before", svid->not_before_s * 1000);
	set_time_ms(object, "not_after", svid->not_after_s * 1000);
	set_time_ms(object, "renewal", trust->credential.renew_s * 1000);
	return object;
}

static json_t *authority(const X509 *x509)
{
	char subject[SUBJECT_MAX] = "";
	int64_t not_after_s = 0;
	json_t *object;

	X509_NAME_oneline(X509_get_subject_name(x509), subject, sizeof(subject));
	object = json_pack("{s:o}", "subject", json_text(subject));
	if (x509_time(X509_get0_notAfter(x509), &not_after_s) == 0)
		set_time_ms(object, "not_after", not_after_s * 1000);
	return object;
}

static json_t *bundle_json(const struct bundle *bundle)
{
	json_t *list = json_array(), *object;

	for (int i = 0; i < sk_X509_num(bundle->authorities); i++)
		json_array_append_new(list, authority(sk_X509_value(bundle->authorities, i)));
	object = json_pack("{s:s, s:o, s:i}", "trust_domain", bundle->trust_domain, "authorities",
			   list, "revocation_lists", sk_X509_CRL_num(bundle->crls));
	if (bundle->node_last)
		json_object_set_new(object, "node_numbers",
				    json_sprintf("%u-%u", bundle->node_first, bundle->node_last));
	return object;
}

static json_t *bundles_json(const struct trust *trust)
{
	json_t *list = json_array();

	for (size_t i = 0; i < trust->all.n; i++)
		json_array_append_new(list, bundle_json(trust->all.item[i]));
	return list;
}

static json_t *own_keys(const struct trust *trust)
{
	struct node_key key[NODE_KEYS_MAX];
	size_t n = key_ring_public(trust->ring, key);
	uint8_t sending = key_ring_sending(trust->ring, trust_now_ms());
	json_t *list = json_array(), *object;

	for (size_t i = 0; i < n; i++) {
		object = public_key(&key[i]);
		json_object_set_new(object, "sends", json_boolean(key[i].parity == sending));
		json_array_append_new(list, object);
	}
	return list;
}

static const char *state_of(const struct trust *trust)
{
	static const char *const states[] = {
		[TRUST_AGE_NONE] = "none",	 [TRUST_AGE_FRESH] = "valid",
		[TRUST_AGE_TWO_THIRDS] = "due",	 [TRUST_AGE_NINE_TENTHS] = "overdue",
		[TRUST_AGE_EXPIRED] = "expired",
	};

	return trust->muted && trust->age > TRUST_AGE_NONE && trust->age < TRUST_AGE_EXPIRED
		       ? "revoked"
		       : states[trust->age];
}

void serve_credentials(struct agent *agent, struct client *client, const json_t *request)
{
	const struct trust *trust = agent->trust;
	json_t *object;

	(void)request;
	if (!trust) {
		client_error(client, TRUST_OFF);
		return;
	}
	object = json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:b}", "source",
			   agent->options->credential, "node", agent->node_name, "number",
			   agent->number, "state", state_of(trust), "svid", svid_json(trust),
			   "bundles", bundles_json(trust), "keys", own_keys(trust), "tags",
			   !trust->muted);
	if (*trust->source->error.text)
		json_object_set_new(object, "source_error", json_text(trust->source->error.text));
	client_line(client, object);
}

/* ---- nodes ---- */

static json_t *keys_of(const struct node_record *record)
{
	json_t *list = json_array();

	for (size_t i = 0; i < record->n_keys; i++)
		json_array_append_new(list, public_key(&record->key[i]));
	return list;
}

static void add_record(json_t *object, const struct node_record *record)
{
	json_object_set_new(object, "name", json_text(record->name));
	json_object_set_new(object, "trust_domain", json_text(record->trust_domain));
	set_time_ms(object, "issued", record->issued_ms);
	json_object_set_new(object, "keys", keys_of(record));
	if (!record->svid)
		return;
	json_object_set_new(object, "serial", json_string(record->svid->serial));
	set_time_ms(object, "certificate_not_after", record->svid->not_after_s * 1000);
}

static json_t *node_json(const struct agent *agent, const struct node_entry *entry)
{
	bool own = entry->record && entry->number == agent->number &&
		   streq(entry->record->name, agent->node_name);
	bool refused = entry->flaw != NODE_FLAW_NONE;
	json_t *object;

	object = json_pack("{s:i, s:o, s:s}", "number", entry->number, "file",
			   json_text(entry->file), "state",
			   refused ? "refused"
			   : own   ? "this node"
				   : "accepted");
	if (entry->record)
		add_record(object, entry->record);
	if (!own && !refused) {
		json_object_set_new(object, "send_phase", json_integer(entry->send_phase));
		set_time_ms(object, "accepted", entry->accepted_ms);
	}
	if (!refused)
		return object;
	json_object_set_new(object, "reason", json_string(node_flaw_name(entry->flaw)));
	json_object_set_new(object, "reason_text", json_string(node_flaw_text(entry->flaw)));
	json_object_set_new(object, "remedy", json_string(node_flaw_remedy(entry->flaw)));
	json_object_set_new(object, "detail", json_text(entry->detail ?: ""));
	return object;
}

void serve_nodes(struct agent *agent, struct client *client, const json_t *request)
{
	const struct trust *trust = agent->trust;
	json_t *list = json_array();
	size_t refused = 0;

	(void)request;
	if (!trust) {
		json_decref(list);
		client_error(client, TRUST_OFF);
		return;
	}
	for (size_t i = 0; i < node_table_size(trust->table); i++) {
		const struct node_entry *entry = node_table_entry(trust->table, i);

		refused += entry->flaw != NODE_FLAW_NONE;
		json_array_append_new(list, node_json(agent, entry));
	}
	list_stream_send(client,
			 json_pack("{s:I, s:I}", "nodes", (json_int_t)json_array_size(list),
				   "refused", (json_int_t)refused),
			 list);
}
