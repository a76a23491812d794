/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the API server's resources. */
#pragma once

#include "user/base/util.h"

struct kube_path {
	const char *group; /* "" or NULL for core */
	const char *version;
	const char *namespace; /* NULL or "": cluster-wide */
	const char *plural;
	const char *name; /* NULL: the collection */
	const char *subresource; /* "status"; NULL: none */
};

/*
 * "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", each part escaped. The caller's;
 * NULL: no memory.
 */
char *kube_path_text(const struct kube_path *path);
