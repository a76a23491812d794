/* SPDX-License-Identifier: Apache-2.0 */
/* The agent under test: started, asked, stopped, killed, started again. */
#include "tests/lab/lab_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#define AGENT_START_MS 30000 /* loading the programs on a busy machine */

void lab_manifest(struct lab *lab, const char *file, const char *text)
{
	const char *final = lab_printf(lab, "%s/manifests/%s", lab->dir, file);
	const char *draft = lab_printf(lab, "%s/.draft", lab->dir);
	FILE *f = fopen(draft, "we");

	lab_check(lab, f && fputs(text, f) >= 0 && fclose(f) == 0, "cannot write %s", draft);
	/* In one step: the agent watches the directory. */
	lab_check(lab, rename(draft, final) == 0, "cannot write %s: %s", final, strerror(errno));
}

void lab_manifest_remove(struct lab *lab, const char *file)
{
	unlink(lab_printf(lab, "%s/manifests/%s", lab->dir, file));
}

static int lab_notify_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	lab_check(NULL, fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0,
		  "cannot bind %s: %s", path, strerror(errno));
	return fd;
}

static bool lab_notified(int fd)
{
	char text[512];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = 0;
	return strstr(text, "READY=1") != NULL;
}

/* The directories every start is given; returns their number. */
static size_t lab_agent_argv(struct lab_node *node, const char **argv)
{
	struct lab *lab = node->lab;
	const char *const fixed[] = {
		node->program ?: lab_program(lab, "countersignd"),
		"--manifests",
		node->manifests ?: lab_path(lab, "manifests"),
		"--cgroup-root",
		node->guarded,
		"--bpffs",
		lab_node_path(node, "bpffs"),
		"--state",
		lab_node_path(node, "state"),
		"--trust-domain",
		node->trust_domain ?: "example.org",
	};

	memcpy(argv, fixed, sizeof(fixed));
	return ARRAY_SIZE(fixed);
}

/* What a node among others is told beside its directories; returns the new number. */
static size_t lab_agent_node_argv(struct lab_node *node, const char **argv, size_t n)
{
	struct lab *lab = node->lab;
	const char *const numbered[] = { "--node", lab_printf(lab, "%d", node->number) };
	const char *const known[] = {
		"--node-name",		node->name,	"--nodes",
		lab_path(lab, "nodes"), "--credential", node->credential,
	};

	if (!node->number)
		return n;
	memcpy(&argv[n], numbered, sizeof(numbered));
	n += ARRAY_SIZE(numbered);
	if (!node->credential)
		return n;
	memcpy(&argv[n], known, sizeof(known));
	return n + ARRAY_SIZE(known);
}

static struct lab_process *lab_agent_spawn(struct lab_node *node, const char *notify)
{
	const char *env[] = { lab_printf(node->lab, "NOTIFY_SOCKET=%s", notify), NULL };
	const char *argv[LAB_ARGS_MAX + 32];
	struct lab_spawn spec = {
		.place = { .host = node->host }, .argv = argv, .env = env, .log = node->log
	};
	size_t n = lab_agent_argv(node, argv);

	n = lab_agent_node_argv(node, argv, n);
	memcpy(&argv[n], node->args, sizeof(node->args));
	node->installed = true;
	return lab_spawn(node->lab, &spec);
}

void lab_node_restart(struct lab_node *node)
{
	const char *path = lab_node_path(node, "notify");
	_cleanup_close_ int notify = lab_notify_socket(path);
	uint64_t end = lab_now_ms() + AGENT_START_MS;

	node->agent = lab_agent_spawn(node, path);
	while (!lab_notified(notify)) {
		lab_check(node->lab, lab_alive(node->agent),
			  "countersignd %s ended before it was ready", node->name);
		lab_check(node->lab, lab_now_ms() < end, "countersignd %s is not ready after %d ms",
			  node->name, AGENT_START_MS);
		lab_sleep_ms(2);
	}
}

void lab_node_start_argv(struct lab_node *node, const char *const *args)
{
	lab_args(node->args, 0, args);
	lab_node_restart(node);
}

int lab_node_start_fails(struct lab_node *node)
{
	return lab_wait(lab_agent_spawn(node, "/nonexistent"), AGENT_START_MS);
}

void lab_node_stop(struct lab_node *node)
{
	int code;

	lab_signal(node->agent, SIGTERM);
	code = lab_wait(node->agent, LAB_WAIT_MS);
	lab_check(node->lab, code == 0, "countersignd %s ended with exit code %d after SIGTERM",
		  node->name, code);
}

void lab_node_kill9(struct lab_node *node)
{
	lab_kill(node->agent);
}

int lab_node_uninstall(struct lab_node *node)
{
	const char *argv[LAB_ARGS_MAX + 16];
	size_t n = lab_agent_argv(node, argv);
	struct lab_spawn spec = { .argv = argv, .log = "uninstall" };

	argv[n++] = "--uninstall";
	argv[n] = NULL;
	return lab_wait(lab_spawn(node->lab, &spec), LAB_WAIT_MS);
}

struct lab_process *lab_node_agent(struct lab_node *node)
{
	return node->agent;
}

const char *lab_node_log(struct lab_node *node)
{
	const char *path = lab_printf(node->lab, "%s/log/%s", node->lab->dir, node->log);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!f || getdelim(&text, &size, 0, f) < 0)
		return "";
	return lab_printf(node->lab, "%s", text);
}

const char *lab_node_cli_argv(struct lab_node *node, int *ret_code, const char *const *args)
{
	const char *argv[LAB_ARGS_MAX] = { lab_program(node->lab, "countersign") };

	setenv("COUNTERSIGN_STATE", lab_node_path(node, "state"), 1);
	lab_args(argv, 1, args);
	return lab_run(node->lab, lab_place(NULL, NULL), argv, ret_code);
}
