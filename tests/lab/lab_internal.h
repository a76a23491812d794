/* SPDX-License-Identifier: Apache-2.0 */
/* What the lab's own files share; tests use lab.h only. */
#pragma once

#include <limits.h>
#include <stdarg.h>

#include "tests/lab/lab.h"

#define LAB_PREFIX "countersign-lab-"
#define LAB_HOSTS_MAX 16
#define LAB_PROCESSES_MAX 1024
#define LAB_KEPT_MAX 16384
#define LAB_ARGS_MAX 64
#define LAB_LINE_MAX 65536

struct lab_host {
	char name[16];
	pid_t holder; /* keeps the namespace alive */
	int netns;
	char mac[18];
	struct lab *lab;
};

struct lab_process {
	struct lab *lab;
	pid_t pid; /* 0: reaped */
	int status; /* as of waitpid() */
	int out; /* its standard output */
	size_t used; /* bytes in buffer */
	char buffer[LAB_LINE_MAX];
};

struct lab {
	char name[64]; /* countersign-lab-<pid>-<n> */
	char dir[PATH_MAX];
	char cgroup[PATH_MAX]; /* of the whole lab */
	char guarded[PATH_MAX];
	char build[PATH_MAX];
	pid_t owner;
	pid_t janitor;
	int janitor_fd; /* the janitor cleans up when it is closed */
	struct lab_host hub;
	struct lab_host hosts[LAB_HOSTS_MAX];
	size_t n_hosts;
	struct lab_process *processes[LAB_PROCESSES_MAX];
	size_t n_processes;
	struct lab_process *agent;
	struct lab_host *agent_host; /* NULL: this network namespace */
	const char *agent_program; /* NULL: countersignd of the build */
	const char *agent_args[LAB_ARGS_MAX];
	bool installed; /* an agent was started: there may be pins */
	json_t *kept_json[LAB_KEPT_MAX];
	size_t n_json;
	char *kept_text[LAB_KEPT_MAX];
	size_t n_text;
};

/* lab_cgroup.c */
int lab_cgroup_setup(struct lab *lab);
int lab_cgroup_join(const char *path);
int lab_cgroup_mount(char *ret_path, size_t size);
void lab_cgroup_remove_tree(const char *path);

/* lab_net.c */
void lab_net_teardown(struct lab *lab);

/* lab_sweep.c */
int lab_janitor_start(struct lab *lab);
void lab_janitor_end(struct lab *lab);
void lab_remove_run(const char *name); /* "countersign-lab-<pid>-<n>" */

/* lab_process.c */
void lab_child_prepare(struct lab *lab, int keep_fd);
/* Runs argv in @place to its end; its output (kept), exit code in *ret_code. */
const char *lab_run(struct lab *lab, struct lab_place place, const char *const *argv,
		    int *ret_code);

/* Appends @args to the @n entries of @argv, which has LAB_ARGS_MAX. */
void lab_args(const char **argv, size_t n, const char *const *args);
