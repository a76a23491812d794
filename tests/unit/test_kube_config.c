/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfigs and in-cluster files, good and bad ones; what is said of the bad ones. */
#include <criterion/criterion.h>
#include <sys/stat.h>

#include "user/base/file.h"
#include "user/kube/config_internal.h"

#define SECRET "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
#define PEM_BASE64 \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define HEAD                                         \
	"apiVersion: v1\n"                           \
	"kind: Config\n"                             \
	"current-context: c\n"                       \
	"contexts:\n"                                \
	"- name: c\n"                                \
	"  context: {cluster: k, user: u}\n"         \
	"- name: other\n"                            \
	"  context: {cluster: k, namespace: shop}\n" \
	"clusters:\n"                                \
	"- name: k\n"                                \
	"  cluster:\n"
#define SERVER "    server: https://10.0.0.1:6443/\n"
#define USER          \
	"users:\n"    \
	"- name: u\n" \
	"  user:\n"

static char dir[] = "/tmp/kube-config-XXXXXX", path[128];

static void write_file(const char *name, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	file = fopen(full, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/config", dir);
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
	setenv("HOME", dir, 1);
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(kube_config, .init = setup, .fini = teardown);

static struct kube_config *good(const char *text, const char *context)
{
	const struct kube_config_options options = { .kubeconfig = path, .context = context };
	struct kube_config *config = NULL;
	struct kube_error error = { "" };

	write_file("config", text);
	cr_assert_eq(kube_config_new(&options, &config, &error), 0, "%s", error.text);
	return config;
}

Test(kube_config, all_that_is_read)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;

	config = good(HEAD SERVER "    certificate-authority-data: " PEM_BASE64 "\n"
				  "    tls-server-name: kubernetes\n"
				  "    proxy-url: http://proxy:3128\n" USER "    token: " SECRET
				  "\n",
		      NULL);
	cr_expect_str_eq(kube_config_server(config), "https://10.0.0.1:6443");
	cr_expect_str_eq(kube_config_namespace(config), "default");
	cr_expect_str_eq(config->server_name, "kubernetes");
	cr_expect_str_eq(config->proxy, "http://proxy:3128");
	cr_expect_str_eq(config->token.text, SECRET);
	cr_expect_str_eq(config->ca.text, PEM);
	cr_expect_not(config->insecure);
}

Test(kube_config, another_context_without_a_user)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;

	config = good(HEAD SERVER "    insecure-skip-tls-verify: true\n" USER "    token: x\n",
		      "other");
	cr_expect_str_eq(kube_config_namespace(config), "shop");
	cr_expect_null(config->token.text);
	cr_expect(config->insecure);
}

Test(kube_config, paths_start_at_the_file)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;

	write_file("ca.crt", PEM);
	write_file("c.crt", "certificate");
	write_file("c.key", "key");
	config = good(HEAD SERVER "    certificate-authority: ca.crt\n" USER
				  "    client-certificate: ./c.crt\n    client-key: c.key\n",
		      NULL);
	cr_expect(startswith(config->ca.path, dir));
	cr_expect_str_eq(config->key.text, "key");
}

Test(kube_config, data_wins_over_files_and_a_token_file_over_a_token)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;

	write_file("token", "from-file\n");
	config = good(HEAD SERVER "    certificate-authority: absent\n"
				  "    certificate-authority-data: " PEM_BASE64 "\n" USER
				  "    token: in-place\n    tokenFile: token\n",
		      NULL);
	cr_expect_str_eq(config->ca.text, PEM);
	cr_expect_str_eq(config->token.text, "from-file");
}

Test(kube_config, json_is_yaml)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;

	config = good(
		"{\"current-context\": \"c\", \"contexts\": [{\"name\": \"c\", \"context\": "
		"{\"cluster\": \"k\", \"user\": \"\"}}], \"clusters\": [{\"name\": \"k\", "
		"\"cluster\": {\"server\": \"https://h\", \"insecure-skip-tls-verify\": null}}],"
		" \"users\": null}",
		NULL);
	cr_expect_str_eq(config->server, "https://h");
}

