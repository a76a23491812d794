/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroup paths as container runtimes make them, and such as a pod might make up. */
#include <criterion/criterion.h>

#include "user/identity/pod_cgroup.h"

#define UID "1f2e3d4c-5b6a-7988-9796-a5b4c3d2e1f0"
#define UID_ "1f2e3d4c_5b6a_7988_9796_a5b4c3d2e1f0"
#define OTHER "00000000-1111-2222-3333-444444444444"
#define OTHER_ "00000000_1111_2222_3333_444444444444"
#define HASH "0123456789abcdef0123456789abcdef"
#define ID "ab54d286474e1a4b1c8d3ab2de2d8d0b3bb4f1c2cfea1d5f5dd0ffb4ac5a0c11"

struct sample {
	const char *path;
	const char *uid; /* NULL: no cgroup of pods at all; "": above all pods */
	const char *container;
	const char *pod; /* the pod's own cgroup */
};

static const struct sample samples[] = {
	/* containerd, CRI-O and Docker with the systemd driver */
	{ "kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope", UID, ID,
	  "kubepods.slice/kubepods-pod" UID_ ".slice" },
	{ "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	  ".slice/cri-containerd-" ID ".scope",
	  UID, ID, "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice" },
	{ "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" ID
	  ".scope/container",
	  UID, ID,
	  "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice" },
	{ "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
	  ".slice/crio-conmon-" ID ".scope",
	  UID, "",
	  "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice" },
	{ "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/docker-" ID
	  ".scope",
	  UID, ID, "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice" },
	/* a static pod */
	{ "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" HASH
	  ".slice/cri-containerd-" ID ".scope",
	  HASH, ID,
	  "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" HASH ".slice" },
	{ "kubepods/burstable/pod" HASH "/" ID, HASH, ID, "kubepods/burstable/pod" HASH },
	/* the cgroupfs driver */
	{ "kubepods/pod" UID "/" ID, UID, ID, "kubepods/pod" UID },
	{ "kubepods/burstable/pod" UID "/" ID, UID, ID, "kubepods/burstable/pod" UID },
	{ "kubepods/besteffort/pod" UID "/crio-" ID, UID, ID, "kubepods/besteffort/pod" UID },
	{ "kubepods/besteffort/pod" UID, UID, "", "kubepods/besteffort/pod" UID },
	/* kubelet within a container: kind, k3s in Docker, nested ones */
	{ "kubelet/kubepods/burstable/pod" UID "/" ID, UID, ID,
	  "kubelet/kubepods/burstable/pod" UID },
	{ "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	  "kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	  UID, ID,
	  "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	  "kubelet-kubepods-burstable-pod" UID_ ".slice" },
	{ "docker/" ID "/kubelet/kubepods/pod" UID "/" ID, UID, ID,
	  "docker/" ID "/kubelet/kubepods/pod" UID },
	{ "system.slice/docker-" ID ".scope/kubelet.slice/kubelet-kubepods.slice/"
	  "kubelet-kubepods-pod" UID_ ".slice",
	  UID, "",
	  "system.slice/docker-" ID ".scope/kubelet.slice/kubelet-kubepods.slice/"
	  "kubelet-kubepods-pod" UID_ ".slice" },
	{ "k8s.io/kubepods/besteffort/pod" UID "/" ID, UID, ID,
	  "k8s.io/kubepods/besteffort/pod" UID },
	/* cgroups that a container makes itself */
	{ "kubepods/burstable/pod" UID "/" ID "/init.scope/nested", UID, ID,
	  "kubepods/burstable/pod" UID },
	{ "kubepods/burstable/pod" UID "/" ID "/kubepods/burstable/pod" OTHER "/" ID, UID, ID,
	  "kubepods/burstable/pod" UID },
	{ "kubepods/burstable/pod" UID "/kubepods.slice/kubepods-pod" OTHER_ ".slice", UID, "",
	  "kubepods/burstable/pod" UID },
	/* above all pods */
	{ "kubepods", "", "", "" },
	{ "kubepods.slice", "", "", "" },
	{ "kubepods/burstable", "", "", "" },
	{ "kubepods.slice/kubepods-besteffort.slice", "", "", "" },
	{ "kubelet.slice/kubelet-kubepods.slice", "", "", "" },
	/* in the wrong place or shape: of no pod, so it waits */
	{ "kubepods/burstable/besteffort/pod" UID, "", "", "" },
	{ "kubepods/other/pod" UID, "", "", "" },
	{ "kubepods.slice/pod" UID, "", "", "" },
	{ "kubepods.slice/kubepods-burstable.slice/kubepods-pod" UID_ ".slice", "", "", "" },
	{ "kubepods.slice/kubepods-burstable.slice/kubepods-besteffort-pod" UID_ ".slice", "", "",
	  "" },
	{ "kubepods.slice/other-kubepods-pod" UID_ ".slice", "", "", "" },
	{ "kubepods.slice/kubepods-pod" UID ".slice", "", "", "" },
	{ "kubepods/pod" UID_, "", "", "" },
	{ "kubepods/pod", "", "", "" },
	{ "kubepods/pod-", "", "", "" },
	{ "kubepods/pod" UID ".slice", "", "", "" },
	{ "kubepods/podABC", "", "", "" },
	{ "kubepods/pod" ID, "", "", "" }, /* longer than any uid */
	/* nobody's */
	{ "", NULL, NULL, NULL },
	{ "system.slice/kubelet.service", NULL, NULL, NULL },
	{ "k8s.io/" ID, NULL, NULL, NULL },
	{ "mykubepods/pod" UID, NULL, NULL, NULL },
	{ "mykubepods.slice/mykubepods-pod" UID_ ".slice", NULL, NULL, NULL },
	{ "-kubepods.slice", NULL, NULL, NULL },
	{ "kubepods-x.slice/pod" UID, NULL, NULL, NULL },
	{ "pod" UID, NULL, NULL, NULL },
	{ "user.slice/kubepodsx", NULL, NULL, NULL },
};

Test(pod_cgroup, paths_of_real_life)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct sample *s = &samples[i];
		struct pod_cgroup pod = { 0 };

		cr_assert_eq(pod_cgroup_parse(s->path, &pod), s->uid != NULL, "%s", s->path);
		if (!s->uid)
			continue;
		cr_assert_str_eq(pod.uid, s->uid, "%s", s->path);
		cr_assert_str_eq(pod.container, s->container, "%s", s->path);
		cr_assert_eq(pod.pod, strlen(s->pod), "%s", s->path);
		cr_assert(startswith(s->path, s->pod), "%s", s->path);
	}
}

