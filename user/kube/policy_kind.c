/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/policy_kind.h"

#define OURS "countersign.dev", "v1alpha1"
#define UPSTREAM "policy.networking.k8s.io"

const struct kube_policy_kind kube_policy_kinds[] = {
	{ "IdentityPolicy", OURS, "identitypolicies", false, POLICY_STATUS_OWN },
	{ "ClusterIdentityPolicy", OURS, "clusteridentitypolicies", true, POLICY_STATUS_OWN },
	{ "NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies", false,
	  POLICY_STATUS_NONE },
	{ "ClusterNetworkPolicy", UPSTREAM, "v1alpha2", "clusternetworkpolicies", true,
	  POLICY_STATUS_SHARED },
	{ "AdminNetworkPolicy", UPSTREAM, "v1alpha1", "adminnetworkpolicies", true,
	  POLICY_STATUS_SHARED },
	{ "BaselineAdminNetworkPolicy", UPSTREAM, "v1alpha1", "baselineadminnetworkpolicies", true,
	  POLICY_STATUS_SHARED },
};
const size_t kube_policy_kinds_n = ARRAY_SIZE(kube_policy_kinds);

const char *policy_kind_prefix(const struct kube_policy_kind *kind)
{
	return kind->status == POLICY_STATUS_SHARED ? "countersign.dev/" : "";
}

const struct kube_policy_kind *policy_kind_of(const char *document)
{
	size_t length = strcspn(document, "/");

	for (size_t i = 0; i < kube_policy_kinds_n; i++) {
		const struct kube_policy_kind *kind = &kube_policy_kinds[i];

		if (strlen(kind->kind) == length && strncmp(kind->kind, document, length) == 0 &&
		    document[length])
			return kind;
	}
	return NULL;
}

int kube_object_name(const char *document, struct kube_object_name *ret)
{
	_cleanup_free_ char *text = strdup(document);
	char *first, *second;

	if (!text)
		return -ENOMEM;
	first = strchr(text, '/');
	if (!first)
		return -EINVAL;
	*first++ = 0;
	second = strchr(first, '/');
	if (second)
		*second++ = 0;
	if (!*text || !*first || (second && (!*second || strchr(second, '/'))))
		return -EINVAL;
	*ret = (struct kube_object_name){
		.kind = text,
		.namespace = second ? first : "",
		.name = second ?: first,
	};
	ret->text = TAKE_PTR(text);
	return 0;
}

void kube_object_name_done(struct kube_object_name *name)
{
	free(name->text);
	*name = (struct kube_object_name){ 0 };
}
