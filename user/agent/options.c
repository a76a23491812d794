/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <getopt.h>

#include "user/agent/revisions.h"
#include "user/agent/words.h"
#include "user/base/duration.h"
#include "user/credential/key_ring.h"

#define OPTIONS_KEY_LIFETIME_MIN_S 2
#define TRUST_DOMAIN_MAX 255 /* bytes, by the SPIFFE specification */

/* One option: how it is called, what --help says, and what it does. */
struct option_row {
	const char *name;
	const char *metavar; /* NULL: takes no argument */
	const char *help;
	const char *expected; /* of the argument, for the error */
	int (*set)(struct agent_options *options, char *arg);
};

#define STRING_OPTION(field)                                             \
	static int set_##field(struct agent_options *options, char *arg) \
	{                                                                \
		options->field = arg;                                    \
		return *arg ? 0 : -EINVAL;                               \
	}

#define FLAG_OPTION(field)                                               \
	static int set_##field(struct agent_options *options, char *arg) \
	{                                                                \
		(void)arg;                                               \
		options->field = true;                                   \
		return 0;                                                \
	}

STRING_OPTION(manifests)
STRING_OPTION(cgroup_root)
STRING_OPTION(bpffs)
STRING_OPTION(state)
STRING_OPTION(history_dir)
STRING_OPTION(salt_file)
STRING_OPTION(nodes)
STRING_OPTION(credential)
STRING_OPTION(credential_key)
STRING_OPTION(credential_provider)
STRING_OPTION(bundles)
STRING_OPTION(kubeconfig)
STRING_OPTION(kube_context)
STRING_OPTION(kube_namespace)
STRING_OPTION(signer)
STRING_OPTION(trust_bundle)
STRING_OPTION(host_units)
FLAG_OPTION(kubernetes)
FLAG_OPTION(pod_cgroups)
FLAG_OPTION(uninstall)
FLAG_OPTION(help)
FLAG_OPTION(version)

static int set_trust_domain(struct agent_options *options, char *arg)
{
	size_t length = strlen(arg);

	if (!length || length > TRUST_DOMAIN_MAX)
		return -EINVAL;
	for (const char *p = arg; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
		    !strchr(".-_", *p))
			return -EINVAL;
	options->trust_domain = arg;
	return 0;
}

static int parse_number(const char *arg, unsigned long max, unsigned long *ret)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(arg, &end, 10);
	if (!isdigit((unsigned char)*arg) || *end || errno || number > max)
		return -EINVAL;
	*ret = number;
	return 0;
}

static int set_node(struct agent_options *options, char *arg)
{
	unsigned long node;

	options->node_auto = streq(arg, "auto");
	if (options->node_auto)
		return 0;
	if (parse_number(arg, UINT16_MAX, &node) < 0 || !node)
		return -EINVAL;
	options->node = node;
	return 0;
}

/* As in the SPIFFE ID: a DNS name. */
static int set_node_name(struct agent_options *options, char *arg)
{
	size_t length = strlen(arg);

	if (!length || length >= NODE_NAME_MAX || !isalnum((unsigned char)*arg) ||
	    !isalnum((unsigned char)arg[length - 1]))
		return -EINVAL;
	for (const char *p = arg; *p; p++)
		if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) && !strchr(".-", *p))
			return -EINVAL;
	options->node_name = arg;
	return 0;
}

static int set_node_scope(struct agent_options *options, char *arg)
{
	options->node_scope = streq(arg, "audit") ? CS_NODE_SCOPE_AUDIT : CS_NODE_SCOPE_ENFORCE;
	return streq(arg, "audit") || streq(arg, "enforce") ? 0 : -EINVAL;
}

static int set_key_lifetime(struct agent_options *options, char *arg)
{
	int r = duration_parse(arg, &options->key_lifetime_s);

	if (r < 0 || options->key_lifetime_s < OPTIONS_KEY_LIFETIME_MIN_S ||
	    options->key_lifetime_s > NODE_KEY_LIFETIME_MAX_MS / 1000)
		return -EINVAL;
	return 0;
}