Test(kube_config, a_plugin)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;
	char command[256];

	config = good(HEAD SERVER USER "    exec:\n"
				       "      apiVersion: client.authentication.k8s.io/v1beta1\n"
				       "      command: ./plugin\n"
				       "      args: [get, \"a token\"]\n"
				       "      env: [{name: A, value: b}, {name: C}]\n"
				       "      installHint: install it\n"
				       "      provideClusterInfo: true\n"
				       "      interactiveMode: IfAvailable\n",
		      NULL);
	snprintf(command, sizeof(command), "%s/./plugin", dir);
	cr_assert_not_null(config->exec);
	cr_expect_str_eq(config->exec->command, command);
	cr_expect_str_eq(config->exec->argument[2], "a token");
	cr_expect_null(config->exec->argument[3]);
	cr_expect_str_eq(config->exec->environment[1], "C=");
	cr_expect(config->exec->cluster_info);
}

/* Of each list the first file that has an entry; nothing of an entry of that name elsewhere. */
Test(kube_config, several_files_are_merged)
{
	const struct kube_config_options options = { 0 };
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;
	struct kube_error error = { "" };
	char list[512];

	write_file("1", "contexts: [{name: c, context: {cluster: k, user: u, namespace: one}}]\n");
	write_file("2", "current-context: c\nusers: [{name: u, user: {token: two}}]\n"
			"contexts: [{name: c, context: {cluster: z, user: z, namespace: two}}]\n");
	write_file("3",
		   "current-context: z\nclusters: [{name: k, cluster: {server: 'https://3'}}]\n"
		   "users: [{name: u, user: {token: three, tokenFile: three}}]\n");
	snprintf(list, sizeof(list), "%s/absent:%s/1::%s/2:%s/3", dir, dir, dir, dir);
	setenv("KUBECONFIG", list, 1);
	cr_assert_eq(kube_config_new(&options, &config, &error), 0, "%s", error.text);
	cr_expect_str_eq(config->server, "https://3");
	cr_expect_str_eq(config->namespace, "one");
	cr_expect_str_eq(config->token.text, "two");
}

