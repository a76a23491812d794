/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the API server is and how to log in, found as kubectl finds it: a kubeconfig
 * (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/) or, in
 * a pod, the ServiceAccount's files. Tokens and CA files are named here and read again whenever
 * they change: what is in memory is never older than the files.
 */
#pragma once

#include "user/kube/error.h"

#define KUBE_FILE_BYTES_MAX (1 << 20) /* of a kubeconfig, a token, a CA bundle */
#define KUBE_EXEC_TIMEOUT_MS 30000 /* the longest that a credential plugin may take */

struct kube_config_options {
	const char *kubeconfig; /* path; NULL: $KUBECONFIG, in-cluster files, ~/.kube/config */
	const char *context; /* NULL: the current one */
	const char *in_cluster_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
};

struct kube_config;

/*
 * -ENOENT: there is none; -EBADMSG: the file is not one, @reterr has file, line, field and
 * remedy; -ENOTSUP: it asks for something that is refused here (basic auth, auth-provider).
 */
int kube_config_new(const struct kube_config_options *options, struct kube_config **ret,
		    struct kube_error *reterr);
struct kube_config *kube_config_free(struct kube_config *config); /* takes and returns NULL */
static inline void kube_config_freep(struct kube_config **config)
{
	kube_config_free(*config);
}

const char *kube_config_server(const struct kube_config *config); /* "https://10.96.0.1:443" */
const char *kube_config_namespace(const struct kube_config *config); /* of the context; "default" */
