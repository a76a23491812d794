/* SPDX-License-Identifier: Apache-2.0 */
/* Pods, as kubelet and a container runtime make them. */
#include "tests/kube/kube_internal.h"

static const char *const qos_names[] = {
	[KUBE_GUARANTEED] = "",
	[KUBE_BURSTABLE] = "burstable",
	[KUBE_BEST_EFFORT] = "besteffort",
};

static json_t *json_of(struct kube *kube, const char *text, const char *otherwise)
{
	json_t *json = json_loads(text ?: otherwise, 0, NULL);

	lab_check(kube->lab, json, "not JSON: %s", text ?: otherwise);
	return json;
}

static const char *pod_path(const struct kube_pod *pod)
{
	return lab_printf(pod->kube->lab, "/api/v1/namespaces/%s/pods/%s", pod->spec.namespace,
			  pod->spec.name);
}

static json_t *pod_object(struct kube *kube, const struct kube_pod_spec *spec)
{
	json_t *container = json_pack("{s:s, s:s, s:o}", "name", "main", "image", "test", "ports",
				      json_of(kube, spec->ports, "[]"));
	json_t *object =
		json_pack("{s:s, s:s, s:{s:s, s:o, s:o}, s:{s:s, s:s, s:b, s:b, s:i, s:[o]}}",
			  "apiVersion", "v1", "kind", "Pod", "metadata", "name", spec->name,
			  "labels", json_of(kube, spec->labels, "{}"), "annotations",
			  json_of(kube, spec->annotations, "{}"), "spec", "nodeName",
			  spec->node->name, "serviceAccountName", spec->account ?: "default",
			  "hostNetwork", spec->host_network, "automountServiceAccountToken", 0,
			  "terminationGracePeriodSeconds", 0, "containers", container);

	return lab_keep(kube->lab, object);
}

/* What is dashes in a UID is underscores in the name of a slice. */
static const char *slice_uid(struct kube *kube, const char *uid)
{
	char *copy = lab_printf(kube->lab, "%s", uid);

	for (char *p = copy; *p; p++)
		if (*p == '-')
			*p = '_';
	return copy;
}

static const char *cgroup_name(const struct kube_pod *pod)
{
	struct lab *lab = pod->kube->lab;
	const char *qos = qos_names[pod->spec.qos];
	const char *dash = *qos ? "-" : "", *id = slice_uid(pod->kube, pod->uid);
	const char *above;

	if (pod->spec.node->cgroupfs)
		return lab_printf(lab, "kubepods/%s%spod%s/%064x", qos, *qos ? "/" : "", pod->uid,
				  1);
	above = *qos ? lab_printf(lab, "kubepods-%s.slice/", qos) : "";
	return lab_printf(lab,
			  "kubepods.slice/%skubepods%s%s-pod%s.slice/cri-containerd-%064x.scope",
			  above, dash, qos, id, 1);
}

struct kube_pod *kube_pod_create(struct kube *kube, const struct kube_pod_spec *spec)
{
	struct kube_pod *pod = calloc(1, sizeof(*pod));
	const char *path = lab_printf(kube->lab, "/api/v1/namespaces/%s/pods", spec->namespace);
	json_t *answer = kube_call(kube, "POST", path, pod_object(kube, spec), NULL);

	lab_check(kube->lab, pod && kube->n_pods < KUBE_PODS_MAX, "too many pods");
	kube->pod[kube->n_pods++] = pod;
	*pod = (struct kube_pod){ .kube = kube, .spec = *spec };
	pod->uid = lab_str(answer, "metadata.uid");
	pod->cgroup = cgroup_name(pod);
	pod->place = lab_place(pod->cgroup,
			       spec->host_network ? lab_node_host(spec->node->lab) : spec->host);
	return pod;
}

void kube_pod_cgroup(struct kube_pod *pod)
{
	lab_node_cgroup(pod->spec.node->lab, pod->cgroup);
}

static void patch_status(struct kube_pod *pod, json_t *status)
{
	json_t *patch = json_pack("{s:o}", "status", status);

	kube_patch(pod->kube, lab_printf(pod->kube->lab, "%s/status", pod_path(pod)),
		   lab_keep(pod->kube->lab, patch));
}

void kube_pod_running(struct kube_pod *pod)
{
	const char *address = pod->spec.host_network ? pod->spec.node->address4 : pod->spec.address;

	patch_status(pod,
		     json_pack("{s:s, s:s, s:[{s:s}], s:s}", "phase", "Running", "podIP", address,
			       "podIPs", "ip", address, "hostIP", pod->spec.node->address4));
}

void kube_pod_completed(struct kube_pod *pod)
{
	patch_status(pod, json_pack("{s:s}", "phase", "Succeeded"));
}

void kube_pod_delete(struct kube_pod *pod)
{
	long status;

	kube_call(pod->kube, "DELETE",
		  lab_printf(pod->kube->lab, "%s?gracePeriodSeconds=0", pod_path(pod)), NULL,
		  &status);
	lab_check(pod->kube->lab, status == 200 || status == 404, "cannot delete %s: %ld",
		  pod->spec.name, status);
	lab_cgroup_remove_tree(lab_node_cgroup(pod->spec.node->lab, pod->cgroup));
}

struct kube_pod *kube_pod(struct kube *kube, const struct kube_pod_spec *spec)
{
	struct kube_pod *pod = kube_pod_create(kube, spec);

	kube_pod_cgroup(pod);
	kube_pod_running(pod);
	return pod;
}
