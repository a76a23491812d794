/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as text, as JSON, and as SARIF for code review. */
#include "user/cli/policy_check.h"

#define SARIF_SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"
#define INFORMATION "https://countersign.dev"
#define HELP_PAGE INFORMATION "/policy-codes#" /* docs/policy-codes.md, and a code */
#define FINGERPRINT_MAX 40
#define SARIF_TEXT_MAX 512 /* bytes of a code's help; all are far shorter */

#ifndef COUNTERSIGN_VERSION
#error "the Makefile defines COUNTERSIGN_VERSION"
#endif

int put_json(const struct cli *cli, json_t *json)
{
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

	json_decref(json);
	if (!text) {
		fprintf(cli->err, "countersign: out of memory\n");
		return CLI_FAILED;
	}
	fprintf(cli->out, "%s\n", text);
	return CLI_OK;
}

static void put_place(FILE *out, const char *file, unsigned int line)
{
	cli_put(out, file);
	if (line)
		fprintf(out, ":%u", line);
}

static void put_finding(FILE *out, const struct finding *finding)
{
	const struct lint_info *info = &lint_infos[finding->code];

	put_place(out, finding->file, finding->line);
	fprintf(out, "%s%s %s: ", *finding->file ? ": " : "", lint_severity_name(info->severity),
		info->code);
	cli_put(out, finding->object);
	fputs(*finding->object ? ": " : "", out);
	cli_put(out, finding->message);
	if (finding->related_file) {
		fputs(" (", out);
		put_place(out, finding->related_file, finding->related_line);
		fputc(')', out);
	}
	fprintf(out, "\n    %s. To do: %s.\n", info->why, info->remedy);
}

void findings_put_text(const struct cli *cli, const struct findings *findings)
{
	const size_t *count = findings->count;

	for (size_t i = 0; i < findings->n; i++)
		put_finding(cli->out, &findings->item[i]);
	if (findings->left_out)
		fprintf(cli->out, "and %zu more\n", findings->left_out);
	fprintf(cli->out, "%zu error%s, %zu warning%s, %zu info\n", count[LINT_ERROR],
		count[LINT_ERROR] == 1 ? "" : "s", count[LINT_WARNING],
		count[LINT_WARNING] == 1 ? "" : "s", count[LINT_INFO]);
}

json_t *lint_info_json(const struct lint_info *info)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", info->code, "severity",
			 lint_severity_name(info->severity), "title", info->title, "why", info->why,
			 "remedy", info->remedy);
}

static json_t *finding_json(const struct finding *finding)
{
	const struct lint_info *info = &lint_infos[finding->code];
	json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "code",
				 info->code, "severity", lint_severity_name(info->severity), "file",
				 finding->file, "line", (int)finding->line, "object",
				 finding->object, "title", info->title, "message", finding->message,
				 "why", info->why, "remedy", info->remedy);

	if (json && finding->related_file)
		json_object_set_new(json, "related",
				    json_pack("{s:s, s:i}", "file", finding->related_file, "line",
					      (int)finding->related_line));
	return json;
}

static json_t *counts_json(const struct findings *findings)
{
	json_t *counts = json_object();

	for (size_t s = 0; counts && s < LINT_SEVERITIES; s++)
		json_object_set_new(counts, lint_severity_name(s),
				    json_integer((json_int_t)findings->count[s]));
	return counts;
}

json_t *findings_json(const struct findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < findings->n; i++)
		json_array_append_new(list, finding_json(&findings->item[i]));
	return json_pack("{s:o, s:o, s:I}", "findings", list, "counts", counts_json(findings),
			 "left_out", (json_int_t)findings->left_out);
}

static const char *sarif_level(enum lint_severity severity)
{
	static const char *const levels[LINT_SEVERITIES] = {
		[LINT_INFO] = "note",
		[LINT_WARNING] = "warning",
		[LINT_ERROR] = "error",
	};

	return levels[severity];
}

