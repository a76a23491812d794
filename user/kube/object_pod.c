/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Pod as a Workload. Who it is comes from metadata.namespace and spec.serviceAccountName,
 * which the API server lets nobody forge, never from labels, whatever they are called
 * (CVE-2023-39347).
 */
#include <arpa/inet.h>

#include "user/kube/object_internal.h"

#define MIRROR "kubernetes.io/config.mirror" /* the kubelet's image of a static pod */
#define STATIC_UID "kubernetes.io/config.hash" /* what its cgroups are named after */
#define STATIC_UID_LENGTH 32 /* an MD5; a UID that the API server gives has dashes */
#define SERVICE_ACCOUNT_DEFAULT "default"

/* What of a pod may be absent, but no other type: NULL in @ret when it is. */
static int text_of(const json_t *object, const char *key, const char **ret)
{
	const json_t *value = json_object_get(object, key);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	*ret = json_string_value(value);
	return *ret ? 0 : -EINVAL;
}

static int set_text(json_t *to, const char *key, const char *text)
{
	return json_object_set_new(to, key, json_string(text)) < 0 ? -ENOMEM : 0;
}

/* Only what has something in it. */
static int set_list(json_t *to, const char *key, json_t *list)
{
	return json_array_size(list) && json_object_set(to, key, list) < 0 ? -ENOMEM : 0;
}

/*
 * The UID that the pod's cgroups carry. Anybody who may create pods can write annotations:
 * one that could name another pod's UID would take its place. A static pod's is told apart
 * by its form, which no UID of the API server has.
 */
static int pod_uid(const json_t *metadata, const char **ret)
{
	const json_t *annotations = json_object_get(metadata, "annotations");
	const char *uid;

	if (!json_object_get(annotations, MIRROR))
		return text_of(metadata, "uid", ret);
	if (text_of(annotations, STATIC_UID, &uid) < 0 || !uid ||
	    strlen(uid) != STATIC_UID_LENGTH || strspn(uid, "0123456789abcdef") < STATIC_UID_LENGTH)
		return -EINVAL;
	*ret = uid;
	return 0;
}

/* Once each, in one way of writing. */
static int add_address(json_t *list, const char *text)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	char canonical[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (inet_pton(family, text, &address) != 1)
		return -EINVAL;
	inet_ntop(family, &address, canonical, sizeof(canonical));
	for (size_t i = 0; i < json_array_size(list); i++)
		if (streq(json_string_value(json_array_get(list, i)), canonical))
			return 0;
	return json_array_append_new(list, json_string(canonical)) < 0 ? -ENOMEM : 0;
}

/* Both families; podIP is the first of podIPs, or all there is. */
static int add_addresses(const json_t *status, json_t *list)
{
	const json_t *all = json_object_get(status, "podIPs");
	const char *text;
	int r;

	if (all && !json_is_null(all) && !json_is_array(all))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(all); i++) {
		if (!json_is_object(json_array_get(all, i)))
			return -EINVAL;
		r = text_of(json_array_get(all, i), "ip", &text);
		if (r == 0 && text && *text)
			r = add_address(list, text);
		if (r < 0)
			return r;
	}
	if (json_array_size(list))
		return 0;
	r = text_of(status, "podIP", &text);
	return r == 0 && text && *text ? add_address(list, text) : r;
}

static bool has_port(const json_t *list, const char *name, const char *protocol)
{
	size_t i;
	json_t *port;

	json_array_foreach((json_t *)list, i, port) {
		if (streq(json_string_value(json_object_get(port, "name")), name) &&
		    streq(json_string_value(json_object_get(port, "protocol")), protocol))
			return true;
	}
	return false;
}

/* The first container that gives a name to a port is the one it means. */
static int add_port(json_t *list, const json_t *port)
{
	const json_t *number = json_object_get(port, "containerPort");
	const char *name, *protocol;
	int r;

	r = text_of(port, "name", &name);
	if (r == 0)
		r = text_of(port, "protocol", &protocol);
	if (r < 0 || !json_is_object(port))
		return -EINVAL;
	if (!protocol || !*protocol)
		protocol = "TCP";
	if (!name || !*name || has_port(list, name, protocol))
		return 0;
	if (!json_is_integer(number))
		return -EINVAL;
	r = json_array_append_new(list,
				  json_pack("{s:s, s:I, s:s}", "name", name, "port",
					    json_integer_value(number), "protocol", protocol));
	return r < 0 ? -ENOMEM : 0;
}

