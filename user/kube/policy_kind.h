/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of policies as the API server names them, and what status they can have. */
#pragma once

#include "user/base/util.h"

enum policy_status {
	POLICY_STATUS_NONE, /* NetworkPolicy: the API has no status for it; there are Events */
	POLICY_STATUS_OWN, /* all of status is ours */
	POLICY_STATUS_SHARED, /* only conditions, whose types have our prefix */
};

struct kube_policy_kind {
	const char *kind;
	const char *group;
	const char *version;
	const char *plural;
	bool cluster; /* has no namespace */
	enum policy_status status;
};

extern const struct kube_policy_kind kube_policy_kinds[];
extern const size_t kube_policy_kinds_n;

/* Before the type of a condition, where others have conditions, too. */
const char *policy_kind_prefix(const struct kube_policy_kind *kind);

/* What @document ("IdentityPolicy/shop/web") is about; NULL: no policy. */
const struct kube_policy_kind *policy_kind_of(const char *document);

/* "<kind>/<namespace>/<name>" or "<kind>/<name>", taken apart in place. */
struct kube_object_name {
	char *text; /* owns what the others point into */
	const char *kind;
	const char *namespace; /* "" for cluster-wide kinds */
	const char *name;
};
/* -EINVAL: it is not of that form. */
int kube_object_name(const char *document, struct kube_object_name *ret);
void kube_object_name_done(struct kube_object_name *name);
