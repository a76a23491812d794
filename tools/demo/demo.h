/* SPDX-License-Identifier: Apache-2.0 */
/* demo: nginx, redis, curl and redis-cli as four workloads under one policy; then two hosts. */
#pragma once

#include "tests/lab/lab.h"

#define WEB "10.77.0.2"
#define CACHE "10.77.0.3"
#define STEPS_MAX 24

/* One line of the table at the end. */
struct step {
	const char *what;
	const char *expected;
	const char *observed;
};

struct demo {
	struct lab *lab;
	struct lab_place checkout; /* curl */
	struct lab_place web; /* nginx */
	struct lab_place cache; /* redis-server */
	struct lab_place report; /* redis-cli */
	struct lab_place stranger; /* no identity, on checkout's host */
	struct lab_place attacker; /* a host of its own, with raw sockets */
	struct lab_process *flows; /* countersign flows -f */
	struct step steps[STEPS_MAX];
	size_t n_steps;
};

/* setup.c */
void demo_setup(struct demo *demo);
void demo_policy(struct demo *demo, bool report_may_read_cache);

/* steps.c: each adds to the table. */
void demo_steps(struct demo *demo);

/* hosts.c: so does each of these, between two hosts. */
void demo_hosts(struct demo *demo);

/* main.c */
void demo_say(const char *format, ...) _printf_(1, 2);
/* Prints the verdicts that have come since. */
void demo_show_flows(struct demo *demo);
void demo_step(struct demo *demo, const char *what, const char *expected, const char *observed);
