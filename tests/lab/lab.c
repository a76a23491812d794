/* SPDX-License-Identifier: Apache-2.0 */
/* A lab from its making to its removal. */
#include "tests/lab/lab_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

static void lab_failure_exits(const char *text)
{
	(void)text; /* lab_fail() has said it */
	exit(2); /* the janitor cleans up */
}

static void (*lab_failure)(const char *text) = lab_failure_exits;

void lab_on_failure(void (*fn)(const char *text))
{
	lab_failure = fn;
}

static void lab_find_build(struct lab *lab)
{
	const char *set = getenv("COUNTERSIGN_BUILD");
	ssize_t n;

	if (set) {
		snprintf(lab->build, sizeof(lab->build), "%s", set);
		return;
	}
	/* The tests themselves lie in the build directory. */
	n = readlink("/proc/self/exe", lab->build, sizeof(lab->build) - 1);
	lab_check(lab, n > 0, "cannot read /proc/self/exe: %s", strerror(errno));
	lab->build[n] = 0;
	*strrchr(lab->build, '/') = 0;
}

static void lab_make_dirs(struct lab *lab)
{
	static const char *const names[] = {
		"", "/manifests", "/nodes", "/state", "/bpffs", "/log"
	};
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s%s", lab->dir, names[i]);
		lab_check(lab, mkdir(path, 0700) == 0, "cannot make %s: %s", path, strerror(errno));
	}
}

struct lab *lab_new(const char *name)
{
	static unsigned int count; /* labs of this process */
	struct lab *lab = calloc(1, sizeof(*lab));
	int r;

	lab_check(lab, lab != NULL, "no memory for a lab");
	lab_check(lab, geteuid() == 0, "the lab needs root: run the tests with sudo");
	lab_sweep_leftovers();
	lab->owner = getpid();
	lab->hub.netns = -EBADF;
	snprintf(lab->name, sizeof(lab->name), LAB_PREFIX "%d-%u", getpid(), count++);
	snprintf(lab->dir, sizeof(lab->dir), "/tmp/%s", lab->name);
	lab_find_build(lab);
	r = lab_janitor_start(lab);
	lab_check(lab, r == 0, "lab %s: cannot start the janitor: %s", name, strerror(-r));
	lab_make_dirs(lab);
	r = lab_cgroup_setup(lab);
	lab_check(lab, r == 0, "lab %s: cannot make cgroups below the cgroup2 mount: %s", name,
		  strerror(-r));
	lab_node_init(lab, &lab->node);
	return lab;
}

static void lab_release_kept(struct lab *lab)
{
	for (size_t i = 0; i < lab->n_json; i++)
		json_decref(lab->kept_json[i]);
	for (size_t i = 0; i < lab->n_text; i++)
		free(lab->kept_text[i]);
	for (size_t i = 0; i < lab->n_processes; i++)
		free(lab->processes[i]);
}

void lab_free(struct lab *lab)
{
	if (!lab || lab->owner != getpid())
		return;
	lab_nodes_kill(lab);
	for (size_t i = lab->n_processes; i-- > 0;)
		lab_kill(lab->processes[i]);
	lab_nodes_uninstall(lab);
	lab_net_teardown(lab);
	lab_remove_run(lab->name);
	lab_janitor_end(lab);
	lab_release_kept(lab);
	free(lab);
}

char *lab_printf(struct lab *lab, const char *format, ...)
{
	va_list args;
	char *text;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	lab_check(lab, r >= 0 && lab->n_text < LAB_KEPT_MAX, "no memory for a lab's text");
	lab->kept_text[lab->n_text++] = text;
	return text;
}

json_t *lab_keep(struct lab *lab, json_t *json)
{
	if (!json)
		return NULL;
	lab_check(lab, lab->n_json < LAB_KEPT_MAX, "a lab keeps at most %d objects", LAB_KEPT_MAX);
	lab->kept_json[lab->n_json++] = json;
	return json;
}

const char *lab_path(struct lab *lab, const char *name)
{
	return lab_printf(lab, "%s/%s", lab->dir, name);
}

const char *lab_program(struct lab *lab, const char *name)
{
	return lab_printf(lab, "%s/%s", lab->build, name);
}

void lab_sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

uint64_t lab_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void lab_show_counters(struct lab_node *node)
{
	json_t *status = NULL;
	char *text;

	if (node->agent && lab_alive(node->agent))
		status = lab_node_request(node, "{\"verb\":\"status\"}");
	if (!status)
		return;
	for (size_t i = 0; i < 2; i++) {
		text = json_dumps(json_object_get(json_array_get(status, 0),
						  i ? "stats" : "counters"),
				  JSON_COMPACT);
		fprintf(stderr, "%s %s: %s\n", node->name, i ? "stats" : "counters",
			text ? text : "none");
		free(text);
	}
}

/* The last lines of every log and the agents' counters: what a person looks at first. */
static void lab_show(struct lab *lab)
{
	char command[PATH_MAX + 64];

	snprintf(command, sizeof(command), "tail -n 30 %s/log/* >&2 2>/dev/null", lab->dir);
	if (system(command) != 0)
		fprintf(stderr, "(no logs)\n");
	lab_show_counters(&lab->node);
	for (size_t i = 0; i < lab->n_nodes; i++)
		lab_show_counters(&lab->nodes[i]);
}

void lab_fail(struct lab *lab, const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "---- lab %s: %s\n", lab ? lab->name : "-", text);
	if (lab)
		lab_show(lab);
	lab_failure(text);
	abort(); /* a handler does not return */
}
