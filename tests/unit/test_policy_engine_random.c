/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random changes, one after the other: after each the engine's image means what a compile
 * of the same documents from nothing means. Every identity, every address, every verdict.
 */
#include "test_policy.h"

#include "user/identity/bytes.h"
#include "user/policy/engine.h"

#define DOCUMENTS 14
#define POLICY_DOCUMENTS 4 /* the first of them */
#define REVOCATIONS 3 /* one of these */
#define STEPS 300

struct random_world {
	struct policy_engine *engine;
	struct rule_ids *ids;
	struct image *image; /* in force */
	char *text[DOCUMENTS]; /* NULL: there is none */
	uint64_t state;
	unsigned int efforts[3];
	unsigned int refused;
	unsigned int placements; /* compared, of those the revoked, and revoked addresses */
	unsigned int revoked_placements;
	unsigned int revoked_addresses;
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

static char *write_document(struct random_world *w, unsigned int document)
{
	struct bytes text = { 0 };
	unsigned int n = document == REVOCATIONS ? 0 : roll(w, 5);

	if (document == REVOCATIONS)
		add_revocation(w, &text);
	for (unsigned int i = 0; i < n; i++) {
		if (document < POLICY_DOCUMENTS || (document == POLICY_DOCUMENTS && i == 0))
			add_policy(w, &text, document, i);
		else
			add_workload(w, &text, document, i);
	}
	if (document == DOCUMENTS - 1 && roll(w, 2))
		add(&text, "---\napiVersion: v1\nkind: Namespace\n"
			   "metadata: {name: lab, labels: {team: qa}}\n");
	bytes_put_u8(&text, 0);
	return (char *)text.data;
}

/* ---- comparing ---- */

static const struct image_identity *live_identity(const struct image *image, uint64_t number)
{
	for (size_t i = 0; i < image->n_identities; i++)
		if (image->identities[i].identity == number && !image->identities[i].gone)
			return &image->identities[i];
	return NULL;
}

static const struct image_endpoint *live_endpoint(const struct image *image,
						  const struct cs_addr *addr)
{
	for (size_t i = 0; i < image->n_endpoints; i++)
		if (!image->endpoints[i].gone &&
		    memcmp(&image->endpoints[i].addr, addr, sizeof(*addr)) == 0)
			return &image->endpoints[i];
	return NULL;
}

static size_t count_live(const struct image *image, size_t *ret_endpoints)
{
	size_t n = 0;

	*ret_endpoints = 0;
	for (size_t i = 0; i < image->n_identities; i++)
		n += !image->identities[i].gone;
	for (size_t i = 0; i < image->n_endpoints; i++)
		*ret_endpoints += !image->endpoints[i].gone;
	return n;
}

/* One question to one image: about a local workload, with rows for peer and address. */
static void answer(const struct image *image, const char *name, unsigned int question,
		   const uint32_t row[static 2], char ret[static 256])
{
	static const uint16_t ports[] = { 80, 8080, 8081, 53, 8082, 8083, 1, 2 };
	const struct image_workload *workload = image_workload(image, name);
	struct cs_result result = { 0 };

	cs_evaluate(&image->rulesets[workload->ruleset[question % 2]],
		    &(struct cs_query){
			    .identity = &image->bitmaps[row[0]],
			    .address = &image->bitmaps[row[1]],
			    .now_ns = 1,
			    .port = ports[question / 4],
			    .protocol = IPPROTO_TCP,
			    .authenticated = question / 2 % 2,
		    },
		    &result);
	result_text(image, &result, ret, 256);
}

static void compare_answers(const struct image *a, const struct image *b, const uint32_t *row_a,
			    const uint32_t *row_b, unsigned int step)
{
	char name[256], x[256], y[256];

	for (size_t i = 0; i < a->n_workloads; i++) {
		snprintf(name, sizeof(name), "%s/%s", a->workloads[i].namespace,
			 a->workloads[i].name);
		for (unsigned int question = 0; question < 32; question++) {
			answer(a, name, question, row_a, x);
			answer(b, name, question, row_b, y);
			cr_assert_str_eq(x, y, "step %u, %s, question %u: %s, should be %s", step,
					 name, question, x, y);
		}
	}
}

static void compare_identities(const struct image *a, const struct image *b, unsigned int step)
{
	for (size_t i = 0; i < b->n_identities; i++) {
		const struct image_identity *y = &b->identities[i];
		const struct image_identity *x = live_identity(a, y->identity);

		cr_assert_not_null(x, "step %u: no identity of %s/%s", step, y->namespace,
				   y->workload);
		cr_assert_str_eq(x->namespace, y->namespace);
		cr_assert_str_eq(x->service_account, y->service_account);
		cr_assert_str_eq(x->labels, y->labels);
		cr_assert_str_eq(a->names[x->name_index], b->names[y->name_index]);
		compare_answers(a, b, (uint32_t[]){ x->row, 0 }, (uint32_t[]){ y->row, 0 }, step);
	}
}

static uint32_t class_row(const struct image *image, const struct image_endpoint *endpoint)
{
	return endpoint->class_index ? image->classes[endpoint->class_index - 1].row : 0;
}

static void compare_endpoints(const struct image *a, const struct image *b, unsigned int step)
{
	for (size_t i = 0; i < b->n_endpoints; i++) {
		const struct image_endpoint *y = &b->endpoints[i];
		const struct image_endpoint *x = live_endpoint(a, &y->addr);

		cr_assert_not_null(x, "step %u: an address is missing", step);
		cr_assert_eq(x->flags, y->flags, "step %u", step);
		cr_assert_eq(!x->workload_index, !y->workload_index);
		if (x->workload_index)
			cr_assert_str_eq(a->workloads[x->workload_index - 1].name,
					 b->workloads[y->workload_index - 1].name);
		if (!(x->flags & CS_ENDPOINT_SHARED))
			cr_assert_eq(x->identity, y->identity, "step %u", step);
		compare_answers(a, b, (uint32_t[]){ 0, class_row(a, x) },
				(uint32_t[]){ 0, class_row(b, y) }, step);
	}
}

static const struct image_placement *live_placement(const struct image *image,
						    const struct image_placement *like)
{
	const struct image_placement *found = NULL;

	for (size_t i = 0; i < image->n_placements; i++) {
		const struct image_placement *p = &image->placements[i];

		if (p->gone || p->identity != like->identity || !streq(p->node, like->node) ||
		    !streq(p->trust_domain, like->trust_domain))
			continue;
		cr_assert_null(found, "a pair is there twice");
		found = p;
	}
	return found;
}

static void compare_placements(struct random_world *w, const struct image *b, unsigned int step)
{
	size_t live = 0;

	for (size_t i = 0; i < w->image->n_placements; i++) {
		cr_assert_eq(w->image->placements[i].gone, !w->image->placements[i].workloads);
		live += !w->image->placements[i].gone;
	}
	cr_assert_eq(live, b->n_placements, "step %u: %zu placements, should be %zu", step, live,
		     b->n_placements);
	for (size_t i = 0; i < b->n_placements; i++) {
		const struct image_placement *y = &b->placements[i];
		const struct image_placement *x = live_placement(w->image, y);

		cr_assert_not_null(x, "step %u: nobody on %s", step, y->node);
		cr_assert_eq(x->workloads, y->workloads, "step %u", step);
		cr_assert_eq(x->revoked, y->revoked, "step %u", step);
		w->placements++;
		w->revoked_placements += y->revoked > 0;
	}
	for (size_t i = 0; i < b->n_endpoints; i++)
		w->revoked_addresses += !!(b->endpoints[i].flags & CS_ENDPOINT_REVOKED);
}

static void compare_revocations(const struct image *a, const struct image *b)
{
	cr_assert_eq(a->revocations.n_nodes, b->revocations.n_nodes);
	cr_assert_eq(a->revocations.n_notes, b->revocations.n_notes);
	cr_assert_eq(a->revocations.n_spiffe_ids, b->revocations.n_spiffe_ids);
	for (size_t i = 0; i < a->revocations.n_spiffe_ids; i++)
		cr_assert_str_eq(a->revocations.spiffe_ids[i], b->revocations.spiffe_ids[i]);
	for (size_t i = 0; i < a->n_workloads; i++) {
		char name[256];

		snprintf(name, sizeof(name), "%s/%s", b->workloads[i].namespace,
			 b->workloads[i].name);
		cr_assert_eq(image_workload(a, name)->revoked, b->workloads[i].revoked, "%s", name);
	}
}

/* What is gone, too, must be something that a commit can look at. */
static void expect_in_range(const struct image *image, unsigned int step)
{
	for (size_t i = 0; i < image->n_identities; i++)
		cr_assert_lt(image->identities[i].row, image->n_bitmaps, "step %u", step);
	for (size_t i = 0; i < image->n_endpoints; i++) {
		cr_assert_leq(image->endpoints[i].class_index, image->n_classes, "step %u", step);
		cr_assert_leq(image->endpoints[i].workload_index, image->n_workloads, "step %u",
			      step);
	}
}

static void compare(struct random_world *w, const struct image *fresh, unsigned int step)
{
	size_t endpoints, fresh_endpoints;

	cr_assert_eq(w->image->n_workloads, fresh->n_workloads, "step %u", step);
	cr_assert_eq(count_live(w->image, &endpoints), count_live(fresh, &fresh_endpoints),
		     "step %u", step);
	cr_assert_eq(endpoints, fresh_endpoints, "step %u", step);
	expect_in_range(w->image, step);
	compare_identities(w->image, fresh, step);
	compare_endpoints(w->image, fresh, step);
	compare_placements(w, fresh, step);
	compare_revocations(w->image, fresh);
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
	size_t n = 0;

	for (unsigned int i = 0; i < DOCUMENTS; i++) {
		if (!w->text[i])
			continue;
		snprintf(names[n], sizeof(names[n]), "d%02u.yaml", i);
		documents[n] = (struct policy_document){
			.name = names[n],
			.text = w->text[i],
			.length = strlen(w->text[i]),
		};
		n++;
	}
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
	compare(w, fresh, number);
	image_free(fresh);
}

static void run(uint64_t seed, unsigned int efforts[static 3], unsigned int seen[static 3])
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
	seen[0] += w.placements;
	seen[1] += w.revoked_placements;
	seen[2] += w.revoked_addresses;
	for (unsigned int i = 0; i < DOCUMENTS; i++)
		free(w.text[i]);
	policy_engine_free(w.engine);
	rule_ids_free(w.ids);
	image_free(w.image);
	compiled_done(&c);
}

Test(policy_engine_random, any_sequence_means_what_a_whole_compile_means, .timeout = 300)
{
	unsigned int efforts[3] = { 0 }, seen[3] = { 0 };

	for (uint64_t seed = 1; seed <= 10; seed++)
		run(seed, efforts, seen);
	for (unsigned int i = 0; i < 3; i++)
		cr_expect_gt(seen[i], 500, "kind %u: %u", i, seen[i]);
	cr_expect_gt(efforts[POLICY_WHOLE], 100, "%u", efforts[POLICY_WHOLE]);
	cr_expect_gt(efforts[POLICY_RULES], 100, "%u", efforts[POLICY_RULES]);
	cr_expect_gt(efforts[POLICY_PEERS], 100, "%u", efforts[POLICY_PEERS]);
}
