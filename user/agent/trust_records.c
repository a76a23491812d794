/* SPDX-License-Identifier: Apache-2.0 */
/* Records of nodes: ours, which is written, and the others', which are read. */
#include "user/agent/trust_internal.h"

#include <openssl/crypto.h>

#include "user/agent/kube_tell.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/quote.h"
#include "user/source/node_identities.h"

/* ---- ours ---- */

#define KEPT_NAME "nodes.kept"

static void publish_failed(struct trust *trust, const char *error)
{
	if (*error && !streq(error, trust->publish_error)) {
		_cleanup_free_ char *text = quote(error);

		log_error("cannot publish the node's record", "error=\"%s\"", text ?: "");
	} else if (!*error && *trust->publish_error) {
		log_info("published the node's record", "after=failures");
	}
	snprintf(trust->publish_error, sizeof(trust->publish_error), "%s", error);
}

static void on_published(void *arg, const char *error)
{
	struct agent *agent = arg;
	struct trust *trust = agent->trust;

	publish_failed(trust, error ?: "");
	if (!error)
		trust->told[1] = trust->told[0];
}

bool trust_is_told(const struct trust *trust)
{
	struct node_key key[NODE_KEYS_MAX];

	return key_ring_public(trust->ring, key) == 0 ||
	       memcmp(key[0].public_key, trust->told[1].public_key, NODE_KEY_BYTES) == 0;
}

static int open_cluster(struct agent *agent)
{
	_cleanup_free_ char *file = path_join(agent->options->state, KEPT_NAME);
	const struct source_node_identities_options options = { agent->kube, file };
	struct trust *trust = agent->trust;
	int r = file ? source_node_identities_new(&options, &trust->records) : -ENOMEM;

	trust->in_cluster = true;
	return r < 0 ? r
		     : publisher_kube_new(agent->kube, agent->number, on_published, agent,
					  &trust->publisher);
}

int trust_open_records(struct agent *agent)
{
	const char *path = agent->options->nodes;
	struct trust *trust = agent->trust;
	int r;

	if (streq(path, OPTIONS_NODES_KUBERNETES))
		return open_cluster(agent);
	r = source_directory_new(path, &trust->records);
	return r < 0 ? r : publisher_file_new(path, agent->number, &trust->publisher);
}

/* The number may be another node's already: then theirs stays. */
static int check_number(const struct agent *agent, struct credential_error *error)
{
	const struct trust *trust = agent->trust;

	for (size_t i = 0; i < node_table_size(trust->table); i++) {
		const struct node_entry *entry = node_table_entry(trust->table, i);

		if (entry->flaw == NODE_FLAW_OWN_NUMBER && entry->record)
			return credential_fail(error, -EEXIST,
					       "node %s has number %u in %s: give this node "
					       "another one with --node",
					       entry->record->name, entry->number, entry->file);
	}
	return 0;
}

/* Of our record that is out there: by this agent or, when it has just started, by one before. */
static int64_t last_issued_ms(const struct agent *agent)
{
	const struct trust *trust = agent->trust;
	int64_t last_ms = trust->issued_ms;

	for (size_t i = 0; i < node_table_size(trust->table); i++) {
		const struct node_entry *entry = node_table_entry(trust->table, i);

		if (entry->record && entry->in_force && entry->number == agent->number)
			last_ms = MAX(last_ms, entry->record->issued_ms);
	}
	return last_ms;
}

static int make_record(struct agent *agent, char **ret, struct credential_error *error)
{
	_cleanup_(node_record_freep) struct node_record *record = calloc(1, sizeof(*record));
	struct trust *trust = agent->trust;
	int r;

	if (!record)
		return -ENOMEM;
	record->trust_domain = strdup(agent->options->trust_domain);
	snprintf(record->name, sizeof(record->name), "%s", agent->node_name);
	record->number = agent->number;
	record->issued_ms = node_record_issue_ms(last_issued_ms(agent), trust_now_ms());
	record->n_keys = key_ring_public(trust->ring, record->key);
	if (!record->trust_domain)
		return -ENOMEM;
	r = node_record_sign(record, trust->credential.svid, error);
	if (r < 0)
		return r;
	*ret = node_record_format(record);
	trust->issued_ms = record->issued_ms;
	trust->told[0] = record->key[0];
	return *ret ? 0 : -ENOMEM;
}

void trust_publish(struct agent *agent)
{
	_cleanup_free_ char *text = NULL;
	struct credential_error error = { "" };
	struct trust *trust = agent->trust;
	int r;

	/* Neither is there a key for one that an agent before this one left; a new one comes. */
	if (!trust->credential.svid || !trust->credential.svid->key)
		return; /* said as a problem of its own */
	r = check_number(agent, &error);
	if (r == 0)
		r = make_record(agent, &text, &error);
	if (r == 0)
		r = publisher_put(trust->publisher, text, &error);
	if (r < 0 && !*error.text)
		credential_fail(&error, r, "%s", strerror(-r));
	log_debug("publishes the node's record", "number=%u result=%d", agent->number, r);
	if (r == 0)
		on_published(agent, NULL);
	else if (r < 0)
		publish_failed(trust, error.text);
}

