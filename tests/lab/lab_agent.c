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
#define AGENT_LOG "countersignd"

void lab_manifest(struct lab *lab, const char *file, const char *text)
{
	const char *final = lab_printf(lab, "%s/manifests/%s", lab->dir, file);
	const char *draft = lab_printf(lab, "%s/.draft-%s", lab->dir, file);
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
static size_t lab_agent_argv(struct lab *lab, const char **argv)
{
	const char *const fixed[] = {
		lab->agent_program ?: lab_program(lab, "countersignd"),
		"--manifests",
		lab_path(lab, "manifests"),
		"--cgroup-root",
		lab->guarded,
		"--bpffs",
		lab_path(lab, "bpffs"),
		"--state",
		lab_path(lab, "state"),
		"--trust-domain",
		"example.org",
	};

	memcpy(argv, fixed, sizeof(fixed));
	return ARRAY_SIZE(fixed);
}

static struct lab_process *lab_agent_spawn(struct lab *lab, const char *notify)
{
	const char *env[] = { lab_printf(lab, "NOTIFY_SOCKET=%s", notify), NULL };
	const char *argv[LAB_ARGS_MAX + 16];
	struct lab_spawn spec = {
		.place = { .host = lab->agent_host }, .argv = argv, .env = env, .log = AGENT_LOG
	};
	size_t n = lab_agent_argv(lab, argv);

	memcpy(&argv[n], lab->agent_args, sizeof(lab->agent_args));
	lab->installed = true;
	return lab_spawn(lab, &spec);
}

void lab_agent_restart(struct lab *lab)
{
	const char *path = lab_path(lab, "notify");
	_cleanup_close_ int notify = lab_notify_socket(path);
	uint64_t end = lab_now_ms() + AGENT_START_MS;

	lab->agent = lab_agent_spawn(lab, path);
	while (!lab_notified(notify)) {
		lab_check(lab, lab_alive(lab->agent), "countersignd ended before it was ready");
		lab_check(lab, lab_now_ms() < end, "countersignd is not ready after %d ms",
			  AGENT_START_MS);
		lab_sleep_ms(2);
	}
}

void lab_agent_start_argv(struct lab *lab, const char *const *args)
{
	lab_args(lab->agent_args, 0, args);
	lab_agent_restart(lab);
}

int lab_agent_start_fails(struct lab *lab)
{
	return lab_wait(lab_agent_spawn(lab, "/nonexistent"), AGENT_START_MS);
}

void lab_agent_stop(struct lab *lab)
{
	int code;

	lab_signal(lab->agent, SIGTERM);
	code = lab_wait(lab->agent, LAB_WAIT_MS);
	lab_check(lab, code == 0, "countersignd ended with exit code %d after SIGTERM", code);
}

void lab_agent_kill9(struct lab *lab)
{
	lab_kill(lab->agent);
}

int lab_agent_uninstall(struct lab *lab)
{
	const char *argv[LAB_ARGS_MAX + 16];
	size_t n = lab_agent_argv(lab, argv);
	struct lab_spawn spec = { .argv = argv, .log = "uninstall" };

	argv[n++] = "--uninstall";
	argv[n] = NULL;
	return lab_wait(lab_spawn(lab, &spec), LAB_WAIT_MS);
}

void lab_agent_host(struct lab *lab, struct lab_host *host)
{
	lab->agent_host = host;
}

void lab_agent_program(struct lab *lab, const char *path)
{
	lab->agent_program = path;
}

pid_t lab_agent_pid(struct lab *lab)
{
	return lab->agent ? lab->agent->pid : 0;
}

const char *lab_agent_log(struct lab *lab)
{
	_cleanup_fclose_ FILE *f = fopen(lab_path(lab, "log/" AGENT_LOG), "re");
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (!f || getdelim(&text, &size, 0, f) < 0)
		return "";
	return lab_printf(lab, "%s", text);
}

const char *lab_cli_argv(struct lab *lab, int *ret_code, const char *const *args)
{
	const char *argv[LAB_ARGS_MAX] = { lab_program(lab, "countersign") };

	setenv("COUNTERSIGN_STATE", lab_path(lab, "state"), 1);
	lab_args(argv, 1, args);
	return lab_run(lab, lab_place(NULL, NULL), argv, ret_code);
}
