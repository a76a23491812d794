/* SPDX-License-Identifier: Apache-2.0 */
/* What the lab's own files share; tests use lab.h only. */
#pragma once

#include <limits.h>
#include <stdarg.h>

#include "tests/lab/lab.h"

#define LAB_PREFIX "countersign-lab-"
#define LAB_HOSTS_MAX 64
#define LAB_NODES_MAX 8
#define LAB_PROCESSES_MAX 4096
#define LAB_KEPT_MAX (1 << 18)
#define LAB_ARGS_MAX 64
#define LAB_LINE_MAX 65536

struct lab_host {
	char name[16];
	pid_t holder; /* keeps the namespace alive */
	int netns;
	char mac[18];
	struct lab *lab;
	struct lab_node *node; /* that it belongs to; NULL: the default one */
};

struct lab_process {
	struct lab *lab;
	pid_t pid; /* 0: reaped */
	int status; /* as of waitpid() */
	int out; /* its standard output */
	size_t used; /* bytes in buffer */
	char buffer[LAB_LINE_MAX];
};

/* An agent with what is its own. Every lab has a default one, which has no name. */
struct lab_node {
	struct lab *lab;
	char name[16];
	int number;
	char dir[PATH_MAX / 2]; /* state, bpffs and so on lie below */
	char guarded[PATH_MAX / 2];
	const char *manifests; /* NULL: the lab's */
	const char *credential; /* --credential; NULL: none */
	const char *trust_domain;
	const char *log; /* name within log/ */
	struct lab_host *host; /* where the agent runs; NULL: this network namespace */
	struct lab_process *agent;
	const char *program; /* NULL: countersignd of the build */
	const char *args[LAB_ARGS_MAX];
	bool installed; /* an agent was started: there may be pins */
};

struct lab {
	char name[64]; /* countersign-lab-<pid>-<n> */
	char dir[PATH_MAX / 4];
	char cgroup[PATH_MAX / 4]; /* of the whole lab */
	char build[PATH_MAX];
	pid_t owner;
	pid_t janitor;
	int janitor_fd; /* the janitor cleans up when it is closed */
	struct lab_host hub;
	struct lab_host hosts[LAB_HOSTS_MAX];
	size_t n_hosts;
	struct lab_process *processes[LAB_PROCESSES_MAX];
	size_t n_processes;
	struct lab_node node; /* the default one */
	struct lab_node nodes[LAB_NODES_MAX];
	size_t n_nodes;
	json_t *kept_json[LAB_KEPT_MAX];
	size_t n_json;
	char *kept_text[LAB_KEPT_MAX];
	size_t n_text;
};

/* lab_cgroup.c */
int lab_cgroup_setup(struct lab *lab);
/* The guarded root of a node. */
void lab_cgroup_guard(struct lab_node *node);
int lab_cgroup_join(const char *path);
int lab_cgroup_mount(char *ret_path, size_t size);
void lab_cgroup_remove_tree(const char *path);

/* lab_net.c */
void lab_net_teardown(struct lab *lab);

/* lab_node.c */
void lab_node_init(struct lab *lab, struct lab_node *node); /* the default one */
struct lab_node *lab_node_of(struct lab *lab, const struct lab_host *host);
/* Kills every agent; then takes down what they left in the kernel. */
void lab_nodes_kill(struct lab *lab);
void lab_nodes_uninstall(struct lab *lab);

/* lab_sweep.c */
int lab_janitor_start(struct lab *lab);
void lab_janitor_end(struct lab *lab);
void lab_remove_run(const char *name); /* "countersign-lab-<pid>-<n>" */

/* lab_process.c */
void lab_child_prepare(struct lab *lab, int keep_fd);
/* Runs argv in @place to its end; its output (kept), exit code in *ret_code. */
const char *lab_run(struct lab *lab, struct lab_place place, const char *const *argv,
		    int *ret_code);
const char *lab_run_for(struct lab *lab, unsigned int ms, struct lab_place place,
			const char *const *argv, int *ret_code);

/* Appends @args to the @n entries of @argv, which has LAB_ARGS_MAX. */
void lab_args(const char **argv, size_t n, const char *const *args);
