/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random changes, one after the other: after each the engine's image means what a compile
 * of the same documents from nothing means. Every identity, every address, every verdict.
 */
#include "test_policy_same.h"

#include "user/identity/bytes.h"
#include "user/policy/engine.h"

#define DOCUMENTS 20
#define POLICY_DOCUMENTS 4 /* the first of them */
#define REVOCATIONS 3 /* one of these */
#define WORKLOAD_DOCUMENTS 14 /* so many that are no objects of the cluster */
#define STEPS 300

struct random_world {
	struct policy_engine *engine;
	struct rule_ids *ids;
	struct image *image; /* in force */
	char *text[DOCUMENTS]; /* NULL: there is none */
	uint64_t state;
	unsigned int efforts[3];
	unsigned int refused;
	struct same_seen seen;
};

static unsigned int roll(struct random_world *w, unsigned int n)
{
	w->state = w->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(w->state >> 33) % n;
}

static const char *pick(struct random_world *w, const char *const *texts, unsigned int n)
{
	return texts[roll(w, n)];
}

#define PICK(w, ...)                                  \
	pick(w, (const char *const[]){ __VA_ARGS__ }, \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void _printf_(2, 3) add(struct bytes *text, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	bytes_put(text, line, strlen(line));
}

/* Names are the document's own, but for one in a hundred that another may have as well. */
static void add_workload(struct random_world *w, struct bytes *text, unsigned int document,
			 unsigned int i)
{
	const char *namespace = PICK(w, "shop", "ops", "lab");

	add(text, "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\nmetadata:\n");
	if (roll(w, 100) == 0)
		add(text, "  name: everybody\n");
	else
		add(text, "  name: w%u-%u\n", document, i);
	add(text, "  namespace: %s\n  labels: {app: %s, stage: %s, job-name: j%u}\n", namespace,
	    PICK(w, "web", "db", "cache"), PICK(w, "prod", "test"), roll(w, 2));
	add(text, "spec:\n  serviceAccount: %s\n", PICK(w, "front", "back", "report-daily"));
	if (i == 0 && document % 3 == 0)
		add(text, "  cgroup: c%u\n", document);
	if (roll(w, 3))
		add(text, "  node: %s\n", PICK(w, "here", "host-a", "host-b"));
	if (roll(w, 6) == 0 && !(i == 0 && document % 3 == 0))
		add(text, "  trustDomain: %s\n", PICK(w, "example.org", "other.org"));
	if (roll(w, 3))
		add(text, "  addresses: [10.%u.0.%u]\n", roll(w, 3), roll(w, 60));
	if (roll(w, 2))
		add(text, "  ports: [{name: http, port: %s}]\n",
		    PICK(w, "80", "8080", "8081", "8082", "8083"));
}

static const char *peer(struct random_world *w)
{
	return PICK(
		w, "{selector: {matchLabels: {app: web}}}", "{selector: {matchLabels: {app: db}}}",
		"{selector: {matchExpressions: [{key: stage, operator: NotIn, values: [prod]}]}}",
		"{namespaceSelector: {matchLabels: {team: qa}}, selector: {matchLabels: {app: cache}}}",
		"{namespaceSelector: {}}", "{serviceAccounts: [{namespace: ops, name: back}]}",
		"{spiffeIDs: [\"spiffe://example.org/ns/*/sa/report-*\"]}",
		"{spiffeIDs: [\"spiffe://other.org/ns/shop/sa/*\"]}",
		"{cidrs: [{cidr: 10.1.0.0/16, except: [10.1.0.0/27]}]}", "{entities: [World]}",
		"{entities: [KubeAPIServer, RemoteNode]}",
		"{selector: {matchLabels: {job-name: j1}}}");
}

static void add_rules(struct random_world *w, struct bytes *text, const char *direction,
		      const char *peers)
{
	unsigned int n = roll(w, 3);

	add(text, "  %s:%s\n", direction, n ? "" : " []");
	while (n--) {
		add(text, "  - action: %s\n", PICK(w, "Allow", "Allow", "Deny"));
		if (roll(w, 5))
			add(text, "    %s: [%s, %s]\n", peers, peer(w), peer(w));
		if (roll(w, 2))
			add(text, "    ports: [{port: %s}]\n", PICK(w, "http", "80", "8080"));
	}
}

static void add_policy(struct random_world *w, struct bytes *text, unsigned int document,
		       unsigned int i)
{
	add(text,
	    "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
	    "metadata: {name: p%u-%u, namespace: %s}\nspec:\n",
	    document, i, PICK(w, "shop", "ops", "lab"));
	add(text, "  subject: {selector: {matchLabels: {app: %s}}}\n", PICK(w, "web", "db"));
	add(text, "  mode: %s\n", PICK(w, "Enforce", "Enforce", "Audit"));
	if (roll(w, 3))
		add_rules(w, text, "ingress", "from");
	if (roll(w, 2))
		add_rules(w, text, "egress", "to");
}

/* Its own document: whatever else is in one that has it is compiled whole. */
static void add_revocation(struct random_world *w, struct bytes *text)
{
	add(text, "---\napiVersion: countersign.dev/v1alpha1\nkind: Revocation\n"
		  "metadata: {name: r}\nspec:\n  reason: random\n  nodes: [host-z]\n");
	add(text, "  workloads: [{namespace: %s, name: w%u-%u}, {namespace: lab, name: nobody}]\n",
	    PICK(w, "shop", "ops", "lab"), POLICY_DOCUMENTS + roll(w, 4), roll(w, 3));
	if (roll(w, 2))
		add(text, "  spiffeIDs: [\"spiffe://%s/ns/%s/sa/%s\"]\n",
		    PICK(w, "example.org", "other.org"), PICK(w, "shop", "ops", "lab"),
		    PICK(w, "front", "back"));
}

static void add_service(struct random_world *w, struct bytes *text, unsigned int document)
{
	add(text,
	    "---\napiVersion: v1\nkind: Service\nmetadata: {name: s%u, namespace: %s}\n"
	    "spec: {clusterIP: 10.96.0.%u, ports: [{name: a, port: %u}, {name: b, port: 53, "
	    "protocol: UDP}]}\n",
	    document % 3, PICK(w, "shop", "ops"), roll(w, 5), 80 + roll(w, 2));
}

static void add_slice(struct random_world *w, struct bytes *text, unsigned int document)
{
	bool apiserver = roll(w, 5) == 0;

	add(text,
	    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	    "metadata: {name: e%u-%u, namespace: %s, labels: {kubernetes.io/service-name: ",
	    document, roll(w, 2), apiserver ? "default" : PICK(w, "shop", "ops"));
	if (apiserver)
		add(text, "kubernetes}}\n");
	else
		add(text, "s%u}}\n", roll(w, 3));
	add(text,
	    "addressType: IPv4\nports: [{name: %s, port: 8080}, {name: b, port: 5353, "
	    "protocol: UDP}]\nendpoints:%s\n",
	    PICK(w, "a", "c"), roll(w, 4) ? "" : " []");
	if (text->data[text->n - 2] == ']')
		return;
	for (unsigned int n = 1 + roll(w, 5); n; n--)
		add(text, "- {addresses: [10.%u.0.%u], conditions: {ready: %s}}\n", roll(w, 3),
		    roll(w, 60), PICK(w, "true", "true", "false"));
}

static void add_node(struct random_world *w, struct bytes *text, unsigned int document)
{
	add(text,
	    "---\napiVersion: v1\nkind: Node\nmetadata: {name: n%u-%u, labels: {zone: %s}}\n"
	    "status: {addresses: [{type: InternalIP, address: 10.%u.0.%u}]}\n",
	    document, roll(w, 2), PICK(w, "a", "b"), roll(w, 3), roll(w, 60));
}

static void add_namespace(struct random_world *w, struct bytes *text)
{
	add(text,
	    "---\napiVersion: v1\nkind: Namespace\n"
	    "metadata: {name: %s, labels: {team: %s, kubernetes.io/metadata.name: x}}\n",
	    PICK(w, "shop", "ops", "empty"), PICK(w, "qa", "dev"));
}

/* What a cluster has besides workloads and policies: one object a document, mostly. */
static void add_objects(struct random_world *w, struct bytes *text, unsigned int document)
{
	for (unsigned int n = roll(w, 5) ? 1 : roll(w, 3); n; n--) {
		if (document < WORKLOAD_DOCUMENTS + 2)
			add_service(w, text, document);
		else if (document < WORKLOAD_DOCUMENTS + 4)
			add_slice(w, text, document);
		else if (document < WORKLOAD_DOCUMENTS + 5)
			add_node(w, text, document);
		else
			add_namespace(w, text);
	}
}

static char *write_document(struct random_world *w, unsigned int document)
{
	struct bytes text = { 0 };
	bool cluster = document >= WORKLOAD_DOCUMENTS;
	unsigned int n = document == REVOCATIONS || cluster ? 0 : roll(w, 5);

	if (document == REVOCATIONS)
		add_revocation(w, &text);
	if (cluster)
		add_objects(w, &text, document);
	for (unsigned int i = 0; i < n; i++) {
		if (document < POLICY_DOCUMENTS || (document == POLICY_DOCUMENTS && i == 0))
			add_policy(w, &text, document, i);
		else
			add_workload(w, &text, document, i);
	}
	if (document == WORKLOAD_DOCUMENTS - 1 && roll(w, 2))
		add(&text, "---\napiVersion: v1\nkind: Namespace\n"
			   "metadata: {name: lab, labels: {team: qa}}\n");
	bytes_put_u8(&text, 0);
	return (char *)text.data;
}

/* ---- stepping ---- */

/* All documents into one set, as tools do; NULL when they are refused. */
static struct image *compile_fresh(struct random_world *w, const struct policy_options *options)
{
	struct compiled c;
	struct image *image;
	char name[16];

	compiled_init(&c);
	for (unsigned int i = 0; i < DOCUMENTS; i++) {
		snprintf(name, sizeof(name), "d%02u.yaml", i);
		if (w->text[i])
			compiled_parse(&c, name, w->text[i]);
	}
	c.options = *options;
	if (c.r == 0)
		compiled_compile(&c);
	image = c.r == 0 ? TAKE_PTR(c.image) : NULL;
	compiled_done(&c);
	return image;
}

static ssize_t stage(struct random_world *w, struct policy_errors *errors)
{
	struct policy_document documents[DOCUMENTS] = { 0 };
	char names[DOCUMENTS][16];
	bool changes = roll(w, 2);
	size_t n = 0;

	for (unsigned int i = 0; i < DOCUMENTS; i++) {
		if (!w->text[i] && !changes)
			continue;
		snprintf(names[n], sizeof(names[n]), "d%02u.yaml", i);
		documents[n] = (struct policy_document){
			.name = names[n],
			.text = w->text[i],
			.length = w->text[i] ? strlen(w->text[i]) : 0,
		};
		n++;
	}
	if (changes)
		return policy_engine_stage_changes(w->engine, documents, n, errors);
	return policy_engine_stage(w->engine, documents, n, errors);
}

/* Whether the documents came into force. */
static bool put_in_force(struct random_world *w, const struct policy_options *options)
{
	struct policy_errors errors = { 0 };
	struct policy_result result;
	ssize_t r = stage(w, &errors);

	if (r >= 0)
		r = policy_engine_compile(w->engine, options, w->ids, POLICY_PEERS, &result,
					  &errors);
	/* Now and then the kernel has no room: the same again, with more effort. */
	if (r == 0 && roll(w, 8) == 0) /* what was done in place is undone */
		r = policy_engine_compile(w->engine, options, w->ids, POLICY_WHOLE, &result,
					  &errors);
	policy_errors_done(&errors);
	if (r < 0 || roll(w, 10) == 0) {
		cr_assert(r == 0 || r == -EBADMSG, "%zd", r);
		policy_engine_reject(w->engine);
		return false;
	}
	w->efforts[result.effort]++;
	policy_engine_accept(w->engine);
	if (result.image != w->image)
		image_free(w->image);
	w->image = result.image;
	return true;
}

static void step(struct random_world *w, const struct policy_options *options, unsigned int number)
{
	unsigned int i = roll(w, 4) ? POLICY_DOCUMENTS + roll(w, DOCUMENTS - POLICY_DOCUMENTS)
				    : roll(w, POLICY_DOCUMENTS);
	char *before = w->text[i];
	struct image *fresh;

	w->text[i] = roll(w, 8) ? write_document(w, i) : NULL;
	if (put_in_force(w, options)) {
		free(before);
	} else {
		w->refused++;
		free(w->text[i]);
		w->text[i] = before;
	}
	if (!w->image)
		return;
	fresh = compile_fresh(w, options);
	cr_assert_not_null(fresh, "step %u: what is in force compiles", number);
	same_images(w->image, fresh, number, &w->seen);
	image_free(fresh);
}

static void run(uint64_t seed, unsigned int efforts[static 3], unsigned int seen[static SAME_SEEN])
{
	struct random_world w = { .state = seed };
	struct compiled c;

	compiled_init(&c);
	c.options.node_name = seed % 4 ? "here" : NULL;
	cr_assert_eq(policy_engine_new(&w.engine), 0);
	cr_assert_eq(rule_ids_new(&w.ids), 0);
	for (unsigned int i = 0; i < STEPS; i++)
		step(&w, &c.options, i);
	for (unsigned int i = 0; i < 3; i++)
		efforts[i] += w.efforts[i];
	for (unsigned int i = 0; i < SAME_SEEN; i++)
		seen[i] += w.seen.n[i];
	for (unsigned int i = 0; i < DOCUMENTS; i++)
		free(w.text[i]);
	policy_engine_free(w.engine);
	rule_ids_free(w.ids);
	image_free(w.image);
	compiled_done(&c);
}

Test(policy_engine_random, any_sequence_means_what_a_whole_compile_means, .timeout = 300)
{
	unsigned int efforts[3] = { 0 }, seen[SAME_SEEN] = { 0 };

	for (uint64_t seed = 1; seed <= 10; seed++)
		run(seed, efforts, seen);
	for (unsigned int i = 0; i < SAME_SEEN; i++)
		cr_expect_gt(seen[i], 500, "kind %u: %u", i, seen[i]);
	cr_expect_gt(efforts[POLICY_WHOLE], 100, "%u", efforts[POLICY_WHOLE]);
	cr_expect_gt(efforts[POLICY_RULES], 100, "%u", efforts[POLICY_RULES]);
	cr_expect_gt(efforts[POLICY_PEERS], 100, "%u", efforts[POLICY_PEERS]);
}
