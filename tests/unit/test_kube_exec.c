/* SPDX-License-Identifier: Apache-2.0 */
/* Credential plugins: real scripts, run beside the loop. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/stat.h>

#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/kube/exec.h"

#define VERSION "client.authentication.k8s.io/v1"
#define SECRET "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
#define CREDENTIAL(status) \
	"{\"apiVersion\":\"" VERSION "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}"

static char path[] = "/tmp/kube-plugin-XXXXXX";

struct ended {
	bool done;
	int r;
	struct kube_error error;
};

static void on_done(void *arg, int r, const struct kube_error *error)
{
	struct ended *ended = arg;

	ended->done = true;
	ended->r = r;
	ended->error = *error;
}

static void setup(void)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

TestSuite(kube_exec, .init = setup, .fini = teardown, .timeout = 60);

static struct kube_config *config_of(const char *script, const char *more)
{
	struct kube_config *config = calloc(1, sizeof(*config));
	struct kube_error error = { "" };
	char text[1024];
	FILE *file = fopen(path, "w");
	int n;

	fprintf(file, "#!/bin/sh\n%s\n", script);
	fclose(file);
	chmod(path, 0755);
	n = snprintf(text, sizeof(text),
		     "{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}], "
		     "clusters: [{name: k, cluster: {server: 'https://h', tls-server-name: n}}], "
		     "users: [{name: u, user: {exec: {apiVersion: " VERSION ", command: %s %s}}}]}",
		     path, more);
	cr_assert_eq(kube_config_text("/config", text, (size_t)n, config, &error), 0, "%s",
		     error.text);
	return config;
}

static struct ended run(struct kube_config *config)
{
	_cleanup_(event_base_freep) struct event_base *base = event_base_new();
	struct ended ended = { 0 };
	struct kube_exec_run *exec = NULL;

	ended.r = kube_exec_start(config, base, on_done, &ended, &exec, &ended.error);
	cr_expect_not(ended.done);
	while (ended.r == 0 && !ended.done)
		event_base_loop(base, EVLOOP_ONCE);
	return ended;
}

Test(kube_exec, a_token)
{
	struct kube_config *config = config_of(
		"[ \"$1 $2\" = 'get a token' ] && [ \"$A\" = b ] || exit 9\n"
		"echo '" CREDENTIAL("\"token\":\"" SECRET
				    "\",\"expirationTimestamp\":\"2099-01-01T00:00:00Z\"") "'",
		", args: [get, 'a token'], env: [{name: A, value: b}]");
	struct ended ended = run(config);

	cr_assert_eq(ended.r, 0, "%s", ended.error.text);
	cr_expect_str_eq(config->exec->token, SECRET);
	cr_expect(kube_exec_valid(config->exec));
	config->exec->expires_ms = clock_ns(CLOCK_REALTIME) / 1000000 + 5000;
	cr_expect_not(kube_exec_valid(config->exec), "it ends within the skew");
	kube_config_free(config);
}

/* A certificate of its own, and what it is told of the cluster. */
Test(kube_exec, a_certificate_and_cluster_info)
{
	struct kube_config *config = config_of(
		"echo \"$KUBERNETES_EXEC_INFO\" | grep -q '\"interactive\":false' || exit 8\n"
		"echo \"$KUBERNETES_EXEC_INFO\" | grep -q '\"tls-server-name\":\"n\"' || exit 7\n"
		"echo '" CREDENTIAL(
			"\"clientCertificateData\":\"cert\",\"clientKeyData\":\"key\"") "'",
		", provideClusterInfo: true, interactiveMode: Never");
	struct ended ended = run(config);

	cr_assert_eq(ended.r, 0, "%s", ended.error.text);
	cr_expect_str_eq(config->exec->key, "key");
	cr_expect_null(config->exec->token);
	kube_config_free(config);
}

static const struct {
	const char *script, *said;
	int r;
} bads[] = {
	{ "echo " SECRET "; exit 3", "failed (exit code 3): run it by hand", -EACCES },
	{ "kill -9 $$", "failed (signal 9)", -EACCES },
	{ "echo " SECRET, "it is no JSON", -EBADMSG },
	{ "true", "it is no JSON", -EBADMSG },
	{ "echo '{\"kind\":\"Pod\"}'", "kind ExecCredential is expected", -EBADMSG },
	{ "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\"}'",
	  "its apiVersion is not the one", -EBADMSG },
	{ "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" VERSION "\"}'",
	  "status is missing", -EBADMSG },
	{ "echo '" CREDENTIAL("") "'", "neither token nor clientCertificateData", -EBADMSG },
	{ "echo '" CREDENTIAL("\"token\":5") "'", "are texts", -EBADMSG },
	{ "echo '" CREDENTIAL("\"token\":\"" SECRET " x\"") "'", "white space", -EBADMSG },
	{ "echo '" CREDENTIAL("\"clientKeyData\":\"" SECRET "\"") "'", "go together", -EBADMSG },
	{ "echo '" CREDENTIAL("\"token\":\"" SECRET "\",\"expirationTimestamp\":\"soon\"") "'",
	  "expirationTimestamp is no time", -EBADMSG },
	{ "head -c 400000 /dev/zero", "wrote more than", -EBADMSG },
};

Test(kube_exec, what_is_not_taken)
{
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		struct kube_config *config = config_of(bads[i].script, "");
		struct ended ended = run(config);

		cr_expect_eq(ended.r, bads[i].r, "%zu: %d %s", i, ended.r, ended.error.text);
		cr_expect_not_null(strstr(ended.error.text, bads[i].said), "%zu: %s", i,
				   ended.error.text);
		cr_expect_null(strstr(ended.error.text, SECRET), "%s", ended.error.text);
		cr_expect_not(config->exec->valid);
		kube_config_free(config);
	}
}

Test(kube_exec, a_command_that_is_not_there)
{
	struct kube_config *config = config_of("true", ", installHint: install the plugin");
	struct ended ended;

	unlink(path);
	ended = run(config);
	cr_expect_eq(ended.r, -ENOENT);
	cr_expect_not_null(strstr(ended.error.text, "install the plugin"), "%s", ended.error.text);
	kube_config_free(config);
}

/* It and its children are ended with the run. */
Test(kube_exec, cancelled)
{
	struct kube_config *config = config_of("sleep 1000 & sleep 1000", "");
	_cleanup_(event_base_freep) struct event_base *base = event_base_new();
	struct ended ended = { 0 };
	struct kube_exec_run *exec = NULL;

	cr_assert_eq(kube_exec_start(config, base, on_done, &ended, &exec, NULL), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	kube_exec_cancel(exec);
	cr_expect_not(ended.done);
	kube_config_free(config);
}

Test(kube_exec, times)
{
	static const char *const bad[] = { "",
					   "2026-11-25",
					   "2026-11-25T18:00:00",
					   "2026-11-25T18:00:00z",
					   "2026-11-25T18:00:00.Z",
					   "2026-11-25T18:00:00+0200",
					   "2026-11-25T18:00:00+25:00",
					   "2026-11-25T18:00:00Zx" };
	int64_t ms = 0, same;

	cr_assert_eq(kube_time_parse("2026-11-25T18:00:00Z", &ms), 0);
	cr_expect_eq(ms, 1795629600000);
	cr_assert_eq(kube_time_parse("2026-11-25T20:00:00.123456+02:00", &same), 0);
	cr_expect_eq(same, ms);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(kube_time_parse(bad[i], &same), -EINVAL, "%s", bad[i]);
}
