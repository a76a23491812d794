/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/client.h"
#include "user/cli/parse.h"
#include "user/cli/table.h"

enum { CREDENTIALS_OUTPUT };

static const struct cli_option options[] = {
	[CREDENTIALS_OUTPUT] = { "output", 'o', "FORMAT", "text (default) or json" },
};

static void field(const struct cli *cli, const char *title, const char *text)
{
	if (!*text)
		return;
	fprintf(cli->out, "%-12s ", title);
	cli_put(cli->out, text);
	fputc('\n', cli->out);
}

static void print_svid(const struct cli *cli, const json_t *svid)
{
	field(cli, "SPIFFE ID", client_text(svid, "spiffe_id"));
	field(cli, "Serial", client_text(svid, "serial"));
	field(cli, "Issuer", client_text(svid, "issuer"));
	field(cli, "Not before", client_text(svid, "not_before"));
	field(cli, "Not after", client_text(svid, "not_after"));
	field(cli, "Renewal", client_text(svid, "renewal"));
}

static void print_keys(const struct cli *cli, const json_t *keys)
{
	static const char *const titles[] = { "KEY", "PARITY", "SENDS", "ACTIVE", "NOT AFTER" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *key;
	size_t i;

	if (!table || !json_array_size(keys))
		return;
	json_array_foreach(keys, i, key) {
		char public[17], parity[8];

		snprintf(public, sizeof(public), "%s", client_text(key, "public_key"));
		snprintf(parity, sizeof(parity), "%d", (int)client_number(key, "parity"));
		table_row(table,
			  (const char *const[]){
				  public, parity,
				  json_is_true(json_object_get(key, "sends")) ? "yes" : "no",
				  client_text(key, "active"), client_text(key, "not_after") });
	}
	fputc('\n', cli->out);
	table_print(table, cli->out);
}

static void print_bundles(const struct cli *cli, const json_t *bundles)
{
	static const char *const titles[] = { "TRUST DOMAIN", "AUTHORITY", "NOT AFTER", "CRLS",
					      "NODE NUMBERS" };
	_cleanup_(table_freep) struct table *table = table_new(titles, ARRAY_SIZE(titles));
	const json_t *bundle, *authority;
	size_t i, j;

	if (!table || !json_array_size(bundles))
		return;
	json_array_foreach(bundles, i, bundle) {
		char crls[24];

		snprintf(crls, sizeof(crls), "%d", (int)client_number(bundle, "revocation_lists"));
		json_array_foreach(json_object_get(bundle, "authorities"), j, authority) {
			table_row(table,
				  (const char *const[]){ client_text(bundle, "trust_domain"),
							 client_text(authority, "subject"),
							 client_text(authority, "not_after"), crls,
							 client_text(bundle, "node_numbers") });
		}
	}
	fputc('\n', cli->out);
	table_print(table, cli->out);
}

static int print_text(const struct cli *cli, const json_t *answer, void *arg)
{
	bool *valid = arg;

	*valid = json_is_true(json_object_get(answer, "tags"));
	fprintf(cli->out, "%-12s ", "Node");
	cli_put(cli->out, client_text(answer, "node"));
	fprintf(cli->out, " (number %d)\n", (int)client_number(answer, "number"));
	field(cli, "Source", client_text(answer, "source"));
	field(cli, "State", client_text(answer, "state"));
	field(cli, "Error", client_text(answer, "source_error"));
	print_svid(cli, json_object_get(answer, "svid"));
	print_keys(cli, json_object_get(answer, "keys"));
	print_bundles(cli, json_object_get(answer, "bundles"));
	return CLI_OK;
}

static int print_json(const struct cli *cli, const json_t *answer, void *arg)
{
	_cleanup_free_ char *text = json_dumps(answer, JSON_INDENT(2));
	bool *valid = arg;

	*valid = json_is_true(json_object_get(answer, "tags"));
	if (!text)
		return CLI_FAILED;
	fprintf(cli->out, "%s\n", text);
	return CLI_OK;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	json_auto_t *body = json_pack("{s:s}", "verb", "credentials");
	bool json, valid = false;
	struct client_request request = { .body = body, .arg = &valid };
	int r;

	if (parse_format(args->value[CREDENTIALS_OUTPUT], "text", &json) < 0)
		return cli_usage_error(cli, &verb_credentials, "-o wants text or json");
	request.reply = json ? print_json : print_text;
	r = client_call(cli, &request);
	return r == CLI_OK && !valid ? CLI_FAILED : r;
}

const struct cli_verb verb_credentials = {
	.name = "credentials",
	.arguments = "",
	.description = "show what this node proves itself with and whom it trusts; exit code 1 "
		       "when it has no good credential",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.asks_agent = true,
	.run = run,
};
