/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How kubectl is called, and what is made of its answers. The kubectl here is a script that
 * writes down its arguments and says what the test wants: the words of the command line are
 * what is tested. tests/kube/plugin.sh has the real one, with an API server and agents.
 */
#include <sys/stat.h>

#include "test_cli_server.h"
#include "user/cli/cluster.h"

#define FILE_MAX 65536

static char dir[64], *path;

/* Answers by the file that is named after the command: get-pods, get-nodes, exec, ... */
static const char script[] = "#!/bin/sh\n"
			     "printf '%s\\n' \"$@\" --- >>'%1$s/log'\n"
			     "for word; do case $word in\n"
			     "--kubeconfig=*|--context=*) ;;\n"
			     "*) break ;;\n"
			     "esac; shift; done\n"
			     "name=$1\n"
			     "[ \"$1\" != get ] || name=$1-$2\n"
			     "[ \"$1\" != exec ] || { read -r request; name=exec-$6; }\n"
			     "[ ! -e '%1$s/'$name.error ] || {\n"
			     "cat '%1$s/'$name.error >&2; exit 1; }\n"
			     "[ ! -e '%1$s/'$name ] || cat '%1$s/'$name\n";

static void put(const char *name, const char *text)
{
	char file[256];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	cr_assert_not_null(f, "%s: %m", file);
	fputs(text, f);
	fclose(f);
	chmod(file, 0755);
}

static void setup(void)
{
	char text[2048] = "", *to = text;
	char *value;

	strcpy(dir, "/tmp/countersign-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	for (const char *from = script; *from;) {
		if (startswith(from, "%1$s")) {
			to += sprintf(to, "%s", dir);
			from += strlen("%1$s");
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	put("kubectl", text);
	path = strdup(getenv("PATH"));
	cr_assert_gt(asprintf(&value, "%s:%s", dir, path), 0);
	setenv("PATH", value, 1);
	free(value);
}

static void teardown(void)
{
	char command[128];

	setenv("PATH", path, 1);
	free(path);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(cli_cluster, .init = setup, .fini = teardown, .timeout = 30);

/* The calls so far: one argument a line, "---" behind each call. */
static const char *calls(void)
{
	static char text[FILE_MAX];
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/log", dir);
	f = fopen(file, "r");
	text[f ? fread(text, 1, sizeof(text) - 1, f) : 0] = '\0';
	if (f)
		fclose(f);
	return text;
}

#define STATUS(node, healthy)                                                                    \
	"{\"healthy\":" healthy ",\"node\":\"" node "\",\"epoch\":7,\"policies\":2,\"rules\":3," \
	"\"version\":\"1\",\"problems\":[\"one\",\"two\"]}\n"

Test(cli_cluster, one_node)
{
	struct outcome o;

	put("get-pods", "agent-x node-a Running \n");
	put("exec-agent-x", STATUS("node-a", "true"));
	o = run_cli("status", "--node", "node-a", "--context", "prod", "--kubeconfig", "k.yaml");
	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	expect_in(o.out, "node-a");
	expect_in(calls(), "--kubeconfig=k.yaml\n--context=prod\nget\npods\n"
			   "--namespace=countersign-system\n"
			   "--selector=app.kubernetes.io/name=countersign\n");
	expect_in(calls(), "\n--field-selector=spec.nodeName=node-a\n---\n");
	expect_in(calls(), "exec\n--namespace=countersign-system\n--stdin\n--quiet\n"
			   "--container=agent\nagent-x\n--\ncountersign\nrelay\n---\n");
	outcome_done(&o);
}

Test(cli_cluster, pod_of_a_namespace)
{
	struct outcome o;

	put("get-pod", "node-b");
	put("get-pods", "agent-y node-b Running \n");
	put("exec-agent-y", STATUS("node-b", "false"));
	o = run_cli("status", "--pod", "checkout", "-n", "shop", "--agent-namespace", "security");
	cr_expect_eq(o.code, CLI_FAILED, "it is not healthy");
	expect_in(calls(), "get\npod\n--namespace=shop\n-o=jsonpath={.spec.nodeName}\n--\n"
			   "checkout\n---\n");
	expect_in(calls(), "get\npods\n--namespace=security\n");
	outcome_done(&o);
}

Test(cli_cluster, namespace_of_the_context)
{
	struct outcome o;

	put("config", "web");
	put("get-pod", "node-b");
	put("get-pods", "agent-y node-b Running \n");
	o = run_cli("status", "--pod", "front");
	expect_in(calls(), "config\nview\n--minify\n");
	expect_in(calls(), "get\npod\n--namespace=web\n");
	outcome_done(&o);
}

/* Of two pods on a node one is about to end; pending ones have no node, or do not run yet. */
Test(cli_cluster, all_nodes)
{
	struct outcome o;

	put("get-pods", "old node-a Running 2026-11-25T18:00:00Z\nnew node-a Running \n"
			"waits  Pending \nstarts node-b Pending \n");
	put("get-nodes", "node-a\nnode-b\nnode-c\n");
	put("exec-new", STATUS("node-a", "true"));
	o = run_cli("status", "--all-nodes");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "node-a  healthy   7");
	expect_in(o.out, "node-b  no agent");
	expect_in(o.out, "node-c  no agent");
	expect_in(o.out, "3 nodes: 1 healthy, 0 unhealthy, 0 unreachable, 2 no agent\n");
	expect_not_in(calls(), "\nold\n");
	outcome_done(&o);
}

Test(cli_cluster, unhealthy_and_unreachable)
{
	struct outcome o;

	put("get-pods", "a node-a Running \nb node-b Running \nc node-c Running \n");
	put("get-nodes", "node-a\nnode-b\nnode-c\n");
	put("exec-a", STATUS("node-a", "false"));
	put("exec-b.error", "Error from server:\n\x1b[2Jno route\n");
	put("exec-c", "{\"healthy\":tr");
	o = run_cli("status", "--all-nodes");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.out, "node-a  unhealthy    7      2         3      1        one (and 1 more)");
	expect_in(o.out, "Error from server: ?[2Jno route");
	expect_in(o.out, "the answer breaks off");
	expect_in(o.out, "3 nodes: 0 healthy, 1 unhealthy, 2 unreachable, 0 no agent\n");
	outcome_done(&o);
}

#define FLOW(time, node) \
	"{\"flow\":{\"verdict\":\"FORWARDED\"},\"node_name\":\"" node "\",\"time\":\"" time "\"}\n"

Test(cli_cluster, flows_are_merged)
{
	struct outcome o;

	put("get-pods", "a node-a Running \nb node-b Running \n");
	put("get-nodes", "node-a\nnode-b\n");
	put("exec-a",
	    FLOW("2026-01-01T00:00:01Z", "node-a") FLOW("2026-01-01T00:00:03Z", "node-a"));
	put("exec-b",
	    FLOW("2026-01-01T00:00:02Z", "node-b") FLOW("2026-01-01T00:00:04Z", "node-b"));
	o = run_cli("flows", "--all-nodes", "-o", "json", "--last", "3");
	cr_expect_eq(o.code, CLI_OK, "%s", o.err);
	cr_expect_str_eq(o.out, FLOW("2026-01-01T00:00:02Z", "node-b")
					FLOW("2026-01-01T00:00:03Z", "node-a")
						FLOW("2026-01-01T00:00:04Z", "node-b"));
	outcome_done(&o);
}

Test(cli_cluster, kubectl_fails)
{
	struct outcome o;

	put("get-pods.error", "error: You must be logged in to the server (Unauthorized)\n");
	o = run_cli("status", "--all-nodes");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "You must be logged in");
	outcome_done(&o);
}