Test(pod_cgroup, the_root_ends_behind_kubepods)
{
	struct pod_cgroup pod;

	cr_assert(pod_cgroup_parse("a/kubepods/burstable/pod" UID "/x", &pod));
	cr_assert_eq(pod.root, strlen("a/kubepods"));
	cr_assert(pod_cgroup_parse("kubelet.slice/kubelet-kubepods.slice/x", &pod));
	cr_assert_eq(pod.root, strlen("kubelet.slice/kubelet-kubepods.slice"));
}

Test(pod_cgroup, who_holds_pods)
{
	cr_assert(pod_cgroup_holds_pods("kubepods"));
	cr_assert(pod_cgroup_holds_pods("a/b/kubepods/burstable"));
	cr_assert(pod_cgroup_holds_pods("kubepods.slice/kubepods-besteffort.slice"));
	cr_assert_not(pod_cgroup_holds_pods("kubepods/pod" UID));
	cr_assert_not(pod_cgroup_holds_pods("kubepods/burstable/pod" UID));
	cr_assert_not(pod_cgroup_holds_pods("kubepods/other"));
	cr_assert_not(pod_cgroup_holds_pods("kubepods/burstable/burstable"));
	cr_assert_not(pod_cgroup_holds_pods("kubepods.slice/burstable"));
	cr_assert_not(pod_cgroup_holds_pods("system.slice"));
	cr_assert_not(pod_cgroup_holds_pods(""));
}

Test(pod_cgroup, uids)
{
	cr_assert(pod_uid_valid(UID));
	cr_assert(pod_uid_valid(HASH));
	cr_assert_not(pod_uid_valid(""));
	cr_assert_not(pod_uid_valid("-a"));
	cr_assert_not(pod_uid_valid("a-"));
	cr_assert_not(pod_uid_valid("A"));
	cr_assert_not(pod_uid_valid("a_b"));
	cr_assert_not(pod_uid_valid("a/b"));
	cr_assert_not(pod_uid_valid(ID));
	cr_assert(pod_uid_is_static(HASH));
	cr_assert_not(pod_uid_is_static(UID));
	cr_assert_not(pod_uid_is_static("0123456789abcdef0123456789abcdeg"));
}

static uint32_t next(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Pieces that mean something, put together at random: what is found must lie in the path. */
Test(pod_cgroup, a_hundred_thousand_random_paths)
{
	static const char *const pieces[] = {
		"kubepods", "/",      "/",	    ".slice", "-", "burstable", "pod",
		UID,	    UID_,     "besteffort", "_",      ".", "a",		"cri-containerd-",
		ID,	    ".scope", "//",	    "\xff"
	};
	uint32_t state = 1;

	for (int round = 0; round < 100000; round++) {
		struct pod_cgroup pod = { 0 };
		char path[2048] = "";

		for (uint32_t n = next(&state) % 16; n > 0; n--)
			strcat(path, pieces[next(&state) % ARRAY_SIZE(pieces)]);
		if (!pod_cgroup_parse(path, &pod))
			continue;
		cr_assert(pod.root && pod.root <= strlen(path), "%s", path);
		cr_assert_eq(*pod.uid != 0, pod.pod != 0, "%s", path);
		cr_assert(!*pod.uid || pod_uid_valid(pod.uid), "%s", path);
		cr_assert(!pod.pod || (pod.pod > pod.root && pod.pod <= strlen(path)), "%s", path);
	}
}
