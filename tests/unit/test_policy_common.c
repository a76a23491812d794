/* SPDX-License-Identifier: Apache-2.0 */
#include "test_policy.h"

#include <arpa/inet.h>

#define NAME_MAX_TEST 256

void compiled_init(struct compiled *c)
{
	*c = (struct compiled){ .options = {
					.trust_domain = "example.org",
					.default_verdict = CS_VERDICT_ALLOW,
					.salt = { 1, 2 },
					.realtime_ns = 1000000000000,
					.boottime_ns = 10000000000,
				} };
	cr_assert_eq(policy_set_new(&c->set), 0);
	cr_assert_eq(rule_ids_new(&c->ids), 0);
}

void compiled_done(struct compiled *c)
{
	c->set = policy_set_free(c->set);
	c->ids = rule_ids_free(c->ids);
	image_free(c->image);
	c->image = NULL;
	policy_errors_done(&c->errors);
}

void compiled_parse(struct compiled *c, const char *file, const char *text)
{
	int r = policy_set_parse(c->set, file, text, strlen(text), &c->errors);

	if (c->r == 0)
		c->r = r;
}

void compiled_compile(struct compiled *c)
{
	struct image *image = NULL;

	c->r = policy_compile(c->set, &c->options, c->ids, &image, &c->errors);
	if (c->r < 0) {
		cr_assert_null(image, "an output must not be touched on failure");
		return;
	}
	image_free(c->image);
	c->image = image;
}

static void fail_with_errors(const struct compiled *c)
{
	char *text = c->errors.n ? policy_error_text(&c->errors.item[0]) : NULL;

	cr_assert_eq(c->r, 0, "%s", text ? text : strerror(-c->r));
	free(text);
}

void compiled_must(struct compiled *c, const char *text)
{
	compiled_parse(c, "test.yaml", text);
	fail_with_errors(c);
	compiled_compile(c);
	fail_with_errors(c);
}

static bool is_called(const char *text, const char *namespace, const char *name)
{
	char full[NAME_MAX_TEST];

	snprintf(full, sizeof(full), "%s/%s", namespace, name);
	return streq(full, text);
}

const struct image_workload *image_workload(const struct image *image, const char *name)
{
	for (size_t i = 0; i < image->n_workloads; i++)
		if (is_called(name, image->workloads[i].namespace, image->workloads[i].name))
			return &image->workloads[i];
	return NULL;
}

const struct image_identity *image_identity(const struct image *image, const char *name)
{
	for (size_t i = 0; i < image->n_identities; i++) {
		const struct image_identity *identity = &image->identities[i];

		if (*identity->namespace ? is_called(name, identity->namespace, identity->workload)
					 : streq(name, identity->workload))
			return identity;
	}
	return NULL;
}

/* An address or prefix as 16 bytes, with the length of the family's prefix. */
static unsigned int take_address(const char *text, uint8_t ret[static 16])
{
	memset(ret, 0, 16);
	if (inet_pton(AF_INET6, text, ret) == 1)
		return 0;
	ret[10] = ret[11] = 0xff;
	return inet_pton(AF_INET, text, ret + 12) == 1 ? 96 : UINT32_MAX;
}

const struct image_endpoint *image_endpoint(const struct image *image, const char *address)
{
	uint8_t addr[16];

	cr_assert_neq(take_address(address, addr), UINT32_MAX, "%s", address);
	for (size_t i = 0; i < image->n_endpoints; i++)
		if (memcmp(&image->endpoints[i].addr, addr, sizeof(addr)) == 0)
			return &image->endpoints[i];
	return NULL;
}

const struct image_class *image_class(const struct image *image, const char *prefix)
{
	char text[NAME_MAX_TEST];
	unsigned int length;
	uint8_t addr[16];

	cr_assert_eq(sscanf(prefix, "%63[^/]/%u", text, &length), 2);
	length += take_address(text, addr);
	for (size_t i = 0; i < image->n_classes; i++)
		if (image->classes[i].prefix.prefixlen == length &&
		    memcmp(image->classes[i].prefix.word, addr, sizeof(addr)) == 0)
			return &image->classes[i];
	return NULL;
}

/* What the kernel's trie would find: bit by bit, so as not to use the code under test. */
static uint32_t longest_prefix(const struct image *image, const char *address)
{
	uint32_t row = 0;
	int best = -1;
	uint8_t addr[16];

	cr_assert_neq(take_address(address, addr), UINT32_MAX, "%s", address);
	for (size_t i = 0; i < image->n_classes; i++) {
		const uint8_t *prefix = (const uint8_t *)image->classes[i].prefix.word;
		int n = (int)image->classes[i].prefix.prefixlen, bit = 0;

		while (bit < n && ((addr[bit / 8] ^ prefix[bit / 8]) >> (7 - bit % 8) & 1) == 0)
			bit++;
		if (bit == n && n > best) {
			best = n;
			row = image->classes[i].row;
		}
	}
	return row;
}

/* The rows of a peer: of its identity, and of the class of an address. */
static void find_rows(const struct image *image, const char *peer, uint32_t ret[static 2])
{
	char name[NAME_MAX_TEST];
	const char *at = strchr(peer, '@');
	const struct image_identity *identity;

	snprintf(name, sizeof(name), "%.*s", at ? (int)(at - peer) : (int)strlen(peer), peer);
	ret[0] = ret[1] = 0;
	if (strpbrk(name, ".:")) {
		ret[1] = longest_prefix(image, name);
		snprintf(name, sizeof(name), "World");
	}
	identity = image_identity(image, name);
	cr_assert_not_null(identity, "no peer %s", name);
	ret[0] = identity->row;
	if (at)
		ret[1] = longest_prefix(image, at + 1);
}

struct cs_result judge(const struct image *image, const struct judged *flow)
{
	const struct image_workload *workload = image_workload(image, flow->subject);
	const uint32_t *rulesets = workload ? workload->ruleset : image->unmanaged_ruleset;
	struct cs_result result;
	uint32_t row[2];

	cr_assert(workload || streq(flow->subject, "Unmanaged"), "no subject %s", flow->subject);
	find_rows(image, flow->peer, row);
	cs_evaluate(&image->rulesets[rulesets[flow->direction]],
		    &(struct cs_query){
			    .identity = &image->bitmaps[row[0]],
			    .address = &image->bitmaps[row[1]],
			    .now_ns = flow->now_ns,
			    .port = flow->port,
			    .protocol = flow->protocol,
			    .authenticated = flow->verified,
		    },
		    &result);
	return result;
}

static const char *reason_name(uint8_t reason)
{
	switch (reason) {
#define X(num, name, desc, text, remedy) \
	case num:                        \
		return #name;
		CS_REASONS(X)
#undef X
	default:
		return "?";
	}
}

void result_text(const struct image *image, const struct cs_result *result, char *ret, size_t size)
{
	static const char *const verdicts[] = { "NONE", "ALLOW", "DENY", "AUDIT" };
	const struct image_rule *rule = image_rule(image, result->rule);

	snprintf(ret, size, "%s %s%s%s%s%s%s%s", verdicts[result->verdict % CS_VERDICT_MAX],
		 reason_name(result->reason), rule ? " " : "", rule ? rule->namespace : "",
		 rule ? "/" : "", rule ? rule->policy : "", rule ? "#" : "",
		 rule ? rule->rule : "");
}
