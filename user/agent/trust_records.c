/* SPDX-License-Identifier: Apache-2.0 */
/* Records of nodes: ours, which is written, and the others', which are read. */
#include "user/agent/trust_internal.h"

#include <fcntl.h>
#include <openssl/crypto.h>

#include "user/base/clock.h"
#include "user/base/file_write.h"
#include "user/base/quote.h"

/* ---- ours ---- */

static int write_file(const char *directory, uint16_t number, const char *text)
{
	_cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[sizeof("65535.json")];

	if (dir < 0)
		return -errno;
	snprintf(name, sizeof(name), "%u.json", number);
	return file_write_at(dir, name, text, strlen(text), 0644, /* fresh= */ false);
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

		if (entry->record && entry->in_force && entry->number == agent->options->node)
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
	record->number = agent->options->node;
	record->issued_ms = node_record_issue_ms(last_issued_ms(agent), trust_now_ms());
	record->n_keys = key_ring_public(trust->ring, record->key);
	if (!record->trust_domain)
		return -ENOMEM;
	r = node_record_sign(record, trust->credential.svid, error);
	if (r < 0)
		return r;
	*ret = node_record_format(record);
	trust->issued_ms = record->issued_ms;
	return *ret ? 0 : -ENOMEM;
}

void trust_publish(struct agent *agent)
{
	_cleanup_free_ char *text = NULL, *quoted = NULL;
	struct credential_error error = { "" };
	struct trust *trust = agent->trust;
	int r = 0;

	if (!trust->credential.svid)
		return; /* said as a problem of its own */
	r = check_number(agent, &error);
	if (r == 0)
		r = make_record(agent, &text, &error);
	if (r == 0)
		r = write_file(agent->options->nodes, agent->options->node, text);
	if (r < 0 && !*error.text)
		credential_fail(&error, r, "%s/%u.json: %s", agent->options->nodes,
				agent->options->node, strerror(-r));
	if (*error.text && !streq(error.text, trust->publish_error)) {
		quoted = quote(error.text);
		log_error("cannot publish the node's record", "error=\"%s\"", quoted ?: "");
	}
	snprintf(trust->publish_error, sizeof(trust->publish_error), "%s", error.text);
	log_debug("published the node's record", "number=%u error=\"%s\"", agent->options->node,
		  *error.text ? "yes" : "");
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
						  .length = documents->item[i].length };
	return node_table_read(trust->table, list, documents->n, &by);
}

/* A directory that cannot be read changes nothing: the records that were read last stay. */
int trust_read_records(struct agent *agent)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	struct trust *trust = agent->trust;
	struct credential_error error = { "" };
	int r;

	r = source_read(trust->records, &documents);
	if (r < 0)
		credential_fail(&error, r, "%s", source_error(trust->records));
	else
		r = give_documents(trust, &documents);
	if (r < 0 && !*error.text)
		credential_fail(&error, r, "%s", strerror(-r));
	if (*error.text && !streq(error.text, trust->records_error)) {
		_cleanup_free_ char *text = quote(error.text);

		log_error("cannot read the node records, those read before stay", "error=\"%s\"",
			  text ?: "");
	}
	snprintf(trust->records_error, sizeof(trust->records_error), "%s", error.text);
	trust_say_records(trust);
	return r;
}

/* ---- what was said of them ---- */

static void say(const struct node_entry *entry)
{
	_cleanup_free_ char *detail = quote(entry->detail ?: "");

	if (entry->flaw == NODE_FLAW_NONE)
		log_info("node record accepted", "node=%u name=\"%s\" file=\"%s\"", entry->number,
			 entry->record ? entry->record->name : "", entry->file);
	else
		log_warning("node record refused",
			    "node=%u name=\"%s\" file=\"%s\" reason=%s text=\"%s\" detail=\"%s\" "
			    "remedy=\"%s\"",
			    entry->number, entry->record ? entry->record->name : "", entry->file,
			    node_flaw_name(entry->flaw), node_flaw_text(entry->flaw), detail ?: "",
			    node_flaw_remedy(entry->flaw));
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
static void compare(struct trust *trust, struct trust_said *fresh, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct node_entry *entry = node_table_entry(trust->table, i);
		const struct trust_said *before = trust->n_said ? bsearch(&fresh[i], trust->said,
									  trust->n_said,
									  sizeof(*fresh), by_file)
								: NULL;

		if (!before || before->flaw != entry->flaw)
			say(entry);
	}
	said_free(trust->said, trust->n_said);
	qsort(fresh, n, sizeof(*fresh), by_file);
	trust->said = fresh;
	trust->n_said = n;
}

void trust_say_records(struct trust *trust)
{
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
		compare(trust, fresh, n);
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