static int set_svid_lifetime(struct agent_options *options, char *arg)
{
	int r = duration_parse(arg, &options->svid_lifetime_s);

	return r < 0 || !options->svid_lifetime_s ? -EINVAL : 0;
}

static int set_history(struct agent_options *options, char *arg)
{
	unsigned long n;

	if (parse_number(arg, REVISIONS_MAX, &n) < 0 || !n)
		return -EINVAL;
	options->history = n;
	return 0;
}

/* "10.0.0.0/8" or "fd00::/8"; the compiler judges the bits beyond the prefix. */
static bool is_cidr(const char *text)
{
	char copy[INET6_ADDRSTRLEN + sizeof("/128")];
	struct in6_addr addr;
	unsigned long length;
	char *slash;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (!slash)
		return false;
	*slash = '\0';
	if (inet_pton(AF_INET, copy, &addr) == 1)
		return parse_number(slash + 1, 32, &length) == 0;
	return inet_pton(AF_INET6, copy, &addr) == 1 && parse_number(slash + 1, 128, &length) == 0;
}

/* May be given several times; the networks add up. */
static int set_tag_networks(struct agent_options *options, char *arg)
{
	size_t n = 0;
	char *next;

	while (options->tag_networks && options->tag_networks[n])
		n++;
	for (char *cidr = strtok_r(arg, ",", &next); cidr; cidr = strtok_r(NULL, ",", &next)) {
		char **more;

		if (!is_cidr(cidr) || n >= OPTIONS_TAG_NETWORKS_MAX)
			return -EINVAL;
		more = reallocarray(options->tag_networks, n + 2, sizeof(*more));
		if (!more)
			return -ENOMEM;
		options->tag_networks = more;
		more[n++] = cidr;
		more[n] = NULL;
	}
	return n ? 0 : -EINVAL;
}

static int set_default_action(struct agent_options *options, char *arg)
{
	int verdict = verdict_from_word(arg);

	if (verdict < 0)
		return verdict;
	options->default_verdict = verdict;
	return 0;
}

static int set_deny(struct agent_options *options, char *arg)
{
	int mode = deny_mode_from_word(arg);

	if (mode < 0)
		return mode;
	options->deny_mode = mode;
	return 0;
}

static int set_own_node(struct agent_options *options, char *arg)
{
	options->own_node = streq(arg, "allow");
	return options->own_node || streq(arg, "policy") ? 0 : -EINVAL;
}

static int set_mode(struct agent_options *options, char *arg)
{
	options->audit = streq(arg, "audit");
	return options->audit || streq(arg, "enforce") ? 0 : -EINVAL;
}

static int set_log_level(struct agent_options *options, char *arg)
{
	static const char *const levels[] = {
		[LOG_DEBUG] = "debug",
		[LOG_INFO] = "info",
		[LOG_WARNING] = "warning",
		[LOG_ERROR] = "error",
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (streq(arg, levels[i])) {
			options->log_level = i;
			return 0;
		}
	}
	return -EINVAL;
}

