/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/test_common.h"

static const char workloads[] =
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: checkout, namespace: shop, labels: {app: checkout}}\n"
	"spec: {serviceAccount: checkout, cgroup: shop/checkout, addresses: [10.77.0.1, \"fd77::1\"]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: payments, namespace: shop, labels: {app: payments}}\n"
	"spec:\n"
	"  serviceAccount: payments\n"
	"  cgroup: shop/payments\n"
	"  addresses: [10.77.0.2, \"fd77::2\"]\n"
	"  ports: [{name: http, port: 8080, protocol: TCP}]\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: other, namespace: shop, labels: {app: other}}\n"
	"spec: {serviceAccount: other, cgroup: shop/other, addresses: [10.77.0.3, \"fd77::3\"]}\n";

static void fail_test(const char *text)
{
	cr_assert(false, "%s", text);
	abort(); /* not reached: the assertion ends the test */
}

void world_new(struct world *world, const char *name)
{
	struct lab_host *client, *server, *other;

	lab_on_failure(fail_test);
	world->lab = lab_new(name);
	client = lab_host(world->lab, "client", CLIENT4, CLIENT6);
	server = lab_host(world->lab, "server", SERVER4, SERVER6);
	other = lab_host(world->lab, "other", OTHER4, OTHER6);
	world->client = lab_place("shop/checkout", client);
	world->server = lab_place("shop/payments", server);
	world->other = lab_place("shop/other", other);
	world->stranger = lab_place("nobody", client);
	world->thief = lab_place("shop/other", client);
	world->outside = lab_place(NULL, client);
	lab_cgroup(world->lab, world->client.cgroup);
	lab_cgroup(world->lab, world->server.cgroup);
	lab_cgroup(world->lab, world->other.cgroup);
	lab_manifest(world->lab, "workloads.yaml", workloads);
}

void world_free(struct world *world)
{
	lab_free(world->lab);
	world->lab = NULL;
}

void world_policy(struct world *world, const char *name, const char *spec)
{
	lab_manifest(world->lab, lab_printf(world->lab, "policy-%s.yaml", name),
		     lab_printf(world->lab,
				"apiVersion: countersign.dev/v1alpha1\n"
				"kind: IdentityPolicy\n"
				"metadata: {name: %s, namespace: shop}\n"
				"spec:\n%s",
				name, spec));
}

void world_usual_policy(struct world *world)
{
	world_policy(world, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - name: from-checkout\n"
		     "    action: Allow\n"
		     "    authentication: Required\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n"
		     "    ports: [{port: 8080, endPort: 8090, protocol: TCP}]\n");
}

void world_start(struct world *world)
{
	lab_agent_start(world->lab);
	lab_serve(world->lab, world->server, SERVER4 ":8080");
	lab_serve(world->lab, world->server, "[" SERVER6 "]:8080");
}

json_t *world_connect(struct world *world, struct lab_place from, const char *address)
{
	return lab_connect(world->lab, from, "--timeout=1500", address);
}

void must_answer(const json_t *reply)
{
	cr_assert(lab_bool(reply, "answered"), "not answered: %s", lab_str(reply, "error"));
}

void must_time_out(const json_t *reply)
{
	cr_assert(!lab_bool(reply, "connected"), "a connection that must be denied was made");
	cr_assert_eq(lab_int(reply, "errno"), ETIMEDOUT, "expected silence, got: %s",
		     lab_str(reply, "error"));
}

void must_know_peer(const json_t *reply, const char *authentication, const char *spiffe_id)
{
	cr_assert_str_eq(lab_str(reply, "peer.authentication"), authentication);
	cr_assert_str_eq(lab_str(reply, "peer.spiffe_id"), spiffe_id);
}
