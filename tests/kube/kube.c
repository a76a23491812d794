/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster as a whole: started, asked to do something by cluster.sh, ended. */
#include "tests/kube/kube_internal.h"

#define ASSETS "kube/bin"
#define RBAC "deploy/base/rbac.yaml"
#define ADMISSION "deploy/base/admission-policy.yaml"
#define CRDS "policy/crds"
#define CLUSTER_MS 120000 /* the API server starts, on a busy machine */

struct lab *kube_lab(struct kube *kube)
{
	return kube->lab;
}

static const char *source(struct kube *kube, const char *path)
{
	return lab_printf(kube->lab, "%s/../%s", kube->lab->build, path);
}

const char *kube_cluster_argv(struct kube *kube, const char *command, const char *const *args)
{
	const char *argv[LAB_ARGS_MAX] = { source(kube, "tests/kube/cluster.sh"), command,
					   kube->dir };
	const char *output;
	int code;

	lab_args(argv, 3, args);
	/* It writes files, and what it starts is to be in the API server's namespace by itself. */
	output = lab_run_for(kube->lab, CLUSTER_MS, lab_place(NULL, NULL), argv, &code);
	lab_check(kube->lab, code == 0, "cluster.sh %s failed (%d):\n%s", command, code, output);
	return output;
}

static const char *find_assets(struct kube *kube)
{
	const char *given = getenv("KUBEBUILDER_ASSETS");

	return given && *given ? given : lab_printf(kube->lab, "%s/%s", kube->lab->build, ASSETS);
}

static void apply_file(struct kube *kube, const char *path)
{
	if (access(source(kube, path), F_OK) == 0)
		kube_ctl(kube, "apply", "--server-side", "-f", source(kube, path));
}

struct kube *kube_new(struct lab *lab)
{
	struct kube *kube = calloc(1, sizeof(*kube));

	lab_check(lab, kube, "no memory");
	kube->lab = lab;
	kube->dir = lab_path(lab, "kube");
	kube->bin = find_assets(kube);
	kube->host = lab_host(lab, "control", KUBE_ADDRESS, "fd77::ff:1");
	setenv("KUBEBUILDER_ASSETS", kube->bin, 1);
	kube_cluster(kube, "start", "--address", KUBE_ADDRESS, "--port", "6443", "--netns",
		     lab_printf(lab, "/proc/%d/ns/net", kube->host->holder), "--while",
		     lab_printf(lab, "%d", getpid()), "--min-request-timeout", "300");
	kube->url = "https://" KUBE_ADDRESS ":6443";
	kube_api_open(kube);
	kube_namespace(kube, KUBE_SYSTEM, NULL);
	apply_file(kube, CRDS);
	kube_ctl(kube, "wait", "--for", "condition=Established", "--timeout", "9s", "-f",
		 source(kube, CRDS));
	apply_file(kube, RBAC);
	apply_file(kube, ADMISSION);
	return kube;
}

void kube_free(struct kube *kube)
{
	if (!kube)
		return;
	kube_api_close(kube);
	kube_cluster(kube, "stop");
	for (size_t i = 0; i < kube->n_pods; i++)
		free(kube->pod[i]);
	free(kube);
}
