/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sources that read a directory share: word of changes in it, a timer for renewal
 * and for another attempt, both behind one epoll descriptor; and what every credential must
 * fulfil before it is handed over.
 */
#pragma once

#include "user/credential/credential.h"

#define SOURCE_SETTLE_MS 20 /* changes this close together are one */
/* Read again this often without word of a change: links on the way and network file systems
 * tell nothing. */
#define SOURCE_LOOK_MS 30000

struct source_directory;

/* Reads the directory: 1: a new credential, 0: nothing new, < 0: see @reterr. */
typedef int (*source_read_fn)(struct source_directory *source, struct credential *ret,
			      struct credential_error *reterr);

/* First member of files: and ca: sources. */
struct source_directory {
	struct credential_source source;
	source_read_fn read;
	char *path;
	char *trust_domain, *node_name, *key_uri, *key_provider; /* copies of the options */
	int64_t svid_lifetime_s;
	int epoll, inotify, timer;
	int wd; /* of the directory, -1: none */
	bool settling; /* the timer runs for a change, nothing shortens that */
	bool due; /* nothing was read yet */
	int64_t renew_s; /* when to read on, changes or not; 0: whenever */
};

/* @source is zeroed memory; on failure source_directory_done() must still be called. */
int source_directory_init(struct source_directory *source, const char *path,
			  const struct credential_options *options,
			  struct credential_error *reterr);
void source_directory_done(struct source_directory *source);
int source_directory_fd(const struct credential_source *source);
int source_directory_dispatch(struct credential_source *source, struct credential *ret);

/* The trust domain and the name must be this node's, and the chain lead to the bundle. */
int source_verify(const struct source_directory *source, const struct credential *credential,
		  struct credential_error *reterr);
