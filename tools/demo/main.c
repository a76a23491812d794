/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/demo/demo.h"

#include <signal.h>
#include <stdarg.h>

#define SETTLE_MS 250 /* until the agent has handed on the last verdicts */

void demo_say(const char *format, ...)
{
	va_list args;

	printf("\n==> ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

void demo_show_flows(struct demo *demo)
{
	const char *line;
	int shown = 0;

	while ((line = lab_read_text(demo->flows, SETTLE_MS)))
		if (shown++ < 8)
			printf("    %s\n", line);
	if (shown > 8)
		printf("    ... and %d more\n", shown - 8);
}

void demo_step(struct demo *demo, const char *what, const char *expected, const char *observed)
{
	lab_check(demo->lab, demo->n_steps < STEPS_MAX, "more than %d steps", STEPS_MAX);
	demo->steps[demo->n_steps++] = (struct step){ what, expected, observed };
	printf("    %-40s %s\n", what, observed);
}

static void show_status(struct demo *demo)
{
	const char *const argv[] = { lab_program(demo->lab, "countersign"), "status", "--state",
				     lab_path(demo->lab, "state"), NULL };
	struct lab_process *p = lab_spawn(demo->lab, &(struct lab_spawn){ .argv = argv });
	const char *line;

	demo_say("countersign status");
	while ((line = lab_read_text(p, 2000)))
		printf("    %s\n", line);
}

static int print_table(const struct demo *demo)
{
	int wrong = 0;

	printf("\n%-42s %-56s %s\n", "step", "expected", "observed");
	for (size_t i = 0; i < demo->n_steps; i++) {
		const struct step *s = &demo->steps[i];
		bool same = streq(s->expected, s->observed);

		printf("%-42s %-56s %s\n", s->what, s->expected, same ? "the same" : s->observed);
		wrong += !same;
	}
	printf("\n%s\n", wrong ? "demo: NOT as expected" : "demo: all as expected");
	return wrong ? 1 : 0;
}

/* The lab's janitor cleans up behind a process that is gone. */
static void interrupted(int sig)
{
	_exit(128 + sig);
}

int main(void)
{
	static struct demo demo;
	uint64_t start = lab_now_ms();
	int code;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGINT, interrupted);
	signal(SIGTERM, interrupted);
	demo_setup(&demo);
	demo.flows = lab_spawn(
		demo.lab, &(struct lab_spawn){
				  .argv = LAB_ARGV(lab_program(demo.lab, "countersign"), "flows",
						   "-f", "--state", lab_path(demo.lab, "state")) });
	demo_steps(&demo);
	show_status(&demo);
	demo_hosts(&demo);
	code = print_table(&demo);
	lab_free(demo.lab);
	printf("took %.0f s\n", (lab_now_ms() - start) / 1e3);
	return code;
}
