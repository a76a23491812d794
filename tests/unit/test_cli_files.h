/* SPDX-License-Identifier: Apache-2.0 */
/* Files for verbs that work on files: a directory that lives as long as the test. */
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include "test_cli_server.h"

#define FILES_PATHS_MAX 16

struct files {
	char directory[64];
	char *path[FILES_PATHS_MAX];
	size_t n;
};

static inline void files_init(struct files *f)
{
	memset(f, 0, sizeof(*f));
	strcpy(f->directory, "/tmp/countersign-test-XXXXXX");
	cr_assert_not_null(mkdtemp(f->directory));
}

static inline void files_done(struct files *f)
{
	for (size_t i = f->n; i > 0; i--) {
		cr_assert_eq(remove(f->path[i - 1]), 0, "%s: %m", f->path[i - 1]);
		free(f->path[i - 1]);
	}
	cr_assert_eq(rmdir(f->directory), 0, "%s: %m", f->directory);
}
#define _files_ __attribute__((cleanup(files_done))) struct files

static inline char *files_path(struct files *f, const char *name)
{
	cr_assert_lt(f->n, (size_t)FILES_PATHS_MAX);
	cr_assert(asprintf(&f->path[f->n], "%s/%s", f->directory, name) > 0);
	return f->path[f->n++];
}

/* Its path, which stays valid. */
static inline const char *files_directory(struct files *f, const char *name)
{
	const char *path = files_path(f, name);

	cr_assert_eq(mkdir(path, 0700), 0, "%s: %m", path);
	return path;
}

/* Writes the texts, NULL-terminated, one after the other with "---" between; the path. */
static inline const char *files_write_all(struct files *f, const char *name,
					  const char *const *texts)
{
	const char *path = files_path(f, name);
	FILE *file;

	file = fopen(path, "w");
	cr_assert_not_null(file, "%s: %m", path);
	for (size_t i = 0; texts[i]; i++)
		fprintf(file, "%s%s", i ? "---\n" : "", texts[i]);
	cr_assert_eq(fclose(file), 0);
	return path;
}

#define files_write(f, name, ...) \
	files_write_all(f, name, (const char *const[]){ __VA_ARGS__, NULL })

/* @text with the directory of the test cut out, so that it can be compared. */
static inline void files_hide(const struct files *f, char *text)
{
	size_t n = strlen(f->directory) + 1;

	for (char *at = text; (at = strstr(at, f->directory));)
		memmove(at, at + n, strlen(at + n) + 1);
}

/* The answer as JSON; the test fails when it is none. */
static inline json_t *outcome_json(const struct outcome *o)
{
	json_error_t error;
	json_t *json = json_loads(o->out, JSON_REJECT_DUPLICATES, &error);

	cr_assert_not_null(json, "%s in: %s", error.text, o->out);
	return json;
}

/* A workload of namespace @ns with labels app and, when given, more YAML in the spec. */
#define FILES_WORKLOAD(ns, name, address, more)                                    \
	"apiVersion: countersign.dev/v1alpha1\nkind: Workload\n"                   \
	"metadata: {name: " name ", namespace: " ns ", labels: {app: " name "}}\n" \
	"spec: {serviceAccount: " name ", addresses: [" address "]" more "}\n"

#define FILES_POLICY(name, app, rest)                                  \
	"apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n" \
	"metadata: {name: " name ", namespace: shop}\n"                \
	"spec:\n  subject: {selector: {matchLabels: {app: " app "}}}\n" rest

/* A shop: checkout may call payments by its verified name. report may not. */
#define FILES_SHOP                                                                              \
	FILES_WORKLOAD("shop", "checkout", "10.0.0.1, \"fd00::1\"", "")                         \
	"---\n" FILES_WORKLOAD(                                                                 \
		"shop", "payments", "10.0.0.2, \"fd00::2\"",                                    \
		", ports: [{name: http, port: 8080}]") "---\n" FILES_WORKLOAD("shop", "report", \
									      "10.0.0.3", "")

#define FILES_PAYMENTS                                                     \
	FILES_POLICY("payments", "payments",                               \
		     "  ingress:\n  - name: from-checkout\n"               \
		     "    authentication: Required\n"                      \
		     "    from: [{serviceAccounts: [{name: checkout}]}]\n" \
		     "    ports: [{port: http}]\n")

/* One line as `countersign flows -o json` has it, with the fields that matter. */
#define FILES_FLOW(time, from, from_ip, to, port, direction, auth)                                 \
	"{\"flow\":{\"time\":\"" time "\",\"verdict\":\"FORWARDED\",\"IP\":{\"source\":\"" from_ip \
	"\",\"destination\":\"10.0.0.2\",\"ipVersion\":\"IPv4\"},"                                 \
	"\"l4\":{\"TCP\":{\"source_port\":4711,\"destination_port\":" port "}},"                   \
	"\"source\":{\"namespace\":\"shop\",\"pod_name\":\"" from "\",\"labels\":[]},"             \
	"\"destination\":{\"namespace\":\"shop\",\"pod_name\":\"" to "\"},"                        \
	"\"Type\":\"L3_L4\",\"is_reply\":false,\"traffic_direction\":\"" direction "\","           \
	"\"extensions\":{\"countersign\":{\"authentication\":\"" auth "\"}}}}\n"
