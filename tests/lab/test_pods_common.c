/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/test_pods_common.h"

#define CONTAINER "ab54d286474e1a4b1c8d3ab2de2d8d0b3bb4f1c2cfea1d5f5dd0ffb4ac5a0c11"

static const char web_pod[] = "apiVersion: countersign.dev/v1alpha1\n"
			      "kind: Workload\n"
			      "metadata: {name: web, namespace: shop, labels: {app: web}}\n"
			      "spec: {serviceAccount: web, podUID: " WEB_UID
			      ", addresses: [10.77.0.2]}\n"
			      "---\n"
			      "apiVersion: countersign.dev/v1alpha1\n"
			      "kind: IdentityPolicy\n"
			      "metadata: {name: web, namespace: shop}\n"
			      "spec:\n"
			      "  subject: {selector: {matchLabels: {app: web}}}\n"
			      "  ingress:\n"
			      "  - action: Allow\n"
			      "    authentication: Required\n"
			      "    from: [{serviceAccounts: [{namespace: shop, name: caller}]}]\n"
			      "    ports: [{port: 8080, protocol: TCP}]\n";

static void fail_test(const char *text)
{
	cr_assert(false, "%s", text);
	abort(); /* not reached: the assertion ends the test */
}

void pods_new(struct pods_world *world, const char *name)
{
	lab_on_failure(fail_test);
	world->lab = lab_new(name);
	world->client = lab_host(world->lab, "client", CLIENT4, NULL);
	world->server = lab_host(world->lab, "server", SERVER4, NULL);
	world->web = pod_container(world, SYSTEMD, BURSTABLE, WEB_UID, world->server);
	lab_manifest(world->lab, "web.yaml", web_pod);
}

void pods_done(struct pods_world *world)
{
	lab_free(world->lab);
	world->lab = NULL;
}

void pods_start(struct pods_world *world, const char *option, const char *value)
{
	lab_agent_start(world->lab, "--pod-cgroups", option, value);
	lab_serve(world->lab, world->web, SERVER4 ":8080");
}

static void dashes_to_underscores(char *text)
{
	for (; *text; text++)
		if (*text == '-')
			*text = '_';
}

const char *pod_path(struct pods_world *world, enum driver driver, enum qos qos, const char *uid)
{
	static const char *const classes[] = { "", "burstable", "besteffort" };
	const char *above = driver == NESTED ? "kubelet-" : "", *class = classes[qos];
	const char *root, *name;
	char escaped[64];

	if (driver == CGROUPFS)
		return lab_printf(world->lab, "kubepods/%s%spod%s", class, *class ? "/" : "", uid);
	snprintf(escaped, sizeof(escaped), "%s", uid);
	dashes_to_underscores(escaped);
	root = lab_printf(world->lab, "%s%skubepods.slice",
			  driver == NESTED ? "kubelet.slice/" : "", above);
	name = lab_printf(world->lab, "%skubepods%s%s", above, *class ? "-" : "", class);
	if (!*class)
		return lab_printf(world->lab, "%s/%s-pod%s.slice", root, name, escaped);
	return lab_printf(world->lab, "%s/%s.slice/%s-pod%s.slice", root, name, name, escaped);
}

struct lab_place pod_container(struct pods_world *world, enum driver driver, enum qos qos,
			       const char *uid, struct lab_host *host)
{
	const char *pod = pod_path(world, driver, qos, uid);

	return lab_place(lab_printf(world->lab,
				    driver == CGROUPFS ? "%s/%s" : "%s/cri-containerd-%s.scope",
				    pod, CONTAINER),
			 host);
}

void pod_declare(struct pods_world *world, const char *name, const char *uid)
{
	lab_manifest(world->lab, lab_printf(world->lab, "pod-%s.yaml", name),
		     lab_printf(world->lab,
				"apiVersion: countersign.dev/v1alpha1\n"
				"kind: Workload\n"
				"metadata: {name: %s, namespace: shop, labels: {app: caller}}\n"
				"spec: {serviceAccount: caller, podUID: %s}\n",
				name, uid));
}

void pod_known(struct pods_world *world, const char *name, const char *uid)
{
	pod_declare(world, name, uid);
	lab_reload(world->lab);
}

void must_be_silent(struct lab_process *client, unsigned int ms)
{
	json_t *answer = lab_read(client, ms);

	cr_assert_null(answer, "there was an answer: %s", json_dumps(answer, 0));
	cr_assert(lab_alive(client));
}
