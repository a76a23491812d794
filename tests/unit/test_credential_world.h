/* SPDX-License-Identifier: Apache-2.0 */
/* A source over a directory of its own, and what it handed over last. */
#pragma once

#include <poll.h>

#include "test_credential_pki.h"
#include "user/credential/authority.h"
#include "user/credential/credential.h"
#include "user/credential/source_directory.h"

#define SOON_MS 1000
#define NOT_MS 150 /* long enough for a change that should do nothing */

static const struct credential_options host_a = {
	.trust_domain = "example.org",
	.node_name = "host-a",
};

/* A directory, the source that reads it, and what it gave last. */
struct world {
	struct pki_directory directory;
	struct credential_source *source;
	struct credential last;
	struct pki_pair ca;
};

static inline void world_open(struct world *w, const char *scheme,
			      const struct credential_options *options)
{
	struct credential_error error = { 0 };
	char spec[128];

	snprintf(spec, sizeof(spec), "%s:%s", scheme, w->directory.path);
	cr_assert_eq(credential_source_new(spec, options, &w->source, &error), 0, "%s", error.text);
}

static inline void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	pki_directory_init(&w->directory);
	w->ca = pki_ca("ca", NULL);
}

static inline void world_done(struct world *w)
{
	credential_source_free(w->source);
	credential_done(&w->last);
	pki_pair_done(&w->ca);
	pki_directory_done(&w->directory);
}
#define _world_ __attribute__((cleanup(world_done))) struct world

/* Dispatches until something is said or @ms are over: what dispatch() returned, 0: nothing. */
static inline int next(struct world *w, int ms)
{
	int64_t end = clock_ns(CLOCK_MONOTONIC) + ms * 1000000LL;
	struct credential got = { 0 };
	int r = 0;

	while (r == 0) {
		struct pollfd fd = { .fd = w->source->ops->fd(w->source), .events = POLLIN };
		int64_t left = (end - clock_ns(CLOCK_MONOTONIC)) / 1000000;

		if (left <= 0 || poll(&fd, 1, (int)left) == 0)
			return 0;
		r = w->source->ops->dispatch(w->source, &got);
		cr_assert(r == 1 || !got.svid, "nothing is handed over without a 1");
	}
	if (r == 1) {
		credential_done(&w->last);
		w->last = got;
	}
	return r;
}

static inline void expect_error(const struct world *w, const char *says)
{
	cr_expect(strstr(w->source->error.text, says), "\"%s\" does not say \"%s\"",
		  w->source->error.text, says);
	cr_expect_gt(w->source->failures, 0u);
	cr_expect_geq(w->source->retry_s, pki_now());
}
