/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at each side of a flow, in JSON. */
#include "test_flow_image.h"

static struct test_image image;
static struct flow_names names;
static struct cs_event event;
static json_t *flow;

static void setup(void)
{
	test_image_init(&image);
	names = test_names(&image);
	event = test_event();
	flow = NULL;
}

static void teardown(void)
{
	json_decref(flow);
}

static void convert(void)
{
	json_decref(flow);
	flow = flow_to_json(&event, &names);
	cr_assert_not_null(flow);
}

TestSuite(flow_endpoint, .init = setup, .fini = teardown);

Test(flow_endpoint, source_is_the_peer_on_ingress)
{
	convert();
	expect_number("flow.source.identity", CHECKOUT);
	expect_text("flow.source.namespace", "shop");
	expect_text("flow.source.pod_name", "checkout");
	expect_text("flow.source.labels.0", "k8s:app=checkout");
	expect_text("flow.source.labels.1", "k8s:stage=prod");
	expect_count("flow.source.labels", 2);
	expect_text("flow.source.workloads.0.name", "checkout");
	expect_text("flow.source.workloads.0.kind", "Workload");
	expect_number("flow.destination.identity", PAYMENTS);
	expect_text("flow.destination.pod_name", "payments");
}

Test(flow_endpoint, source_is_the_subject_on_egress)
{
	event.direction = CS_EGRESS;
	event.identity = CHECKOUT;
	event.peer = cs_tag(9, 1, PAYMENTS);
	convert();
	expect_text("flow.traffic_direction", "EGRESS");
	expect_number("flow.source.identity", CHECKOUT);
	expect_number("flow.destination.identity", PAYMENTS);
	expect_number("flow.source.ID", 5);
	expect_absent("flow.destination.ID");
	expect_text("flow.egress_allowed_by.0.name", "payments");
	expect_absent("flow.ingress_allowed_by");
}

Test(flow_endpoint, endpoint_id_is_the_slot_of_the_subject)
{
	convert();
	expect_number("flow.destination.ID", 5);
	expect_absent("flow.source.ID");
}

Test(flow_endpoint, identity_of_46_bits_is_an_integer)
{
	event.peer = cs_tag(0xffff, 3, CS_IDENTITY_MASK);
	convert();
	expect_number("flow.source.identity", (json_int_t)CS_IDENTITY_MASK);
	expect_number(OURS "source.identity", (json_int_t)CS_IDENTITY_MASK);
	expect_number(OURS "peer_node", 0xffff);
}

struct entity_case {
	uint64_t identity;
	char label[32];
	char text[24];
};

ParameterizedTestParameters(flow_endpoint, entities)
{
	static struct entity_case cases[] = {
		{ CS_ENTITY_HOST, "reserved:host", "Host" },
		{ CS_ENTITY_REMOTE_NODE, "reserved:remote-node", "RemoteNode" },
		{ CS_ENTITY_WORLD, "reserved:world", "World" },
		{ CS_ENTITY_KUBE_APISERVER, "reserved:kube-apiserver", "KubeAPIServer" },
		{ CS_ENTITY_UNMANAGED, "reserved:unmanaged", "Unmanaged" },
		{ 0, "reserved:unknown", "(none)" },
	};

	return cr_make_param_array(struct entity_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct entity_case *c, flow_endpoint, entities)
{
	event.peer = c->identity;
	convert();
	expect_number("flow.source.identity", (json_int_t)c->identity);
	expect_text("flow.source.labels.0", c->label);
	expect_count("flow.source.labels", 1);
	expect_absent("flow.source.pod_name");
	expect_absent("flow.source.workloads");
	expect_text(OURS "source.entity", c->text);
	expect_absent(OURS "source.workload");
}

Test(flow_endpoint, gone_image_leaves_numbers)
{
	event.epoch = EPOCH - 1;
	convert();
	expect_number("flow.source.identity", CHECKOUT);
	expect_absent("flow.source.namespace");
	expect_count("flow.source.labels", 0);
	expect_absent(OURS "rule");
	expect_number(OURS "rule_id", RULE_NAMED);
	expect_absent("flow.ingress_allowed_by");
}

Test(flow_endpoint, unknown_identity_leaves_the_number)
{
	event.peer = cs_tag(9, 0, 123456789);
	convert();
	expect_number("flow.source.identity", 123456789);
	expect_absent("flow.source.pod_name");
	expect_absent(OURS "source.spiffe_id");
}

Test(flow_endpoint, no_names_at_all)
{
	names = (struct flow_names){ 0 };
	convert();
	expect_absent("node_name");
	expect_number("flow.source.identity", CHECKOUT);
	expect_text("flow.verdict", "FORWARDED");
}

Test(flow_endpoint, holes_in_the_image)
{
	image.identities[6] = (struct image_identity){ .identity = CHECKOUT, .name_index = 77 };
	image.workloads[2].namespace = NULL;
	image.workloads[2].name = NULL;
	image.endpoints[1].workload_index = 1000;
	image.rules[RULE_NAMED] = (struct image_rule){ 0 };
	convert();
	expect_number("flow.source.identity", CHECKOUT);
	expect_absent("flow.source.workloads");
	expect_absent(OURS "source.spiffe_id");
	expect_text(OURS "rule", "");
}

Test(flow_endpoint, odd_label_lists)
{
	image.identities[6].labels = ",,app=checkout,,lone,";
	convert();
	expect_count("flow.source.labels", 2);
	expect_text("flow.source.labels.1", "k8s:lone");
}

Test(flow_endpoint, shared_identity_names_all_candidates)
{
	event.peer = cs_tag(9, 0, WORKERS);
	event.source = test_addr("10.77.0.77");
	convert();
	expect_text("flow.source.pod_name", "worker-a");
	expect_count("flow.source.workloads", 2);
}

Test(flow_endpoint, address_singles_out_a_workload)
{
	event.peer = cs_tag(9, 0, WORKERS);
	event.source = test_addr("10.77.0.9");
	convert();
	expect_text("flow.source.pod_name", "worker-b");
	expect_count("flow.source.workloads", 1);
	expect_text(OURS "source.workload", "shop/worker-b");
}

Test(flow_endpoint, shared_address_singles_out_nobody)
{
	event.peer = cs_tag(9, 0, WORKERS);
	event.source = test_addr("10.77.0.8");
	convert();
	expect_count("flow.source.workloads", 2);
}

Test(flow_endpoint, address_of_another_identity_names_nobody_else)
{
	event.source = test_addr("10.77.0.9"); /* worker-b's, but the tag says checkout */
	convert();
	expect_text("flow.source.pod_name", "checkout");
}
