/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/cluster.h"

#include <ctype.h>

#include "user/base/duration.h"

#define TIMEOUT_MAX_S 3600
#define SELECTOR_MAX (sizeof("--field-selector=spec.nodeName=") + CLUSTER_NAME_MAX)

/* One line per pod: name, node, phase, and when it is to be deleted; then one per node. */
#define POD_LINES                                                                        \
	"-o=jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} {.status.phase}" \
	" {.metadata.deletionTimestamp}{\"\\n\"}{end}"
#define NODE_LINES "-o=jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}"

void cluster_nodes_done(struct cluster_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++) {
		free(nodes->item[i].name);
		free(nodes->item[i].pod);
	}
	free(nodes->item);
	*nodes = (struct cluster_nodes){ 0 };
}

bool cluster_is_name(const char *text)
{
	size_t length = strlen(text);

	if (!length || length >= CLUSTER_NAME_MAX || !isalnum((unsigned char)*text) ||
	    !isalnum((unsigned char)text[length - 1]))
		return false;
	for (const char *c = text; *c; c++)
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && !strchr("-.", *c))
			return false;
	return true;
}

/* "NAME" or "NAMESPACE/NAME" */
static bool is_pod(const char *text)
{
	const char *slash = strchr(text, '/');
	char namespace[CLUSTER_NAME_MAX];

	if (!slash)
		return cluster_is_name(text);
	if ((size_t)(slash - text) >= sizeof(namespace))
		return false;
	snprintf(namespace, sizeof(namespace), "%.*s", (int)(slash - text), text);
	return cluster_is_name(namespace) && cluster_is_name(slash + 1);
}

static int check_names(const struct cli *cli, const struct cli_verb *verb, const char *const *value)
{
	static const int names[] = { CLI_NODE, CLI_NAMESPACE, CLI_AGENT_NAMESPACE };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (value[names[i]] && !cluster_is_name(value[names[i]]))
			return cli_usage_error(cli, verb,
					       "--%s wants a name as Kubernetes has them",
					       cli_cluster_options[names[i]].name);
	if (value[CLI_POD] && !is_pod(value[CLI_POD]))
		return cli_usage_error(cli, verb, "--pod wants NAME or NAMESPACE/NAME of a pod");
	if (!!value[CLI_NODE] + !!value[CLI_POD] + !!value[CLI_ALL_NODES] > 1)
		return cli_usage_error(cli, verb, "choose one of --node, --pod and --all-nodes");
	if (value[CLI_NAMESPACE] && value[CLI_ALL_NAMESPACES])
		return cli_usage_error(cli, verb, "choose one of --namespace and --all-namespaces");
	return CLI_OK;
}

int cluster_options(const struct cli *cli, const struct cli_verb *verb,
		    const char *const value[static CLI_CLUSTER_MAX], struct cluster *ret)
{
	int64_t timeout_s = CLUSTER_TIMEOUT_S;
	const char *timeout = value[CLI_TIMEOUT];
	int r = check_names(cli, verb, value);

	if (r != CLI_OK)
		return r;
	if (timeout &&
	    (duration_parse(timeout, &timeout_s) < 0 || timeout_s < 1 || timeout_s > TIMEOUT_MAX_S))
		return cli_usage_error(cli, verb, "--timeout wants at most 1h: " DURATION_EXPECTED);
	*ret = (struct cluster){
		.kubectl = { .kubeconfig = value[CLI_KUBECONFIG], .context = value[CLI_CONTEXT] },
		.namespace = value[CLI_NAMESPACE],
		.agent_namespace = value[CLI_AGENT_NAMESPACE] ?: CLUSTER_AGENT_NAMESPACE,
		.node = value[CLI_NODE],
		.pod = value[CLI_POD],
		.all_nodes = value[CLI_ALL_NODES],
		.all_namespaces = value[CLI_ALL_NAMESPACES],
		.timeout_s = (unsigned int)timeout_s,
	};
	return CLI_OK;
}

static int say(const struct cli *cli, const char *what, int r, const char *error)
{
	fprintf(cli->err, "%s: %s: ", cli->program, what);
	if (r == -ENOENT)
		fprintf(cli->err, "there is no kubectl in $PATH");
	else if (r == -EIO && *error)
		cli_put(cli->err, error);
	else if (r == -EIO)
		fprintf(cli->err, "kubectl failed");
	else
		fprintf(cli->err, "%s", strerror(-r));
	fputc('\n', cli->err);
	return CLI_FAILED;
}