static const struct option_row rows[] = {
	{ "manifests", "DIR", "read Workload and IdentityPolicy manifests (*.yaml) from DIR",
	  "a directory", set_manifests },
	{ "kubernetes", NULL, "read pods and policy from the Kubernetes API server", NULL,
	  set_kubernetes },
	{ "kubeconfig", "FILE", "how to reach it (default: as kubectl, or as a pod does)", "a file",
	  set_kubeconfig },
	{ "kube-context", "NAME", "context of the kubeconfig (default: the current one)",
	  "a context's name", set_kube_context },
	{ "kube-namespace", "NAME", "namespace of the agent's own objects (default: the pod's)",
	  "a namespace", set_kube_namespace },
	{ "cgroup-root", "DIR", "guard the cgroups below DIR (default: the cgroup2 mount point)",
	  "a directory", set_cgroup_root },
	{ "bpffs", "DIR", "keep programs and maps in DIR (default: /sys/fs/bpf/countersign)",
	  "a directory", set_bpffs },
	{ "state", "DIR", "keep the socket agent.sock in DIR (default: /run/countersign)",
	  "a directory", set_state },
	{ "history", "N", "keep the last N accepted policy sets (default: 10)",
	  "a number from 1 to 100", set_history },
	{ "history-dir", "DIR", "keep them in DIR (default: history in the state directory)",
	  "a directory", set_history_dir },
	{ "trust-domain", "NAME", "trust domain of the SPIFFE IDs (default: cluster.local)",
	  "at most 255 lower-case letters, digits, '.', '-' and '_'", set_trust_domain },
	{ "tag-networks", "CIDR,...", "write tags towards these networks, too",
	  "networks such as 10.0.0.0/8,fd00::/8", set_tag_networks },
	{ "default-action", "WORD", "where no policy isolates: allow (default), deny or audit",
	  "allow, deny or audit", set_default_action },
	{ "mode", "WORD",
	  "what policies do: enforce (default), or audit: every one is only reported on",
	  "enforce or audit", set_mode },
	{ "deny", "WORD", "what the denied see: drop (default, silence) or reject (an error)",
	  "drop or reject", set_deny },
	{ "own-node", "WORD", "between the node and its pods: allow (default) or ask the policy",
	  "allow or policy", set_own_node },
	{ "node", "N", "number of this node (default: 1); auto: claim one in the cluster",
	  "a number from 1 to 65535, or auto", set_node },
	{ "node-name", "NAME", "name of this node (default: the host's name)",
	  "at most 63 lower-case letters, digits, '-' and '.'", set_node_name },
	{ "pod-cgroups", NULL,
	  "cgroups below kubepods* are pods': what is in one of no known pod waits "
	  "(--kubernetes implies it)",
	  NULL, set_pod_cgroups },
	{ "host-units", "UNIT,...", "systemd units of this host that are workloads of their own",
	  "units such as kubelet.service,sshd.service", set_host_units },
	{ "nodes", "DIR",
	  "other nodes' records are read from DIR, this node's is written there; kubernetes: for "
	  "NodeIdentity objects",
	  "a directory, or kubernetes:", set_nodes },
	{ "credential", "SOURCE",
	  "this node's SVID: files:DIR, spiffe:unix:///SOCKET, kube-csr:SIGNER or ca:DIR",
	  "files:DIR, spiffe:unix:///SOCKET, kube-csr:SIGNER or ca:DIR", set_credential },
	{ "trust-bundle", "FILE", "the trust anchors (PEM) that kube-csr: verifies with", "a file",
	  set_trust_bundle },
	{ "signer", "ca:DIR", "sign the nodes' certificate requests while this node leads",
	  "ca:DIR", set_signer },
	{ "credential-key", "URI", "its private key is held by an OpenSSL provider, not in a file",
	  "a URI such as pkcs11:object=...", set_credential_key },
	{ "credential-provider", "NAME", "the OpenSSL provider for that, such as pkcs11 or tpm2",
	  "a provider's name", set_credential_provider },
	{ "svid-lifetime", "DURATION", "lifetime of an SVID that ca: issues (default: 1h)",
	  DURATION_EXPECTED, set_svid_lifetime },
	{ "bundles", "DIR",
	  "trust bundles of other trust domains, as `countersign bundle set` "
	  "writes them",
	  "a directory", set_bundles },
	{ "key-lifetime", "DURATION",
	  "a node key lives so long; half of it later comes the next "
	  "(default: 1h)",
	  "from 2s to 7d: " DURATION_EXPECTED, set_key_lifetime },
	{ "node-scope", "WORD",
	  "claims of identities that run on other nodes: enforce (default) "
	  "or audit",
	  "enforce or audit", set_node_scope },
	{ "cluster-salt-file", "FILE", "derive identity numbers from FILE, the same on all nodes",
	  "a file", set_salt_file },
	{ "log-level", "L", "debug, info (default), warning or error",
	  "debug, info, warning or error", set_log_level },
	{ "uninstall", NULL, "remove every program, map and pin, then exit", NULL, set_uninstall },
	{ "help", NULL, "show this text", NULL, set_help },
	{ "version", NULL, "show the version", NULL, set_version },
};