static const struct bad {
	const char *text, *said;
	int r;
} bads[] = {
	{ "- a\n", "config:1: is no kubeconfig: a mapping is expected", -EBADMSG },
	{ "text\n", "config:1: is no kubeconfig", -EBADMSG },
	{ "a: b\n\tc: d\n", "config:2: is no YAML", -EBADMSG },
	{ "a: [\n", "is no YAML", -EBADMSG },
	{ "", "no current-context: give --kube-context", -EBADMSG },
	{ "current-context: [c]\n", "config:1: kubeconfig: current-context: text is expected",
	  -EBADMSG },
	{ "current-context: c\n", "there is no context \"c\"", -EBADMSG },
	{ "current-context: c\ncontexts: {}\n", "config:2: kubeconfig: contexts: a list",
	  -EBADMSG },
	{ "current-context: c\ncontexts: [c]\n", "config:2: kubeconfig: context: a mapping",
	  -EBADMSG },
	{ "current-context: c\ncontexts: [{name: c}]\n", "context \"c\": context: is missing",
	  -EBADMSG },
	{ "current-context: c\ncontexts: [{name: c, context: {user: u}}]\n",
	  "config:2: context \"c\": cluster: is missing", -EBADMSG },
	{ "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n",
	  "there is no cluster \"k\"", -EBADMSG },
	{ HEAD "    server: ''\n", "cluster \"k\": server: is missing", -EBADMSG },
	{ HEAD "    server: 10.0.0.1:6443\n", "config:12: cluster \"k\": server: https://",
	  -EBADMSG },
	{ HEAD "    server: https://a:" SECRET "@h\n", "server: an address without user",
	  -EBADMSG },
	{ HEAD "    server: {a: b}\n", "server: text is expected", -EBADMSG },
	{ HEAD SERVER "    server: https://b\n", "config:13: cluster \"k\": server: is given twice",
	  -EBADMSG },
	{ HEAD SERVER "    insecure-skip-tls-verify: yes\n", "is neither true nor false",
	  -EBADMSG },
	{ HEAD SERVER "    insecure-skip-tls-verify: true\n    certificate-authority: /x\n",
	  "exclude each other", -EBADMSG },
	{ HEAD SERVER "    certificate-authority-data: " SECRET "\n", "is not PEM in base64",
	  -EBADMSG },
	{ HEAD SERVER "    certificate-authority-data: '***'\n", "is not PEM in base64", -EBADMSG },
	{ HEAD SERVER "    certificate-authority: absent.crt\n" USER "    token: x\n",
	  "absent.crt: No such file", -EBADMSG },
	{ HEAD SERVER, "there is no user \"u\"", -EBADMSG },
	{ HEAD SERVER "users: [{name: u, user: " SECRET "}]\n", "user: a mapping is expected",
	  -EBADMSG },
	{ HEAD SERVER USER "    token: [" SECRET "]\n", "config:16: user \"u\": token: text",
	  -EBADMSG },
	{ HEAD SERVER USER "    token: \"" SECRET " x\"\n", "token: has white space", -EBADMSG },
	{ HEAD SERVER USER "    token: \"" SECRET "\\0\"\n", "token: has a NUL", -EBADMSG },
	{ HEAD SERVER USER "    tokenFile: absent\n", "absent: No such file", -EBADMSG },
	{ HEAD SERVER USER "    client-key-data: " SECRET "\n", "is not PEM in base64", -EBADMSG },
	{ HEAD SERVER USER "    client-key: /etc/hostname\n", "client-certificate: is missing",
	  -EBADMSG },
	{ HEAD SERVER USER "    client-certificate: /etc/hostname\n", "client-key: is missing",
	  -EBADMSG },
	{ HEAD SERVER USER "    username: a\n", "basic authentication is not supported", -ENOTSUP },
	{ HEAD SERVER USER "    password: " SECRET "\n", "config:16: user \"u\": password",
	  -ENOTSUP },
	{ HEAD SERVER USER "    auth-provider: {name: gcp}\n", "use exec", -ENOTSUP },
	{ HEAD SERVER USER "    as: admin\n", "impersonation is not supported", -ENOTSUP },
	{ HEAD SERVER USER "    as-groups: [g]\n", "impersonation is not supported", -ENOTSUP },
	{ HEAD SERVER USER "    exec: x\n", "exec: a mapping is expected", -EBADMSG },
	{ HEAD SERVER USER "    exec: {command: x}\n", "apiVersion: client.auth", -EBADMSG },
	{ HEAD SERVER USER
	  "    exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}\n",
	  "v1 or v1beta1 is expected", -EBADMSG },
	{ HEAD SERVER USER "    exec: {apiVersion: client.authentication.k8s.io/v1}\n",
	  "command: is missing", -EBADMSG },
	{ HEAD SERVER USER
	  "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x, args: a}\n",
	  "args: a list is expected", -EBADMSG },
	{ HEAD SERVER USER
	  "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x, args: [[]]}\n",
	  "args: text is expected", -EBADMSG },
	{ HEAD SERVER USER
	  "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x, env: [a]}\n",
	  "env: name and value are expected", -EBADMSG },
	{ HEAD SERVER USER
	  "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x, env: [{name: a=b}]}\n",
	  "a name without =", -EBADMSG },
	{ HEAD SERVER USER
	  "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}\n",
	  "needs a terminal", -ENOTSUP },
	{ HEAD SERVER USER
	  "    exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Maybe}\n",
	  "Never or IfAvailable", -EBADMSG },
	{ HEAD SERVER USER
	  "    token: x\n    exec: {apiVersion: client.authentication.k8s.io/v1, command: x}\n",
	  "beside other credentials", -EBADMSG },
	{ HEAD "    server: http://10.0.0.1\n" USER "    token: " SECRET "\n",
	  "not sent without TLS: use https", -EBADMSG },
	{ "a: &a [*a]\ncontexts: *a\ncurrent-context: c\n", "a mapping is expected", -EBADMSG },
};

Test(kube_config, bad_ones_are_refused_and_say_why)
{
	const struct kube_config_options options = { .kubeconfig = path };

	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		struct kube_config *config = NULL;
		struct kube_error error = { "" };

		write_file("config", bads[i].text);
		cr_expect_eq(kube_config_new(&options, &config, &error), bads[i].r, "%zu: %s", i,
			     error.text);
		cr_expect_null(config);
		cr_expect_not_null(strstr(error.text, bads[i].said), "%zu: %s", i, error.text);
		cr_expect_null(strstr(error.text, SECRET), "%zu: %s", i, error.text);
	}
}

Test(kube_config, a_file_that_is_too_large_or_not_there)
{
	const struct kube_config_options options = { .kubeconfig = path };
	_cleanup_free_ char *text = calloc(1, KUBE_FILE_BYTES_MAX + 2);
	struct kube_config *config = NULL;
	struct kube_error error = { "" };

	cr_expect_eq(kube_config_new(&options, &config, &error), -ENOENT);
	cr_expect_not_null(strstr(error.text, path));
	memset(text, '#', KUBE_FILE_BYTES_MAX + 1);
	write_file("config", text);
	cr_expect_eq(kube_config_new(&options, &config, &error), -EFBIG);
}

