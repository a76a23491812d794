/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source `spiffe:` with its times, which tests shorten. Everybody else goes through
 * credential_source_new().
 */
#pragma once

#include "user/credential/credential.h"

struct spiffe_times {
	unsigned int answer_ms; /* a server that says nothing for so long is dead */
	unsigned int idle_ms; /* without news until it is asked whether it lives */
	unsigned int (*backoff_ms)(unsigned int failures);
};

int spiffe_source_new(const char *where, const struct credential_options *options,
		      const struct spiffe_times *times, struct credential_source **ret,
		      struct credential_error *reterr);
