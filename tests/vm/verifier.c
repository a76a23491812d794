/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the running kernel's verifier about every program, as the agent would load it.
 * One line each on standard output: NAME INSNS, or NAME refused. What the verifier says of
 * a refused program goes to standard error. Exit code 1 when one is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <countersign/abi.h>

#include <countersign.skel.h>

#define ROOT_LEVEL 2 /* as deep as a guarded root often lies */
#define LOG_LINES 60 /* of a refusal; the reason stands at the end */

enum verifier_log {
	VERIFIER_LOG_PATHS = 1,
	VERIFIER_LOG_STATS = 4,
};

static char words[16 << 20];

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* The skeleton with one program to load; NULL without memory. */
static struct countersign_bpf *open_with(const char *name, unsigned int log_level)
{
	struct countersign_bpf *skeleton = countersign_bpf__open();
	struct bpf_program *program;

	if (!skeleton)
		return NULL;
	skeleton->rodata->cs_root_level = ROOT_LEVEL;
	bpf_object__for_each_program(program, skeleton->obj) {
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
		bpf_program__set_log_level(program, log_level);
		bpf_program__set_log_buf(program, words, sizeof(words));
	}
	return skeleton;
}

static int load(const char *name, unsigned int log_level)
{
	struct countersign_bpf *skeleton = open_with(name, log_level);
	int r;

	words[0] = '\0';
	if (!skeleton)
		return -1;
	r = countersign_bpf__load(skeleton);
	countersign_bpf__destroy(skeleton);
	return r;
}

static const char *last_lines(const char *text, int lines)
{
	const char *at = text + strlen(text);

	while (at > text && (at[-1] != '\n' || lines-- > 0))
		at--;
	return at;
}

/* "processed N insns (limit ...": N, or -1. The last one speaks of the whole program. */
static long processed(const char *text)
{
	const char *at, *found = NULL;

	for (at = text; (at = strstr(at, "processed ")); at++)
		found = at;
	return found ? strtol(found + strlen("processed "), NULL, 10) : -1;
}

static int check(const char *name)
{
	int r = load(name, VERIFIER_LOG_STATS);

	if (r == 0) {
		printf("%s %ld\n", name, processed(words));
		return 0;
	}
	load(name, VERIFIER_LOG_PATHS | VERIFIER_LOG_STATS);
	printf("%s refused\n", name);
	fprintf(stderr, "==== %s: %s\n%s\n", name, strerror(-r), last_lines(words, LOG_LINES));
	return 1;
}

int main(void)
{
	struct countersign_bpf *skeleton = countersign_bpf__open();
	struct bpf_program *program;
	int refused = 0;

	if (!skeleton) {
		perror("verifier: cannot open the BPF object");
		return 1;
	}
	libbpf_set_print(quiet);
	bpf_object__for_each_program(program, skeleton->obj) {
		refused |= check(bpf_program__name(program));
		fflush(stdout);
	}
	countersign_bpf__destroy(skeleton);
	return refused;
}