static int read_kubectl(const struct cli *cli, const char *what, const char *const *args,
			char **ret)
{
	const struct cluster *cluster = cli->cluster;
	char error[KUBECTL_ERROR_MAX];
	int r = kubectl_read(&cluster->kubectl, args, cluster->timeout_s, ret, error);

	return r < 0 ? say(cli, what, r, error) : CLI_OK;
}

int cluster_namespace(const struct cli *cli, char **ret)
{
	const struct cluster *cluster = cli->cluster;
	const char *const args[] = { "config", "view", "--minify",
				     "-o=jsonpath={.contexts[0].context.namespace}", NULL };
	_cleanup_free_ char *text = NULL;
	char error[KUBECTL_ERROR_MAX];

	/* In a pod there may be no kubeconfig, and no context in it. */
	if (!cluster->namespace &&
	    (kubectl_read(&cluster->kubectl, args, cluster->timeout_s, &text, error) < 0 ||
	     !cluster_is_name(text))) {
		free(text);
		text = strdup("default");
	} else if (cluster->namespace) {
		text = strdup(cluster->namespace);
	}
	if (!text)
		return say(cli, "namespace", -ENOMEM, "");
	*ret = TAKE_PTR(text);
	return CLI_OK;
}

int cluster_find_pod(const struct cli *cli, const char *text, char **ret_pod, char **ret_node)
{
	_cleanup_free_ char *namespace = NULL, *node = NULL, *pod = NULL;
	const char *slash = strchr(text, '/');
	char option[sizeof("--namespace=") + CLUSTER_NAME_MAX];
	int r;

	if (!is_pod(text))
		return say(cli, text, -EINVAL, "");
	if (slash)
	namespace = strndup(text, (size_t)(slash - text));
	else if ((r = cluster_namespace(cli, &namespace)) != CLI_OK) return r;
	if (!namespace || asprintf(&pod, "%s/%s", namespace, slash ? slash + 1 : text) < 0)
		return say(cli, text, -ENOMEM, "");
	snprintf(option, sizeof(option), "--namespace=%s", namespace);
	r = read_kubectl(cli, pod,
			 (const char *const[]){ "get", "pod", option,
						"-o=jsonpath={.spec.nodeName}", "--",
						slash ? slash + 1 : text, NULL },
			 &node);
	if (r != CLI_OK)
		return r;
	if (!cluster_is_name(node)) {
		fprintf(cli->err, "%s: %s: the pod is on no node yet\n", cli->program, pod);
		return CLI_FAILED;
	}
	*ret_pod = TAKE_PTR(pod);
	*ret_node = TAKE_PTR(node);
	return CLI_OK;
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct cluster_node *)a)->name,
		      ((const struct cluster_node *)b)->name);
}

static struct cluster_node *find(const struct cluster_nodes *nodes, const char *name)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (streq(nodes->item[i].name, name))
			return &nodes->item[i];
	return NULL;
}

static int add_node(struct cluster_nodes *nodes, const char *name, struct cluster_node **ret)
{
	struct cluster_node *more;
	char *copy;

	if (nodes->n >= CLUSTER_NODES_MAX)
		return -E2BIG;
	more = reallocarray(nodes->item, nodes->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	nodes->item = more;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	more[nodes->n] = (struct cluster_node){ .name = copy };
	*ret = &more[nodes->n++];
	return 0;
}

/*
 * A line of POD_LINES. Of two on one node, while one replaces the other, the one that runs
 * and is not about to end is the agent; else there is none.
 */
static int add_pod(struct cluster_nodes *nodes, char *line)
{
	struct cluster_node *node;
	char *save, *name = strtok_r(line, " ", &save), *on = strtok_r(NULL, " ", &save);
	char *phase = strtok_r(NULL, " ", &save), *ends = strtok_r(NULL, " ", &save);
	int r = 0;

	/* What is on no node has fewer words. */
	if (!phase || !cluster_is_name(name) || !cluster_is_name(on))
		return 0;
	node = find(nodes, on);
	if (!node)
		r = add_node(nodes, on, &node);
	if (r < 0 || !streq(phase, "Running") || ends || node->pod)
		return r;
	node->pod = strdup(name);
	return node->pod ? 0 : -ENOMEM;
}

static int add_lines(struct cluster_nodes *nodes, char *text, bool pods)
{
	char *save;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		struct cluster_node *node;

		if (pods)
			r = add_pod(nodes, line);
		else if (cluster_is_name(line) && !find(nodes, line))
			r = add_node(nodes, line, &node);
	}
	return r;
}

