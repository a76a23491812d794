/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz-differential [--seed=N] [--sets=N] [--flows=N] [--differences=N]
 *
 * Random policy sets and flows: the product's compiler and evaluator against the plain
 * reference. A difference is printed with the smallest manifests that still show it; the
 * exit code is 1 then. Set i of a run with --seed=S is the only one of --seed=S+i --sets=1.
 */
#include <getopt.h>
#include <stdlib.h>

#include "tests/fuzz/differential/neutral.h"

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "sets", required_argument, NULL, 'n' },
		{ "flows", required_argument, NULL, 'f' },
		{ "differences", required_argument, NULL, 'd' },
		{ 0 },
	};
	struct n_options options = {
		.seed = 1, .sets = 25000, .flows = 48, .differences_max = 5, .out = stdout
	};
	struct n_tally tally;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		unsigned long long value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (option) {
		case 's':
			options.seed = value;
			break;
		case 'n':
			options.sets = value;
			break;
		case 'f':
			options.flows = value;
			break;
		case 'd':
			options.differences_max = value;
			break;
		default:
			return 2;
		}
	}
	n_compare(&options, &tally);
	printf("%lu sets, %lu verdicts (%lu allow, %lu deny, %lu audit): %lu differ, %lu sets refused\n",
	       tally.sets, tally.verdicts, tally.of[N_ALLOW], tally.of[N_DENY], tally.of[N_AUDIT],
	       tally.differences, tally.refused);
	return tally.differences || tally.refused;
}