Test(cli_cluster, no_kubectl)
{
	struct outcome o;

	setenv("PATH", "/nonexistent", 1);
	o = run_cli("status", "--node", "a");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "no kubectl in $PATH");
	outcome_done(&o);
}

/* What kubectl lists is foreign, too. */
Test(cli_cluster, names_from_the_server_are_checked)
{
	struct outcome o;

	put("get-pods", "--help node-a Running \n-- node-a Running \nok --x Running \n");
	o = run_cli("status", "--node", "node-a");
	cr_expect_eq(o.code, CLI_FAILED);
	expect_in(o.err, "no agent runs there");
	expect_not_in(calls(), "exec");
	outcome_done(&o);
}

Test(cli_cluster, names)
{
	static const char *const good[] = { "a", "node-1", "a.b-c.d", "1" };
	static const char *const bad[] = { "", "-a", "a-", ".", "a/b", "A", "a b", "a\n", "a=b" };
	char large[CLUSTER_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_expect(cluster_is_name(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(cluster_is_name(bad[i]), "%s", bad[i]);
	memset(large, 'a', sizeof(large));
	large[CLUSTER_NAME_MAX] = '\0';
	cr_expect_not(cluster_is_name(large));
	large[CLUSTER_NAME_MAX - 1] = '\0';
	cr_expect(cluster_is_name(large));
}

Test(cli_cluster, wrong_usage)
{
	static const struct {
		const char *args[6], *error;
	} cases[] = {
		{ { "status", "--node", "-x" }, "--node wants a name" },
		{ { "status", "--pod", "a/b/c" }, "--pod wants NAME" },
		{ { "status", "--node", "a", "--pod", "b" }, "choose one of" },
		{ { "flows", "-A", "-n", "x", "--all-nodes" }, "choose one of" },
		{ { "status", "--all-nodes", "--timeout", "0s" }, "--timeout wants" },
		{ { "status", "--all-nodes", "--state", "/x" }, "--state is for" },
		{ { "status", "--all-nodes", "--check", "live" }, "--check is about one node" },
		{ { "credentials", "--all-nodes" }, "which agent is asked?" },
		{ { "--node", "a", "version" }, "--node means nothing here" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct outcome o = run_args(cases[i].args);

		cr_expect_eq(o.code, CLI_USAGE, "%zu: %d", i, o.code);
		expect_in(o.err, cases[i].error);
		outcome_done(&o);
	}
	cr_expect_str_empty(calls());
}
