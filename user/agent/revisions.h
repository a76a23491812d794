/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accepted policy sets of the past, one sealed file each in a directory that is the
 * agent's alone. Bounded in number and in bytes: the oldest go first, never the newest
 * nor the pinned one. What is damaged is listed with what is wrong and never used.
 */
#pragma once

#include "user/agent/revision.h"

#define REVISIONS_DEFAULT 10
#define REVISIONS_MAX 100
#define REVISIONS_BYTES_MAX \
	(64u << 20) /* of all files together, but for the newest and the pinned */
#define REVISIONS_FILES_MAX 4096 /* found in the directory; more are a mistake */

/* One that is kept. */
struct revisions_item {
	uint32_t number;
	size_t bytes; /* of its file */
	int damage; /* 0, or what reading it said: -EBADMSG and others */
	struct revision is; /* but for the number nothing is known when damaged */
};

struct revisions;

/*
 * Opens the directory @path, made when missing, to keep at most @keep revisions. Sweeps
 * up what writes that were cut short have left. -EPERM: others may write to it, or it is
 * another user's; -EWOULDBLOCK: another agent uses it.
 */
int revisions_open(const char *path, size_t keep, struct revisions **ret);
struct revisions *revisions_free(struct revisions *revisions); /* takes and returns NULL */

/* The kept ones by age, the oldest first. */
size_t revisions_count(const struct revisions *revisions);
const struct revisions_item *revisions_at(const struct revisions *revisions, size_t i);

/* The one numbered so, the newest that is whole; NULL: there is none. */
const struct revisions_item *revisions_find(const struct revisions *revisions, uint32_t number);
const struct revisions_item *revisions_newest(const struct revisions *revisions);

/*
 * Keeps @documents with what @revision says of them and gives them the next number, in
 * *@ret_number; when they are those of the newest revision that one's number, and nothing
 * is written. On failure nothing is lost: older ones are dropped after the write.
 */
int revisions_add(struct revisions *revisions, const struct revision *revision,
		  const struct source_documents *documents, uint32_t *ret_number);

/*
 * Puts @documents in the place of those of the newest revision: the same policies, but
 * other workloads beside them. -ENOENT when the newest is damaged, or there is none.
 */
int revisions_refresh(struct revisions *revisions, uint64_t workloads,
		      const struct source_documents *documents);

/* The documents of one. -ENOENT: there is none; -EBADMSG: it is damaged. */
int revisions_read(struct revisions *revisions, uint32_t number, struct source_documents *ret);

/* The pinned one, which is not dropped; 0: none. */
void revisions_protect(struct revisions *revisions, uint32_t number);

/* The directory, for other sealed files that belong to the history. */
int revisions_directory(const struct revisions *revisions);

/* Removes the files of a history at @path, and the directory if nothing else is in it. */
int revisions_remove(const char *path);

/* What is wrong with a revision that cannot be read, in words. */
const char *revisions_damage_text(int damage);
