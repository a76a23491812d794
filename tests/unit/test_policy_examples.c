/* SPDX-License-Identifier: Apache-2.0 */
/* The examples in policy/ are accepted and mean what their comments say. */
#include <fcntl.h>

#include "tests/unit/test_policy.h"
#include "user/base/file.h"

#define EXAMPLE_MAX 65536

struct expected {
	const char *subject;
	enum cs_direction direction;
	const char *peer;
	uint16_t port;
	bool verified;
	enum cs_verdict verdict;
};

/* Relative to this file's place, so that it does not matter where the tests are run. */
static char *example(const char *name)
{
	char here[] = __FILE__, path[4096], *text = NULL;
	size_t length;

	*strstr(here, "tests/unit/") = '\0';
	snprintf(path, sizeof(path), "%spolicy/examples/%s", here, name);
	cr_assert_eq(file_read_at(AT_FDCWD, path, EXAMPLE_MAX, &text, &length), 0, "%s", path);
	return text;
}

Test(policy_examples, shop)
{
	static const struct expected expected[] = {
		{ "shop/payments", CS_INGRESS, "shop/checkout", 8080, true, CS_VERDICT_ALLOW },
		{ "shop/payments", CS_INGRESS, "shop/checkout", 8080, false, CS_VERDICT_DENY },
		{ "shop/payments", CS_INGRESS, "shop/checkout", 8081, true, CS_VERDICT_DENY },
		{ "shop/payments", CS_INGRESS, "World", 8080, false, CS_VERDICT_DENY },
		{ "shop/checkout", CS_EGRESS, "shop/payments", 8080, true, CS_VERDICT_ALLOW },
		{ "shop/payments", CS_INGRESS, "shop/report-daily", 8081, false, CS_VERDICT_ALLOW },
		{ "shop/checkout", CS_EGRESS, "shop/payments@10.77.0.1", 22, true,
		  CS_VERDICT_AUDIT },
		{ "shop/checkout", CS_EGRESS, "World", 443, false, CS_VERDICT_ALLOW },
		{ "shop/checkout", CS_EGRESS, "Unmanaged", 443, false, CS_VERDICT_AUDIT },
	};
	_cleanup_free_ char *text = example("shop.yaml");
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, text);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct expected *e = &expected[i];
		struct judged flow = {
			.subject = e->subject,
			.direction = e->direction,
			.peer = e->peer,
			.protocol = IPPROTO_TCP,
			.port = e->port,
			.verified = e->verified,
		};

		cr_expect_eq(judge(c.image, &flow).verdict, e->verdict, "case %zu: %s and %s", i,
			     e->subject, e->peer);
	}
}
