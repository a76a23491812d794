/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the journal share. */
#pragma once

#include "user/source/journal.h"
#include "user/source/store.h"

#define JOURNAL_MAGIC "csjourn1" /* changes with the format of records */
#define JOURNAL_MAGIC_BYTES (sizeof(JOURNAL_MAGIC) - 1)
#define JOURNAL_RECORD_MAX (STORE_FULL_NAME_MAX + SOURCE_DOCUMENT_BYTES_MAX)

/* In front of each record; name and text follow, without NULs. Numbers are the machine's. */
struct journal_head {
	uint32_t length; /* of all that follows */
	uint16_t type;
	uint16_t name_length;
	uint64_t sum; /* of what follows */
	uint64_t head_sum; /* of the fields above: so a length can be believed */
};

struct journal_buffer {
	char *data;
	size_t n, room;
};

/* A part of a file in memory, so that small records cost no call each. */
struct journal_window {
	int fd;
	uint64_t at;
	size_t n;
	char data[64 << 10];
};

/* One that is being written beside the old one, see journal_compact.c. */
struct journal_rewrite {
	int fd; /* -EBADF: none */
	uint64_t at; /* of the old one */
	uint64_t end; /* of it when this began: all behind that is copied as it is */
	uint64_t size; /* of the new one */
	uint64_t garbage; /* since this began */
	struct journal_buffer out;
};

struct journal {
	char *path, *cluster;
	const struct journal_ops *ops;
	void *arg;
	int fd; /* -EBADF: it is not open */
	uint64_t size; /* whole records in the file */
	uint64_t garbage, records;
	uint64_t bytes_max;
	struct journal_buffer waiting; /* records that are not in the file yet */
	int64_t write_at, retry_at; /* CLOCK_BOOTTIME, ns; 0: not */
	bool given_up; /* no use trying again */
	struct journal_rewrite rewrite;
	uint64_t rewrites;
	char trouble[512];
	bool troubled; /* nothing is written now; else `trouble` is what was found when opened */
};

/* Sets the trouble in words; returns @r. */
int journal_fail(struct journal *journal, int r, const char *format, ...) _printf_(3, 4);

/* One record, encoded at the end of @buffer. */
int journal_encode(struct journal_buffer *buffer, const struct journal_record *record);
void journal_buffer_done(struct journal_buffer *buffer);

/*
 * The record at @at of a file of @size bytes, into @buffer; *@ret points there. Returns its
 * size, 0 at the end, -ENODATA: the file ends within it; -EBADMSG: it is damaged.
 */
ssize_t journal_read_record(struct journal_window *window, uint64_t at, uint64_t size,
			    struct journal_buffer *buffer, struct journal_record *ret);

/* What every journal begins with. */
int journal_encode_start(struct journal_buffer *buffer, const char *cluster);
/* A new file, instead of whatever has that name; a descriptor. */
int journal_open_new(const char *path);
/* Writes all of @buffer at @at, or leaves the file as long as it was. */
int journal_write_at(int fd, uint64_t at, const struct journal_buffer *buffer);

/* An empty journal in the place of whatever is there. */
int journal_create(struct journal *journal);
/* Writes what waits. < 0: it still waits, or the journal is lost. */
int journal_flush(struct journal *journal);
/* It is of no use any more: an older state must not be believed by the next agent. */
void journal_lose(struct journal *journal);

/* The next step of a rewrite; begins one when it is worth it. */
void journal_rewrite_step(struct journal *journal);
bool journal_wants_rewrite(const struct journal *journal);
void journal_rewrite_drop(struct journal *journal);