/* @selector: a --field-selector, or NULL */
static int list_agents(const struct cli *cli, const char *selector, struct cluster_nodes *nodes)
{
	char option[sizeof("--namespace=") + CLUSTER_NAME_MAX];
	_cleanup_free_ char *text = NULL;
	int r;

	snprintf(option, sizeof(option), "--namespace=%s", cli->cluster->agent_namespace);
	r = read_kubectl(cli, "the agents' pods",
			 (const char *const[]){ "get", "pods", option,
						"--selector=" CLUSTER_AGENT_LABEL, POD_LINES,
						selector, NULL },
			 &text);
	if (r != CLI_OK)
		return r;
	r = add_lines(nodes, text, true);
	return r < 0 ? say(cli, "the agents' pods", r, "") : CLI_OK;
}

int cluster_find_node(const struct cli *cli, const char *name, struct cluster_nodes *ret)
{
	_cleanup_(cluster_nodes_done) struct cluster_nodes nodes = { 0 };
	char selector[SELECTOR_MAX];
	int r;

	snprintf(selector, sizeof(selector), "--field-selector=spec.nodeName=%s", name);
	r = list_agents(cli, selector, &nodes);
	if (r != CLI_OK)
		return r;
	if (!nodes.n || !nodes.item[0].pod) {
		fprintf(cli->err,
			"%s: node %s: no agent runs there; see kubectl get pods -n %s -o wide\n",
			cli->program, name, cli->cluster->agent_namespace);
		return CLI_FAILED;
	}
	*ret = nodes;
	nodes = (struct cluster_nodes){ 0 };
	return CLI_OK;
}

int cluster_one_node(const struct cli *cli, struct cluster_nodes *ret)
{
	_cleanup_free_ char *pod = NULL, *node = NULL;
	const struct cluster *cluster = cli->cluster;
	int r;

	if (cluster->node)
		return cluster_find_node(cli, cluster->node, ret);
	if (!cluster->pod) {
		fprintf(cli->err, "%s: which agent is asked? Say --node NODE or --pod [NS/]NAME\n",
			cli->program);
		return CLI_USAGE;
	}
	r = cluster_find_pod(cli, cluster->pod, &pod, &node);
	return r == CLI_OK ? cluster_find_node(cli, node, ret) : r;
}

int cluster_all_nodes(const struct cli *cli, struct cluster_nodes *ret)
{
	static const char *const args[] = { "get", "nodes", "--selector=kubernetes.io/os!=windows",
					    NODE_LINES, NULL };
	_cleanup_(cluster_nodes_done) struct cluster_nodes nodes = { 0 };
	_cleanup_free_ char *text = NULL;
	int r;

	r = list_agents(cli, NULL, &nodes);
	if (r == CLI_OK)
		r = read_kubectl(cli, "the nodes", args, &text);
	if (r != CLI_OK)
		return r;
	r = add_lines(&nodes, text, false);
	if (r < 0)
		return say(cli, "the nodes", r, "");
	qsort(nodes.item, nodes.n, sizeof(*nodes.item), compare_nodes);
	*ret = nodes;
	nodes = (struct cluster_nodes){ 0 };
	return CLI_OK;
}

int cluster_connect(const struct cli *cli, const char *pod, struct kubectl_child *ret)
{
	char option[sizeof("--namespace=") + CLUSTER_NAME_MAX];

	snprintf(option, sizeof(option), "--namespace=%s", cli->cluster->agent_namespace);
	return kubectl_start(&cli->cluster->kubectl,
			     (const char *const[]){ "exec", option, "--stdin", "--quiet",
						    "--container=" CLUSTER_AGENT_CONTAINER, pod,
						    "--", "countersign", "relay", NULL },
			     ret);
}
