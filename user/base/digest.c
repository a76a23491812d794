/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/digest.h"

#include <sys/random.h>

static struct cs_key digest_start(void)
{
	static struct cs_key start;

	if (!start.k0 && getrandom(&start, sizeof(start), 0) < (ssize_t)sizeof(start))
		start = (struct cs_key){ 1, 2 };
	return start;
}

struct cs_key document_digest(const char *name, const char *text, size_t length)
{
	struct cs_key sum = digest_start();

	sum.k0 = cs_siphash_bytes(&sum, name, strlen(name));
	sum.k1 ^= cs_siphash_bytes(&sum, text, length);
	sum.k0 = cs_siphash_bytes(&sum, text, length) | 1;
	return sum;
}