void options_help(FILE *f)
{
	fputs("Usage: countersignd --manifests DIR | --kubernetes [OPTION...]\n"
	      "Gives workloads an identity and enforces policy on their connections.\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].metavar ? " " : "",
			 rows[i].metavar ?: "");
		fprintf(f, "  %-26s %s\n", left, rows[i].help);
	}
	fputs("\nSIGHUP reads the manifests again. SIGTERM ends the agent and leaves what is in\n"
	      "force in place; only --uninstall (with the same options) ends enforcement.\n",
	      f);
}

static int complain(const char *text, const char *what)
{
	fprintf(stderr, "countersignd: %s%s; see countersignd --help\n", what, text);
	return -EINVAL;
}

static int apply(struct agent_options *options, const struct option_row *row, char *arg)
{
	int r;

	/* set_tag_networks() cuts its argument up: the message wants all of it. */
	_cleanup_free_ char *given = strdup(arg ?: "");

	r = row->set(options, arg);
	if (r == -EINVAL)
		fprintf(stderr, "countersignd: --%s %s: expected %s\n", row->name, given ?: "",
			row->expected);
	return r;
}

/* What was asked for that only an API server can do; NULL: nothing. */
static const char *needs_kubernetes(const struct agent_options *options)
{
	const struct {
		bool asked;
		const char *what;
	} rows_of_kubernetes[] = {
		{ options->kubeconfig, "--kubeconfig" },
		{ options->kube_context, "--kube-context" },
		{ options->kube_namespace, "--kube-namespace" },
		{ options->signer, "--signer" },
		{ options->node_auto, "--node auto" },
		{ options->nodes && streq(options->nodes, OPTIONS_NODES_KUBERNETES),
		  "--nodes " OPTIONS_NODES_KUBERNETES },
		{ options->credential && startswith(options->credential, "kube-csr:"),
		  "--credential kube-csr:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows_of_kubernetes); i++)
		if (rows_of_kubernetes[i].asked)
			return rows_of_kubernetes[i].what;
	return NULL;
}

static int check(const struct agent_options *options, int argc, char **argv)
{
	if (optind < argc)
		return complain(argv[optind], "unexpected argument ");
	if (options->uninstall || options->help || options->version)
		return 0;
	if (!options->manifests && !options->kubernetes)
		return complain("--manifests DIR or --kubernetes", "missing ");
	if (!options->kubernetes && needs_kubernetes(options))
		return complain(needs_kubernetes(options), "--kubernetes is missing, for ");
	if (options->credential && startswith(options->credential, "kube-csr:") &&
	    !options->trust_bundle)
		return complain("--trust-bundle FILE", "kube-csr: needs anchors: missing ");
	if (!options->nodes != !options->credential)
		return complain(options->nodes ? "--credential SOURCE" : "--nodes DIR",
				"node records need both --nodes and --credential: missing ");
	if (!options->nodes && (options->bundles || options->credential_key))
		return complain("--nodes DIR", "bundles and keys are for node records: missing ");
	return 0;
}

int options_parse(int argc, char **argv, struct agent_options *ret)
{
	struct option table[ARRAY_SIZE(rows) + 1] = { 0 };
	struct agent_options options = {
		.bpffs = "/sys/fs/bpf/countersign",
		.state = "/run/countersign",
		.history = REVISIONS_DEFAULT,
		.trust_domain = "cluster.local",
		.node = 1,
		.default_verdict = CS_VERDICT_ALLOW,
		.deny_mode = CS_DENY_DROP,
		.own_node = true,
		.node_scope = CS_NODE_SCOPE_ENFORCE,
		.key_lifetime_s = KEY_LIFETIME_MS_DEFAULT / 1000,
		.svid_lifetime_s = 3600,
		.log_level = LOG_INFO,
	};
	int r = 0, index, c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		table[i].name = rows[i].name;
		table[i].has_arg = rows[i].metavar ? required_argument : no_argument;
	}
	while (r == 0 && (c = getopt_long(argc, argv, "", table, &index)) != -1)
		r = c == 0 ? apply(&options, &rows[index], optarg) : -EINVAL;
	if (r == 0)
		r = check(&options, argc, argv);
	if (r < 0) {
		options_done(&options);
		return r;
	}
	*ret = options;
	return 0;
}

void options_done(struct agent_options *options)
{
	free(options->tag_networks);
	options->tag_networks = NULL;
}
