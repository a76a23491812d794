/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that are watched, and the documents of all that stay what they are. */
#include "user/kube/object_internal.h"

#define GROUP "countersign.dev"
#define OWN_ANNOTATIONS GROUP "/" /* all others are of no interest */

#define NAMES "metadata.name", "metadata.namespace", "metadata.labels", "metadata.uid"
#define METADATA NAMES, "metadata.generation", "metadata.creationTimestamp", "metadata.annotations"

static const char *const namespace_fields[] = { METADATA, NULL };
/* Unknown fields of a policy are refused by its parser, so they must get there. */
static const char *const policy_fields[] = { METADATA, "spec", NULL };
static const char *const node_fields[] = { METADATA, "spec.podCIDRs", "status.addresses", NULL };
static const char *const service_fields[] = {
	METADATA,
	"spec.type",
	"spec.clusterIP",
	"spec.clusterIPs",
	"spec.externalIPs",
	"spec.ports[].name",
	"spec.ports[].port",
	"spec.ports[].protocol",
	"status.loadBalancer.ingress[].ip",
	"status.loadBalancer.ingress[].ipMode",
	NULL,
};
static const char *const slice_fields[] = {
	METADATA,	"addressType",	"endpoints[].addresses", "endpoints[].conditions.ready",
	"ports[].name", "ports[].port", "ports[].protocol",	 NULL,
};
/* Not podUID, nor any field to come: whose cgroup is whose is only for kubelets to say. */
static const char *const workload_fields[] = {
	METADATA,     "spec.serviceAccount", "spec.cgroup", "spec.systemdUnit", "spec.addresses",
	"spec.ports", "spec.hostNetwork",    "spec.node",   "spec.trustDomain", NULL,
};
static const char *const pod_fields[] = {
	NAMES,
	"metadata.annotations",
	"spec.nodeName",
	"spec.serviceAccountName",
	"spec.hostNetwork",
	"spec.containers[].ports",
	"spec.initContainers[].restartPolicy",
	"spec.initContainers[].ports",
	"status.phase",
	"status.podIP",
	"status.podIPs",
	NULL,
};

static bool has_text(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && streq(value, text);
}

/* Copies all annotations that are ours; the others are rewritten all the time. */
static int keep_annotations(json_t *metadata)
{
	json_t *all = json_object_get(metadata, "annotations"), *value;
	_cleanup_json_ json_t *kept = json_object();
	const char *key;

	if (!kept)
		return -ENOMEM;
	json_object_foreach(all, key, value)
		if (startswith(key, OWN_ANNOTATIONS) && json_object_set(kept, key, value) < 0)
			return -ENOMEM;
	if (!json_object_size(kept)) {
		json_object_del(metadata, "annotations");
		return 0;
	}
	return json_object_set(metadata, "annotations", kept) < 0 ? -ENOMEM : 0;
}

static int set_kind(json_t *document, const struct kube_resource *resource)
{
	_cleanup_json_ json_t *version = json_sprintf(
		"%s%s%s", resource->group, *resource->group ? "/" : "", resource->version);
	int r;

	if (!version)
		return -ENOMEM;
	r = json_object_set(document, "apiVersion", version);
	if (r == 0)
		r = json_object_set_new(document, "kind", json_string(resource->kind));
	return r < 0 ? -ENOMEM : 0;
}

/* What the kind's fields are, and nothing else, in an order that never changes. */
static int pass(const json_t *object, const char *kind, char **ret)
{
	const struct kube_resource *resource = &kube_kind_find(kind)->resource;
	_cleanup_json_ json_t *document = json_object();
	int r;

	if (!document)
		return -ENOMEM;
	if (!has_text(object, "kind", kind) || !kube_object_named(object))
		return -EINVAL;
	for (const char *const *field = resource->fields; *field; field++) {
		r = kube_pick(document, object, *field);
		if (r < 0)
			return r;
	}
	r = set_kind(document, resource);
	if (r == 0)
		r = keep_annotations(json_object_get(document, "metadata"));
	return r < 0 ? r : kube_document_text(document, ret);
}

/* An ExternalName is a name for DNS only: no packet has anything to do with it. */
static int pass_service(const json_t *object, char **ret)
{
	if (has_text(json_object_get(object, "spec"), "type", "ExternalName")) {
		*ret = NULL;
		return 0;
	}
	return pass(object, "Service", ret);
}