void trust_publish_if_gone(struct agent *agent)
{
	struct trust *trust = agent->trust;

	if (!trust->credential.svid || !trust_is_told(trust))
		return;
	for (size_t i = 0; i < node_table_size(trust->table); i++)
		if (node_table_entry(trust->table, i)->number == agent->number)
			return;
	log_warning("the node's record is gone, it is published again", "number=%u", agent->number);
	trust_publish(agent);
}

/* ---- the others' ---- */

struct node_trust trust_judge_by(const struct trust *trust, struct revocations *ret_revocations)
{
	const struct image *image = trust->image;

	*ret_revocations = (struct revocations){ 0 };
	if (image)
		*ret_revocations = (struct revocations){
			.nodes = image->revocations.nodes,
			.n_nodes = image->revocations.n_nodes,
			.serials = image->revocations.serials,
			.n_serials = image->revocations.n_serials,
			.spiffe_ids = image->revocations.spiffe_ids,
			.n_spiffe_ids = image->revocations.n_spiffe_ids,
		};
	return (struct node_trust){
		.bundles = &trust->all,
		.revocations = ret_revocations,
		.now_ms = trust_now_ms(),
		.skew_ms = NODE_SKEW_MS,
	};
}

static int give_documents(struct trust *trust, const struct source_documents *documents)
{
	_cleanup_free_ struct node_document *list = calloc(documents->n + 1, sizeof(*list));
	struct revocations revoked;
	struct node_trust by = trust_judge_by(trust, &revoked);

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < documents->n; i++)
		list[i] = (struct node_document){ .name = documents->item[i].name,
						  .text = documents->item[i].text,
						  .length = documents->item[i].length,
						  .digest = documents->item[i].digest };
	return node_table_read(trust->table, list, documents->n, &by);
}

/* What is out there by an agent before this one counts as told. */
static void note_told(struct agent *agent)
{
	struct trust *trust = agent->trust;
	struct node_key key[NODE_KEYS_MAX];

	for (size_t i = 0; i < node_table_size(trust->table); i++) {
		const struct node_entry *entry = node_table_entry(trust->table, i);

		if (entry->in_force && entry->number == agent->number &&
		    key_ring_public(trust->ring, key) > 0 &&
		    memcmp(entry->record->key[0].public_key, key[0].public_key, NODE_KEY_BYTES) ==
			    0)
			trust->told[1] = key[0];
	}
}

static void say_unread(int r, const struct credential_error *error)
{
	_cleanup_free_ char *text = quote(error->text);

	if (r == -EAGAIN)
		log_info("waits for the node records", "why=\"%s\"", text ?: "");
	else
		log_error("cannot read the node records, those read before stay", "error=\"%s\"",
			  text ?: "");
}

/*
 * In a cluster the first credential takes a moment. Before that every record would be refused,
 * and the nodes that an agent before this one knew would be cut off until it comes.
 */
static bool has_anchors(const struct trust *trust)
{
	return trust->all.n || !trust->in_cluster ||
	       clock_ms(CLOCK_BOOTTIME) > trust->begin_ms + TRUST_FIRST_MS;
}

/* A directory that cannot be read changes nothing: the records that were read last stay. */
int trust_read_records(struct agent *agent)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	struct trust *trust = agent->trust;
	struct credential_error error = { "" };
	int r;

	r = has_anchors(trust) ? source_read(trust->records, &documents) : -EAGAIN;
	if (r < 0 && !has_anchors(trust))
		credential_fail(&error, r, "there is no credential to judge them by yet");
	else if (r < 0)
		credential_fail(&error, r, "%s", source_error(trust->records));
	else
		r = give_documents(trust, &documents);
	trust->read |= r == 0;
	note_told(agent);
	if (r < 0 && !*error.text)
		credential_fail(&error, r, "%s", strerror(-r));
	if (*error.text && !streq(error.text, trust->records_error))
		say_unread(r, &error);
	snprintf(trust->records_error, sizeof(trust->records_error), "%s", error.text);
	trust_say_records(agent);
	return r;
}

/* ---- what was said of them ---- */

