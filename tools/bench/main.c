/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/bench.h"

static void measure(struct bench *b, enum load load, enum arm_id a, unsigned int round)
{
	struct arm *arm = &b->arms[a];
	struct sample sample;

	if (arm->nftables)
		arms_nftables(b, true);
	load_measure(arm, load, &sample);
	if (arm->nftables)
		arms_nftables(b, false);
	/* The best slice counts: whatever else the machine does only takes away. */
	if (sample.rate <= b->rate[load][a][round])
		return;
	b->rate[load][a][round] = sample.rate;
	b->p50[load][a][round] = sample.p50_us;
	b->p99[load][a][round] = sample.p99_us;
}

/* One round of one load: the arms in turn, again and again, each time from another start. */
static void round_of(struct bench *b, enum load load, unsigned int round)
{
	for (unsigned int slice = 0; slice < SLICES; slice++) {
		for (unsigned int i = 0; i < ARM_MAX; i++) {
			enum arm_id a = (i + round + slice) % ARM_MAX;

			if (b->arms[a].loads & 1u << load)
				measure(b, load, a, round);
		}
	}
}

static unsigned int rounds_wanted(void)
{
	const char *text = getenv("BENCH_ROUNDS");
	int n = text ? atoi(text) : ROUNDS_DEFAULT;

	return MIN(MAX(n, 1), ROUNDS_MAX);
}

int main(int argc, char **argv)
{
	static struct bench bench;
	struct cost cost = { 0 };
	uint64_t start = lab_now_ms();
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: bench OUTPUT.json    (BENCH_ROUNDS=N, %d unless set)\n",
			ROUNDS_DEFAULT);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench.rounds = rounds_wanted();
	arms_setup(&bench);
	for (unsigned int round = 0; round < bench.rounds; round++) {
		for (enum load load = 0; load < LOAD_MAX; load++)
			round_of(&bench, load, round);
		printf("round %u of %u\n", round + 1, bench.rounds);
	}
	cost_measure(&bench, &cost);
	r = report(&bench, &cost, argv[1]);
	lab_free(bench.many);
	lab_free(bench.lab);
	printf("took %.0f s\n", (lab_now_ms() - start) / 1e3);
	return r == 0 ? 0 : 1;
}