/* Names of hosts are behind it, and no packet carries those. */
static int pass_slice(const json_t *object, char **ret)
{
	if (has_text(object, "addressType", "FQDN")) {
		*ret = NULL;
		return 0;
	}
	return pass(object, "EndpointSlice", ret);
}

#define PASS(kind)                                               \
	static int pass_##kind(const json_t *object, char **ret) \
	{                                                        \
		return pass(object, #kind, ret);                 \
	}
PASS(Namespace)
PASS(Node)
PASS(NetworkPolicy)
PASS(ClusterNetworkPolicy)
PASS(AdminNetworkPolicy)
PASS(BaselineAdminNetworkPolicy)
PASS(IdentityPolicy)
PASS(ClusterIdentityPolicy)
PASS(Workload)
PASS(Revocation)

#define RESOURCE(g, v, p, k, f, ...)  \
	.resource = { .group = (g),   \
		      .version = (v), \
		      .plural = (p),  \
		      .kind = (k),    \
		      .fields = (f),  \
		      __VA_ARGS__ }
#define UPSTREAM "policy.networking.k8s.io"

/*
 * All are required: with any of them missing, something would be let through or denied that
 * is not meant to be. A kind that the server does not have is no reason to wait.
 */
const struct kube_kind kube_kinds[] = {
	{ RESOURCE("", "v1", "pods", "Pod", pod_fields), kube_pod_document, true },
	{ RESOURCE("", "v1", "namespaces", "Namespace", namespace_fields), pass_Namespace, true },
	{ RESOURCE("", "v1", "nodes", "Node", node_fields), pass_Node, true },
	{ RESOURCE("", "v1", "services", "Service", service_fields), pass_service, true },
	{ RESOURCE("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", slice_fields),
	  pass_slice, true },
	{ RESOURCE("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", policy_fields),
	  pass_NetworkPolicy, true },
	{ RESOURCE(UPSTREAM, "v1alpha2", "clusternetworkpolicies", "ClusterNetworkPolicy",
		   policy_fields, .optional = true),
	  pass_ClusterNetworkPolicy, true },
	{ RESOURCE(UPSTREAM, "v1alpha1", "adminnetworkpolicies", "AdminNetworkPolicy",
		   policy_fields, .optional = true),
	  pass_AdminNetworkPolicy, true },
	{ RESOURCE(UPSTREAM, "v1alpha1", "baselineadminnetworkpolicies",
		   "BaselineAdminNetworkPolicy", policy_fields, .optional = true),
	  pass_BaselineAdminNetworkPolicy, true },
	{ RESOURCE(GROUP, "v1alpha1", "identitypolicies", "IdentityPolicy", policy_fields,
		   .optional = true),
	  pass_IdentityPolicy, true },
	{ RESOURCE(GROUP, "v1alpha1", "clusteridentitypolicies", "ClusterIdentityPolicy",
		   policy_fields, .optional = true),
	  pass_ClusterIdentityPolicy, true },
	{ RESOURCE(GROUP, "v1alpha1", "workloads", "Workload", workload_fields, .optional = true),
	  pass_Workload, true },
	{ RESOURCE(GROUP, "v1alpha1", "revocations", "Revocation", policy_fields, .optional = true),
	  pass_Revocation, true },
};
const size_t kube_kinds_n = ARRAY_SIZE(kube_kinds);

const struct kube_kind *kube_kind_find(const char *kind)
{
	for (size_t i = 0; i < kube_kinds_n; i++)
		if (streq(kube_kinds[i].resource.kind, kind))
			return &kube_kinds[i];
	return NULL;
}

int kube_document_name(const char *kind, const char *namespace, const char *name,
		       char ret[KUBE_DOCUMENT_NAME_MAX])
{
	bool has = namespace && *namespace;
	char text[KUBE_DOCUMENT_NAME_MAX];
	int n;

	/* One name must not stand for two objects. */
	if (!*name || strchr(name, '/') || (has && strchr(namespace, '/')))
		return -EINVAL;
	n = snprintf(text, sizeof(text), "%s/%s%s%s", kind, has ? namespace : "", has ? "/" : "",
		     name);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(ret, text, (size_t)n + 1);
	return 0;
}
