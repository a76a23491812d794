/* SPDX-License-Identifier: Apache-2.0 */
/* countersignd: gives the workloads of this host an identity and enforces policy on it. */
#include <malloc.h>

#include "user/agent/agent.h"
#include "user/agent/caps.h"
#include "user/base/cgroup.h"
#include "user/credential/secret.h"

/* The directory given, or where cgroup2 is mounted; it must be one in any case. */
static int find_cgroup_root(const struct agent_options *options, char **ret)
{
	_cleanup_free_ char *mounted = NULL;
	const char *root = options->cgroup_root;
	uint64_t id;
	int r;

	if (!root) {
		r = cgroup_mount_point("/proc/mounts", &mounted);
		if (r < 0) {
			log_error("cgroup version 2 is not mounted",
				  "remedy=\"mount it, or name a directory with --cgroup-root\"");
			return r;
		}
		root = mounted;
	}
	r = cgroup_id(root, &id);
	if (r < 0) {
		log_error("not a cgroup version 2 directory", "cgroup_root=\"%s\" error=\"%s\"",
			  root, strerror(-r));
		return r;
	}
	*ret = strdup(root);
	return *ret ? 0 : -ENOMEM;
}

static int run(const struct agent_options *options)
{
	_cleanup_free_ char *cgroup_root = NULL, *missing = NULL;
	struct credential_error error = { "" };
	int r;

	if (options->help) {
		options_help(stdout);
		return 0;
	}
	if (options->version) {
		puts("countersignd " COUNTERSIGN_VERSION);
		return 0;
	}
	log_set_level(options->log_level);
	if (options->nodes) {
		/* Before anything else uses OpenSSL: see secret.h. */
		r = secret_init(&error);
		if (r < 0) {
			log_error("no memory for secrets", "error=\"%s\"", error.text);
			return r;
		}
	}
	r = caps_check(&missing);
	if (r < 0) {
		log_error("not privileged enough", "missing=\"%s\" remedy=\"run as root\"",
			  missing ?: "");
		return r;
	}
	/* The pins say what to remove; the cgroups may be gone. */
	if (options->uninstall)
		return agent_uninstall(options);
	r = find_cgroup_root(options, &cgroup_root);
	return r < 0 ? r : agent_run(options, cgroup_root);
}

int main(int argc, char **argv)
{
	struct agent_options options = { 0 };
	int r;

	/* Large tables stay mappings of their own: what of them is not used costs nothing. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	r = options_parse(argc, argv, &options);
	if (r < 0)
		return 2;
	r = run(&options);
	options_done(&options);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