static json_t *sarif_rule(const struct lint_info *info)
{
	char help[SARIF_TEXT_MAX], page[SARIF_TEXT_MAX];

	snprintf(help, sizeof(help), "%s. To do: %s.", info->why, info->remedy);
	snprintf(page, sizeof(page), "%s%s", HELP_PAGE, info->code);
	return json_pack("{s:s, s:s, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}", "id", info->code,
			 "helpUri", page, "shortDescription", "text", info->title,
			 "fullDescription", "text", info->why, "help", "text", help,
			 "defaultConfiguration", "level", sarif_level(info->severity));
}

static json_t *sarif_rules(void)
{
	json_t *rules = json_array();

	for (size_t i = 0; rules && i < LINT_CODES_MAX; i++)
		json_array_append_new(rules, sarif_rule(&lint_infos[i]));
	return rules;
}

/* A path as a URI reference: RFC 3986 leaves these bytes as they are. */
static char *uri_of(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~/";
	char *uri = malloc(3 * strlen(path) + 1), *to = uri;

	while (startswith(path, "./"))
		path += 2;
	for (; uri && *path; path++)
		to += sprintf(to, strchr(plain, *path) ? "%c" : "%%%02X", (unsigned char)*path);
	if (uri)
		*to = '\0';
	return uri;
}

/* Nothing is said of the place when the finding is about no file. */
static json_t *sarif_location(const char *file, unsigned int line)
{
	_cleanup_free_ char *uri = uri_of(file);
	json_t *place = json_pack("{s:{s:s}}", "artifactLocation", "uri", uri ?: "");

	if (place && line)
		json_object_set_new(place, "region", json_pack("{s:i}", "startLine", (int)line));
	return json_pack("{s:o}", "physicalLocation", place);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	/* FNV-1a: stable for ever, and nobody gains by a collision. */
	for (size_t i = 0; i <= strlen(text); i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
	return hash;
}

static bool is_alike(const struct finding *a, const struct finding *b)
{
	return a->code == b->code && streq(a->file, b->file) && streq(a->object, b->object);
}

/* Of what stays the same when lines move: code, file, object, and the how-manyeth it is. */
static void fingerprint(const struct findings *findings, size_t n, char ret[static FINGERPRINT_MAX])
{
	const struct finding *finding = &findings->item[n];
	uint64_t hash = 0xcbf29ce484222325;
	unsigned int alike = 1;

	for (size_t i = 0; i < n; i++)
		alike += is_alike(&findings->item[i], finding);
	hash = hash_text(hash, lint_infos[finding->code].code);
	hash = hash_text(hash, finding->file);
	hash = hash_text(hash, finding->object);
	snprintf(ret, FINGERPRINT_MAX, "%016llx:%u", (unsigned long long)hash, alike);
}

static json_t *sarif_message(const struct finding *finding)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "%s%s%s", finding->object, *finding->object ? ": " : "",
		     finding->message) < 0) {
		text = NULL;
		return NULL;
	}
	return json_pack("{s:s}", "text", text);
}

static json_t *sarif_result(const struct findings *findings, size_t n)
{
	const struct finding *finding = &findings->item[n];
	const struct lint_info *info = &lint_infos[finding->code];
	char print[FINGERPRINT_MAX];
	json_t *result;

	fingerprint(findings, n, print);
	result = json_pack("{s:s, s:i, s:s, s:o, s:{s:s}}", "ruleId", info->code, "ruleIndex",
			   (int)finding->code, "level", sarif_level(info->severity), "message",
			   sarif_message(finding), "partialFingerprints", "countersign/v1", print);
	if (result && *finding->file)
		json_object_set_new(result, "locations",
				    json_pack("[o]", sarif_location(finding->file, finding->line)));
	if (result && finding->related_file)
		json_object_set_new(result, "relatedLocations",
				    json_pack("[o]", sarif_location(finding->related_file,
								    finding->related_line)));
	return result;
}

json_t *findings_sarif(const struct findings *findings)
{
	json_t *results = json_array();

	for (size_t i = 0; results && i < findings->n; i++)
		json_array_append_new(results, sarif_result(findings, i));
	return json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:s, s:o}}, s:s, s:o}]}", "$schema",
			 SARIF_SCHEMA, "version", "2.1.0", "runs", "tool", "driver", "name",
			 "countersign", "version", COUNTERSIGN_VERSION, "informationUri",
			 INFORMATION, "rules", sarif_rules(), "columnKind", "utf16CodeUnits",
			 "results", results);
}