Test(kube_config, nothing_is_known)
{
	const struct kube_config_options options = { 0 };
	struct kube_config *config = NULL;
	struct kube_error error = { "" };

	cr_expect_eq(kube_config_new(&options, &config, &error), -ENOENT);
	cr_expect_not_null(strstr(error.text, "give --kubeconfig"), "%s", error.text);
	setenv("KUBECONFIG", "/nonexistent/a:/nonexistent/b", 1);
	cr_expect_eq(kube_config_new(&options, &config, &error), -ENOENT);
	cr_expect_not_null(strstr(error.text, "none of the kubeconfig files exists"));
}

Test(kube_config, home)
{
	const struct kube_config_options options = { 0 };
	_cleanup_(kube_config_freep) struct kube_config *config = NULL;
	struct kube_error error = { "" };
	char kube[128];

	snprintf(kube, sizeof(kube), "%s/.kube", dir);
	cr_assert_eq(mkdir(kube, 0700), 0);
	write_file(".kube/config", HEAD SERVER USER "    token: x\n");
	cr_expect_eq(kube_config_new(&options, &config, &error), 0, "%s", error.text);
}

static int in_cluster(const char *host, const char *port, struct kube_config **ret,
		      struct kube_error *error)
{
	const struct kube_config_options options = { .in_cluster_dir = dir };

	setenv("KUBERNETES_SERVICE_HOST", host, 1);
	setenv("KUBERNETES_SERVICE_PORT", port, 1);
	return kube_config_new(&options, ret, error);
}

Test(kube_config, in_a_pod)
{
	_cleanup_(kube_config_freep) struct kube_config *config = NULL, *v6 = NULL;
	struct kube_error error = { "" };

	cr_expect_eq(in_cluster("10.96.0.1", "443", &config, &error), -EBADMSG);
	cr_expect_not_null(strstr(error.text, "ca.crt: No such file"), "%s", error.text);
	write_file("ca.crt", PEM);
	write_file("token", SECRET "\n");
	cr_assert_eq(in_cluster("10.96.0.1", "443", &config, &error), 0, "%s", error.text);
	cr_expect_str_eq(config->server, "https://10.96.0.1:443");
	cr_expect_str_eq(config->namespace, "default");
	cr_expect_str_eq(config->token.text, SECRET);
	write_file("namespace", "countersign-system");
	cr_assert_eq(in_cluster("fd00::1", "6443", &v6, &error), 0, "%s", error.text);
	cr_expect_str_eq(v6->server, "https://[fd00::1]:6443");
	cr_expect_str_eq(v6->namespace, "countersign-system");
}

Test(kube_config, a_pods_environment_that_is_wrong)
{
	struct kube_config *config = NULL;
	struct kube_error error = { "" };

	cr_expect_eq(in_cluster("10.96.0.1", "", &config, &error), -EBADMSG);
	cr_expect_eq(in_cluster("10.96.0.1", "44x", &config, &error), -EBADMSG);
	cr_expect_eq(in_cluster("10.96.0.1/@evil", "443", &config, &error), -EBADMSG);
	write_file("ca.crt", PEM);
	write_file("token", "\n");
	cr_expect_eq(in_cluster("10.96.0.1", "443", &config, &error), -EBADMSG);
	cr_expect_not_null(strstr(error.text, "is empty"), "%s", error.text);
}

/* As a kubelet does it, too: another file in its place. */
Test(kube_config, a_token_is_read_again_when_it_changed)
{
	struct kube_file file = { .path = path_join(dir, "token") };
	char to[128];

	write_file("token", "one\n");
	cr_expect_eq(kube_file_refresh(&file, false, NULL), 1);
	cr_expect_eq(kube_file_refresh(&file, false, NULL), 0);
	cr_expect_eq(kube_file_refresh(&file, true, NULL), 0);
	write_file("next", "two\n");
	snprintf(to, sizeof(to), "%s/next", dir);
	cr_assert_eq(rename(to, file.path), 0);
	cr_expect_eq(kube_file_refresh(&file, false, NULL), 1);
	cr_expect_str_eq(file.text, "two");
	/* While it is away or being written, what was read stays. */
	write_file("token", "");
	cr_expect_eq(kube_file_refresh(&file, false, NULL), 0);
	cr_assert_eq(unlink(file.path), 0);
	cr_expect_eq(kube_file_refresh(&file, false, NULL), 0);
	cr_expect_str_eq(file.text, "two");
	kube_file_done(&file);
}
