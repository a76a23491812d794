/* SPDX-License-Identifier: Apache-2.0 */
/* A share of the differential fuzzing in every test run; tests/fuzz/differential.c does more. */
#include <criterion/criterion.h>

#include "tests/fuzz/differential/neutral.h"

#define SETS 1000
#define FLOWS 200
#define SHARE_MIN 20 /* each of allow and deny is at least one in so many, audit of ten times */

Test(differential, the_compiled_image_says_what_the_reference_says, .timeout = 120)
{
	const struct n_options options = {
		.seed = 1000000, .sets = SETS, .flows = FLOWS, .differences_max = 3, .out = stderr
	};
	struct n_tally tally;

	n_compare(&options, &tally);
	fprintf(stderr, "differential: %lu sets, %lu verdicts\n", tally.sets, tally.verdicts);
	cr_expect_eq(tally.differences, 0, "%lu verdicts differ, see above", tally.differences);
	cr_expect_eq(tally.refused, 0, "%lu sets were refused, see above", tally.refused);
	/* A generator that makes dull sets would find nothing. */
	cr_expect_gt(tally.of[N_ALLOW], tally.verdicts / SHARE_MIN);
	cr_expect_gt(tally.of[N_DENY], tally.verdicts / SHARE_MIN);
	cr_expect_gt(tally.of[N_AUDIT], tally.verdicts / SHARE_MIN / 10);
}
