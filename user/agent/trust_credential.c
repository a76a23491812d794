/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own SVID, and the bundles that others are judged by. */
#include "user/agent/trust_internal.h"

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/quote.h"
#include "user/credential/secret.h"
#include "user/source/node_identities.h"

#define KEPT_NAME "certificate.pem"

int trust_open_credential(struct agent *agent)
{
	const struct agent_options *options = agent->options;
	_cleanup_free_ char *kept = path_join(options->state, KEPT_NAME);
	const struct credential_options wanted = {
		.trust_domain = options->trust_domain,
		.node_name = agent->node_name,
		.key_uri = options->credential_key,
		.key_provider = options->credential_provider,
		.svid_lifetime_s = options->svid_lifetime_s,
		.kube = agent->kube,
		.trust_bundle = options->trust_bundle,
		.kept = kept,
	};
	struct credential_error error = { "" };
	int r;

	if (!kept)
		return -ENOMEM;
	r = secret_init(&error);
	if (r == 0)
		r = credential_source_new(options->credential, &wanted, &agent->trust->source,
					  &error);
	if (r < 0) {
		_cleanup_free_ char *text = quote(error.text);

		log_error("cannot open the source of the node's credential",
			  "credential=\"%s\" error=\"%s\"", options->credential, text ?: "");
	}
	return r;
}

/* ---- bundles ---- */

/* "<trust domain>.json" of the path. The caller's; NULL: not called so. */
static char *domain_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return dot && streq(dot, ".json") ? strndup(name, dot - name) : NULL;
}

static int read_bundle(struct bundles *bundles, const struct source_document *document,
		       struct credential_error *error)
{
	_cleanup_free_ char *domain = domain_of(document->name);
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	int r;

	if (!domain)
		return credential_fail(error, -EINVAL, "%s: is not called <trust domain>.json",
				       document->name);
	r = bundle_from_jwks(domain, document->text, document->length, &bundle, error);
	if (r == 0)
		r = bundles_put(bundles, bundle);
	if (r == 0)
		TAKE_PTR(bundle);
	return r;
}

/* All in one list, the credential's first: a node of our own domain is judged by those. */
static int join(struct trust *trust)
{
	struct bundles all = { 0 };
	const struct bundles *from[] = { &trust->credential.bundles, &trust->federated };

	all.item = calloc(from[0]->n + from[1]->n + 1, sizeof(*all.item));
	if (!all.item)
		return -ENOMEM;
	for (size_t list = 0; list < ARRAY_SIZE(from); list++)
		for (size_t i = 0; i < from[list]->n; i++)
			if (!bundles_find(&all, from[list]->item[i]->trust_domain))
				all.item[all.n++] = from[list]->item[i];
	free(trust->all.item);
	trust->all = all;
	return 0;
}

/* A file that is wrong changes nothing: the bundles that were read last stay. */
int trust_read_bundles(struct agent *agent)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	struct trust *trust = agent->trust;
	struct credential_error error = { "" };
	struct bundles bundles = { 0 };
	int r;

	if (!trust->bundle_files)
		return join(trust);
	r = source_read(trust->bundle_files, &documents);
	if (r < 0)
		credential_fail(&error, r, "%s", source_error(trust->bundle_files));
	for (size_t i = 0; i < documents.n && r == 0; i++)
		r = read_bundle(&bundles, &documents.item[i], &error);
	if (r < 0) {
		_cleanup_free_ char *text = quote(error.text);

		log_error("bundles refused, those read before stay", "error=\"%s\"", text ?: "");
		bundles_done(&bundles);
	} else {
		bundles_done(&trust->federated);
		trust->federated = bundles;
	}
	snprintf(trust->bundles_error, sizeof(trust->bundles_error), "%s", error.text);
	return join(trust);
}

/* ---- the own SVID ---- */

static void log_taken(const struct trust *trust)
{
	const struct svid *svid = trust->credential.svid;
	char until[CLOCK_TEXT_MAX];

	clock_text(svid->not_after_s * NS_PER_S, until);
	log_info("new credential", "spiffe_id=\"%s\" serial=%s not_after=%s bundles=%zu",
		 svid->spiffe_id, svid->serial, until, trust->credential.bundles.n);
}

bool trust_take_credential(struct agent *agent)
{
	struct trust *trust = agent->trust;
	struct credential taken = { 0 };
	struct credential_error before = trust->source->error;
	int r = trust->source->ops->dispatch(trust->source, &taken);

	if (r <= 0) {
		_cleanup_free_ char *text = quote(trust->source->error.text);

		if (*trust->source->error.text && !streq(before.text, trust->source->error.text))
			log_warning("cannot get a credential", "error=\"%s\" effect=\"%s\"",
				    text ?: "",
				    trust->credential.svid ? "the present one stays"
							   : "no tags for other nodes");
		return false;
	}
	credential_done(&trust->credential);
	trust->credential = taken;
	log_taken(trust);
	if (join(trust) < 0)
		log_error("cannot use the new bundles", "error=\"%s\"", strerror(ENOMEM));
	return true;
}

