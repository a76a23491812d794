/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests checked for themselves: nothing that is in force is touched. */
#pragma once

#include "user/policy/policy.h"
#include "user/source/source.h"

/* Parses and compiles @documents. 0, or as policy_compile() with @errors filled. */
int trial_check(const struct source_documents *documents, const struct policy_options *options,
		struct policy_errors *errors);