/* Only by whom it concerns: a collision by the node whose number it is, all else by the leader. */
static void tell_cluster(struct agent *agent, const struct node_entry *entry)
{
	char document[sizeof("NodeIdentity/65535")], message[CREDENTIAL_ERROR_MAX];

	snprintf(document, sizeof(document), "NodeIdentity/%u", entry->number);
	snprintf(message, sizeof(message), "%s%s%s: %s", node_flaw_text(entry->flaw),
		 entry->detail && *entry->detail ? ": " : "", entry->detail ?: "",
		 node_flaw_remedy(entry->flaw));
	if (entry->flaw == NODE_FLAW_OWN_NUMBER)
		kube_tell_event(agent, EVENT_NUMBER_COLLISION, "%s: %s", document, message);
	else if (entry->number && kube_tell_is_leader(agent))
		kube_tell_event_of(agent, EVENT_RECORD_REFUSED, "countersign.dev/v1alpha1",
				   document, "", message);
}

static void say(struct agent *agent, const struct node_entry *entry)
{
	_cleanup_free_ char *detail = quote(entry->detail ?: "");

	if (entry->flaw == NODE_FLAW_NONE) {
		log_info("node record accepted", "node=%u name=\"%s\" file=\"%s\"", entry->number,
			 entry->record ? entry->record->name : "", entry->file);
	} else {
		tell_cluster(agent, entry);
		log_warning("node record refused",
			    "node=%u name=\"%s\" file=\"%s\" reason=%s text=\"%s\" detail=\"%s\" "
			    "remedy=\"%s\"",
			    entry->number, entry->record ? entry->record->name : "", entry->file,
			    node_flaw_name(entry->flaw), node_flaw_text(entry->flaw), detail ?: "",
			    node_flaw_remedy(entry->flaw));
	}
}

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct trust_said *)a)->file, ((const struct trust_said *)b)->file);
}

static void said_free(struct trust_said *said, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(said[i].file);
	free(said);
}

/* Takes the new list; what is in it and not, or otherwise, in the old one is said. */
static void compare(struct agent *agent, struct trust_said *fresh, size_t n)
{
	struct trust *trust = agent->trust;

	for (size_t i = 0; i < n; i++) {
		const struct node_entry *entry = node_table_entry(trust->table, i);
		const struct trust_said *before = trust->n_said ? bsearch(&fresh[i], trust->said,
									  trust->n_said,
									  sizeof(*fresh), by_file)
								: NULL;

		if (!before || before->flaw != entry->flaw)
			say(agent, entry);
	}
	said_free(trust->said, trust->n_said);
	qsort(fresh, n, sizeof(*fresh), by_file);
	trust->said = fresh;
	trust->n_said = n;
}

void trust_say_records(struct agent *agent)
{
	struct trust *trust = agent->trust;
	size_t n = node_table_size(trust->table);
	struct trust_said *fresh = calloc(n + 1, sizeof(*fresh));

	for (size_t i = 0; fresh && i < n; i++) {
		const struct node_entry *entry = node_table_entry(trust->table, i);

		fresh[i] = (struct trust_said){ strdup(entry->file), entry->flaw };
		if (!fresh[i].file) {
			said_free(fresh, i);
			return;
		}
	}
	if (fresh)
		compare(agent, fresh, n);
}

/* ---- into the kernel ---- */

static int collect(void *arg, const struct cs_node_keys *keys)
{
	struct trust *trust = arg;

	if (trust->n_changed == NODE_TABLE_MAX)
		return -ENOSPC;
	trust->changed[trust->n_changed] = *keys;
	if (trust->muted)
		trust->changed[trust->n_changed].send_valid = 0;
	trust->n_changed++;
	return 0;
}

static bool is_listed(void *arg, uint16_t number)
{
	const uint8_t *listed = arg;

	return listed[number];
}

/* Nodes whose records are gone leave the kernel's tables, those of an earlier agent too. */
static int drop_others(struct agent *agent)
{
	_cleanup_free_ uint8_t *listed = calloc(UINT16_MAX + 1, 1);
	const struct node_table *table = agent->trust->table;

	/* Before that nobody knows which are gone: they stay as the agent before left them. */
	if (!agent->trust->read)
		return 0;
	if (!listed)
		return -ENOMEM;
	for (size_t i = 0; i < node_table_size(table); i++)
		listed[node_table_entry(table, i)->number] = 1;
	return datapath_keep_nodes(agent->dp, is_listed, listed);
}

int trust_push_keys(struct agent *agent, bool all)
{
	struct trust *trust = agent->trust;
	int r, set = 0, dropped = 0;

	trust->n_changed = 0;
	r = node_table_keys(trust->table, trust->ring, trust_now_ms(), all, collect, trust);
	if (r == 0 && trust->n_changed)
		set = datapath_set_nodes(agent->dp, trust->changed, trust->n_changed);
	if (r == 0)
		dropped = drop_others(agent);
	OPENSSL_cleanse(trust->changed, trust->n_changed * sizeof(*trust->changed));
	r = r < 0 ? r : set < 0 ? set : dropped;
	if (r < 0) {
		log_error("cannot give the kernel the keys of nodes", "error=\"%s\"",
			  r == -ENOMEM ? strerror(ENOMEM) : datapath_error(agent->dp));
		return r;
	}
	return set || dropped;
}
