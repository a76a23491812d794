/* SPDX-License-Identifier: Apache-2.0 */
/* Who changed the policy, and what they say about it. */
#pragma once

#include "user/base/note.h"

#define ORIGIN_AUTHOR_MAX 128 /* bytes */

struct origin {
	char author[ORIGIN_AUTHOR_MAX + 1]; /* "root (uid 0, pid 4711)" */
	char note[NOTE_MAX + 1]; /* "" for none */
};

/* Nobody asked: the agent itself acts because of @note. */
struct origin origin_of_agent(const char *note);

/*
 * The process at the other end of the Unix socket @fd, as the kernel knows it, and its
 * @note (NULL: none). -EINVAL when the note is none: see NOTE_EXPECTED.
 */
int origin_of_peer(int fd, const char *note, struct origin *ret);