/* An init container runs beside the others only when it is one of those that restart. */
static bool runs_on(const json_t *container, bool init)
{
	const char *restart = json_string_value(json_object_get(container, "restartPolicy"));

	return !init || (restart && streq(restart, "Always"));
}

static int add_ports(const json_t *spec, const char *key, bool init, json_t *list)
{
	const json_t *containers = json_object_get(spec, key);
	int r = 0;

	if (containers && !json_is_null(containers) && !json_is_array(containers))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *container = json_array_get(containers, i);
		const json_t *ports = json_object_get(container, "ports");

		if (ports && !json_is_null(ports) && !json_is_array(ports))
			return -EINVAL;
		for (size_t p = 0; p < json_array_size(ports) && runs_on(container, init); p++) {
			r = add_port(list, json_array_get(ports, p));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* In the node's network a pod has no address of its own: those are its node's. */
static int set_network(json_t *workload, const json_t *object, const json_t *spec)
{
	const json_t *host = json_object_get(spec, "hostNetwork");
	_cleanup_json_ json_t *addresses = json_array();
	int r;

	if (!addresses)
		return -ENOMEM;
	if (host && !json_is_boolean(host) && !json_is_null(host))
		return -EINVAL;
	if (json_is_true(host))
		return json_object_set_new(workload, "hostNetwork", json_true()) < 0 ? -ENOMEM : 0;
	r = add_addresses(json_object_get(object, "status"), addresses);
	return r < 0 ? r : set_list(workload, "addresses", addresses);
}

static int set_ports(json_t *workload, const json_t *spec)
{
	_cleanup_json_ json_t *ports = json_array();
	int r;

	if (!ports)
		return -ENOMEM;
	r = add_ports(spec, "containers", false, ports);
	if (r == 0)
		r = add_ports(spec, "initContainers", true, ports);
	return r < 0 ? r : set_list(workload, "ports", ports);
}

static int set_spec(json_t *workload, const json_t *object, const char *node)
{
	const json_t *spec = json_object_get(object, "spec");
	const char *account, *uid = NULL;
	int r;

	r = text_of(spec, "serviceAccountName", &account);
	if (r == 0)
		r = pod_uid(json_object_get(object, "metadata"), &uid);
	if (r < 0)
		return r;
	if (!uid || !*uid)
		return -EINVAL;
	r = set_text(workload, "serviceAccount",
		     account && *account ? account : SERVICE_ACCOUNT_DEFAULT);
	if (r == 0)
		r = set_text(workload, "podUID", uid);
	if (r == 0)
		r = set_text(workload, "node", node);
	if (r == 0)
		r = set_network(workload, object, spec);
	return r < 0 ? r : set_ports(workload, spec);
}

static int write_workload(const json_t *object, const char *node, char **ret)
{
	static const char *const fields[] = { "metadata.name", "metadata.namespace",
					      "metadata.labels" };
	_cleanup_json_ json_t *document = json_pack("{s:s, s:s, s:{}}", "apiVersion",
						    "countersign.dev/v1alpha1", "kind", "Workload",
						    "spec");
	int r = document ? 0 : -ENOMEM;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && r == 0; i++)
		r = kube_pick(document, object, fields[i]);
	if (r == 0)
		r = set_spec(json_object_get(document, "spec"), object, node);
	return r < 0 ? r : kube_document_text(document, ret);
}

/* Whether all its containers have ended for good; an unknown phase is none of those. */
static bool ended(const char *phase)
{
	return phase && (streq(phase, "Succeeded") || streq(phase, "Failed"));
}

int kube_pod_document(const json_t *object, char **ret)
{
	const json_t *spec = json_object_get(object, "spec");
	const char *kind, *node, *phase;

	if (text_of(object, "kind", &kind) < 0 || !kind || !streq(kind, "Pod") ||
	    !kube_object_named(object) || !json_is_object(spec))
		return -EINVAL;
	if (text_of(spec, "nodeName", &node) < 0 ||
	    text_of(json_object_get(object, "status"), "phase", &phase) < 0)
		return -EINVAL;
	if (ended(phase) || !node || !*node) {
		*ret = NULL;
		return 0;
	}
	return write_workload(object, node, ret);
}
