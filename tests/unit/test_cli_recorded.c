/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded flows are foreign input: what is read of them, and that nothing breaks the reader. */
#include <netinet/in.h>

#include "test_cli_files.h"
#include "user/cli/recorded.h"

#define MUTATIONS 3000

static const char line[] =
	"{\"flow\":{\"time\":\"2026-02-18T09:45:13.751Z\",\"verdict\":\"DROPPED\",\"IP\":{"
	"\"source\":\"fd00::1\",\"destination\":\"fd00::2\",\"ipVersion\":\"IPv6\"},\"l4\":{\"UDP\":"
	"{\"source_port\":32982,\"destination_port\":53}},\"source\":{\"identity\":1,\"namespace\":"
	"\"shop\",\"labels\":[\"k8s:stage=prod\",\"k8s:app=checkout\"],\"pod_name\":\"checkout\","
	"\"workloads\":[{\"name\":\"a\"},{\"name\":\"b\"}]},\"destination\":{\"labels\":["
	"\"reserved:world-ipv6\"]},\"Type\":\"L3_L4\",\"traffic_direction\":\"EGRESS\",\"is_reply\":"
	"false,\"extensions\":{\"countersign\":{\"authentication\":\"verified\",\"source\":{"
	"\"spiffe_id\":\"spiffe://example.org/ns/shop/sa/till\",\"workload\":\"shop/checkout\"}}}},"
	"\"node_name\":\"a\"}\n";

/* Reads @length bytes at @text; the errors go nowhere. */
static int read_bytes(struct files *files, const char *text, size_t length, struct recorded *ret)
{
	const char *path = files->n ? files->path[0] : files_path(files, "flows.json");
	FILE *file = fopen(path, "w"), *err = fopen("/dev/null", "w");
	struct cli cli = { .out = err, .err = err };
	int r;

	cr_assert(file && err);
	fwrite(text, 1, length, file);
	fclose(file);
	*ret = (struct recorded){ 0 };
	r = recorded_read(&cli, path, ret);
	fclose(err);
	return r;
}

Test(cli_recorded, what_is_read)
{
	_files_ files;
	struct recorded recorded;
	const struct recorded_flow *flow;

	files_init(&files);
	cr_assert_eq(read_bytes(&files, line, strlen(line), &recorded), CLI_OK);
	cr_assert_eq(recorded.n, 1);
	flow = recorded.flows[0];
	cr_expect_str_eq(flow->source.namespace, "shop");
	cr_expect_str_eq(flow->source.pod, "checkout");
	cr_expect_str_eq(flow->source.workload, "", "any of the two may have been it");
	cr_expect_str_eq(flow->source.service_account, "till");
	cr_expect_str_eq(flow->source.address, "fd00::1");
	cr_assert_eq(flow->source.labels.n, 2);
	cr_expect_str_eq(flow->source.labels.item[0].key, "app", "sorted");
	cr_expect_str_eq(flow->source.labels.item[1].value, "prod");
	cr_expect_str_eq(flow->destination.entity, "World");
	cr_expect_eq(flow->port, 53);
	cr_expect_eq(flow->protocol, IPPROTO_UDP);
	cr_expect_eq(flow->family, 6);
	cr_expect_eq(flow->direction, CS_EGRESS);
	cr_expect_eq(flow->verdict, CS_VERDICT_DENY);
	cr_expect(flow->verified);
	cr_expect_eq(flow->count, 1);
	recorded_done(&recorded);
}

Test(cli_recorded, what_policy_does_not_judge)
{
	static const char *const others[] = {
		"{}",
		"{\"flow\":null}",
		"{\"flow\":[]}",
		"{\"lost_events\":{}}",
		"{\"flow\":{\"verdict\":\"FORWARDED\"}}",
		"{\"flow\":{\"verdict\":\"TRACED\",\"l4\":{\"TCP\":{\"destination_port\":1}}}}",
		"{\"flow\":{\"verdict\":\"DROPPED\",\"l4\":{\"TCP\":{\"destination_port\":0}}}}",
		"{\"flow\":{\"verdict\":\"DROPPED\",\"l4\":{\"TCP\":{\"destination_port\":65536}}}}",
		"{\"flow\":{\"verdict\":\"DROPPED\",\"l4\":{\"TCP\":{\"destination_port\":\"1\"}}}}",
		"{\"flow\":{\"verdict\":\"DROPPED\",\"is_reply\":true,\"l4\":{\"TCP\":{"
		"\"destination_port\":1}}}}",
		"{\"flow\":{\"verdict\":\"DROPPED\",\"Type\":\"L7\",\"l4\":{\"TCP\":{"
		"\"destination_port\":1}}}}",
	};
	_files_ files;

	files_init(&files);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct recorded recorded;

		cr_expect_eq(read_bytes(&files, others[i], strlen(others[i]), &recorded), CLI_OK);
		cr_expect_eq(recorded.n, 0, "%s", others[i]);
		cr_expect_eq(recorded.other, 1, "%s", others[i]);
		recorded_done(&recorded);
	}
}

/* Bytes changed, cut out and doubled anywhere: it is read or refused, and ASan is content. */
Test(cli_recorded, mutations)
{
	_files_ files;
	unsigned int state = 4711, read = 0, refused = 0;
	char text[sizeof(line) + 1];

	files_init(&files);
	for (int i = 0; i < MUTATIONS; i++) {
		size_t length = strlen(line), at = (size_t)rand_r(&state) % length;
		struct recorded recorded;
		int r;

		memcpy(text, line, sizeof(line));
		if (i % 3 == 0)
			text[at] = (char)rand_r(&state);
		else if (i % 3 == 1)
			memmove(text + at, text + at + 1, length-- - at);
		else
			memmove(text + at + 1, text + at, ++length - at);
		r = read_bytes(&files, text, length, &recorded);
		cr_assert(r == CLI_OK || r == CLI_USAGE);
		*(r == CLI_OK ? &read : &refused) += 1;
		recorded_done(&recorded);
	}
	cr_expect(read > MUTATIONS / 10 && refused > MUTATIONS / 10, "%u read, %u refused", read,
		  refused);
}