/* At which age of an SVID, in tenths of a percent of its lifetime, what is said. */
static const struct {
	int64_t permille;
	enum trust_age age;
	const char *text;
} ages[] = {
	{ 667, TRUST_AGE_TWO_THIRDS, "two thirds of its lifetime are over" },
	{ 900, TRUST_AGE_NINE_TENTHS, "nine tenths of its lifetime are over" },
	{ 1000, TRUST_AGE_EXPIRED, "it has expired: no tags for other nodes" },
};

static int64_t age_ms(const struct svid *svid, size_t i)
{
	int64_t lifetime_s = svid->not_after_s - svid->not_before_s;

	return svid->not_before_s * 1000 + lifetime_s * ages[i].permille;
}

static bool is_revoked(const struct trust *trust, const char *name)
{
	const struct svid *svid = trust->credential.svid;
	struct revocations revoked;
	struct node_trust by = trust_judge_by(trust, &revoked);

	for (size_t i = 0; i < by.revocations->n_nodes; i++)
		if (streq(by.revocations->nodes[i], name))
			return true;
	for (size_t i = 0; i < by.revocations->n_serials; i++)
		if (streq(by.revocations->serials[i], svid->serial))
			return true;
	for (size_t i = 0; i < by.revocations->n_spiffe_ids; i++)
		if (streq(by.revocations->spiffe_ids[i], svid->spiffe_id))
			return true;
	return false;
}

static void say_age(const struct trust *trust, size_t i)
{
	_cleanup_free_ char *error = quote(trust->source->error.text);
	char until[CLOCK_TEXT_MAX];

	clock_text(trust->credential.svid->not_after_s * NS_PER_S, until);
	log_warning("the node's certificate was not renewed",
		    "serial=%s not_after=%s state=\"%s\" source_error=\"%s\"",
		    trust->credential.svid->serial, until, ages[i].text, error ?: "");
}

bool trust_judge_own(struct agent *agent)
{
	struct trust *trust = agent->trust;
	const struct svid *svid = trust->credential.svid;
	enum trust_age age = svid ? TRUST_AGE_FRESH : TRUST_AGE_NONE;
	bool muted;

	for (size_t i = 0; svid && i < ARRAY_SIZE(ages); i++) {
		if (trust_now_ms() < age_ms(svid, i))
			break;
		age = ages[i].age;
		if (age > trust->age)
			say_age(trust, i);
	}
	trust->age = age;
	muted = !svid || age == TRUST_AGE_EXPIRED || is_revoked(trust, agent->node_name);
	if (muted && !trust->muted && svid && age != TRUST_AGE_EXPIRED)
		log_error("this node is revoked", "effect=\"no tags for other nodes\"");
	if (muted == trust->muted)
		return false;
	trust->muted = muted;
	return true;
}

int64_t trust_own_due_ms(const struct trust *trust)
{
	const struct svid *svid = trust->credential.svid;
	int64_t now_ms = trust->looked_ms; /* see wind_timer() */

	for (size_t i = 0; svid && i < ARRAY_SIZE(ages); i++)
		if (age_ms(svid, i) > now_ms)
			return age_ms(svid, i);
	return INT64_MAX;
}

void trust_add_problems(json_t *list, const struct agent *agent)
{
	const struct trust *trust = agent->trust;

	if (!trust)
		return;
	if (!trust->credential.svid)
		json_array_append_new(list, json_sprintf("no credential: %s",
							 *trust->source->error.text
								 ? trust->source->error.text
								 : "waiting for the first"));
	else if (trust->age == TRUST_AGE_EXPIRED)
		json_array_append_new(list, json_sprintf("the node's certificate has expired: %s",
							 trust->source->error.text));
	else if (trust->muted)
		json_array_append_new(list, json_string("this node is revoked"));
	if (*trust->publish_error)
		json_array_append_new(list, json_sprintf("cannot publish the node's record: %s",
							 trust->publish_error));
	if (*trust->records_error)
		json_array_append_new(list, json_sprintf("cannot read the node records: %s",
							 trust->records_error));
}

void trust_add_warnings(json_t *list, const struct agent *agent)
{
	const struct trust *trust = agent->trust;
	size_t refused = 0;

	if (!trust)
		return;
	for (size_t i = 0; i < node_table_size(trust->table); i++)
		refused += node_table_entry(trust->table, i)->flaw != NODE_FLAW_NONE;
	if (refused)
		json_array_append_new(list, json_sprintf("%zu node records are refused: see "
							 "`countersign nodes`",
							 refused));
	if (trust->in_cluster && *source_node_identities_trouble(trust->records))
		json_array_append_new(list,
				      json_sprintf("node records: %s",
						   source_node_identities_trouble(trust->records)));
	if (*trust->bundles_error)
		json_array_append_new(list,
				      json_sprintf("bundles refused: %s", trust->bundles_error));
	if (trust->age == TRUST_AGE_TWO_THIRDS || trust->age == TRUST_AGE_NINE_TENTHS)
		json_array_append_new(list, json_sprintf("the node's certificate should have been "
							 "renewed: %s",
							 trust->source->error.text));
}
