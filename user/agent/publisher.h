/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How this node's record gets to the others: a file in a directory that all share, or an
 * object of the API server. One text at a time, the latest: what was not out yet when the
 * next came never goes out.
 */
#pragma once

#include "user/credential/svid.h"

struct kube_client;
struct publisher;

/* How the text put last fared: NULL: the others can read it; else why not, for people. Never
 * called from within publisher_put(). */
typedef void (*publisher_fn)(void *arg, const char *error);

struct publisher_ops {
	int (*put)(struct publisher *publisher, const char *text, struct credential_error *reterr);
	void (*free)(struct publisher *publisher);
	bool retries; /* by itself, after a failure; otherwise the owner puts it again */
};

/* First member of each kind. */
struct publisher {
	const struct publisher_ops *ops;
};

/* "<number>.json" in the directory @path. */
int publisher_file_new(const char *path, uint16_t number, struct publisher **ret);

/*
 * The NodeIdentity named after the number. @on_done also tells of failures on the way; it goes
 * on trying, with growing waits, until the text is there or another one is put.
 */
int publisher_kube_new(struct kube_client *client, uint16_t number, publisher_fn on_done, void *arg,
		       struct publisher **ret);

/* 0: the others can read it; 1: it is on its way, @on_done follows; < 0: see @reterr. */
int publisher_put(struct publisher *publisher, const char *text, struct credential_error *reterr);
struct publisher *publisher_free(struct publisher *publisher); /* takes and returns NULL */
