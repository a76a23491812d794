/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal with more garbage than anything else is written anew beside the old one, in small
 * steps, as it may have a hundred megabytes and the loop has other things to do. Records that
 * are added meanwhile go to the old one, and are copied as they are.
 */
#include "user/source/journal_internal.h"

static char *new_path(const struct journal *journal)
{
	char *path;

	return asprintf(&path, "%s.new", journal->path) < 0 ? NULL : path;
}

void journal_rewrite_drop(struct journal *journal)
{
	struct journal_rewrite *rewrite = &journal->rewrite;
	_cleanup_free_ char *path = new_path(journal);

	if (rewrite->fd >= 0 && path)
		unlink(path);
	closep(&rewrite->fd);
	journal_buffer_done(&rewrite->out);
	*rewrite = (struct journal_rewrite){ .fd = -EBADF };
}

bool journal_wants_rewrite(const struct journal *journal)
{
	uint64_t total = journal->size + journal->waiting.n;

	return journal->rewrite.fd >= 0 ||
	       (!journal->troubled && journal->garbage > JOURNAL_GARBAGE_MIN &&
		journal->garbage > total - MIN(total, journal->garbage));
}

static int begin(struct journal *journal)
{
	struct journal_rewrite *rewrite = &journal->rewrite;
	_cleanup_free_ char *path = new_path(journal);
	int r;

	if (!path)
		return -ENOMEM;
	r = journal_encode_start(&rewrite->out, journal->cluster);
	if (r < 0)
		return r;
	rewrite->fd = journal_open_new(path);
	if (rewrite->fd < 0)
		return rewrite->fd;
	rewrite->at = JOURNAL_MAGIC_BYTES;
	rewrite->end = journal->size;
	rewrite->garbage = 0;
	journal->ops->rewrite(journal->arg);
	return 0;
}

static bool is_wanted(const struct journal *journal, const struct journal_record *record)
{
	if (record->type == JOURNAL_HEADER)
		return false;
	if (journal->rewrite.at >= journal->rewrite.end)
		return true;
	/* What a list began with, or what is gone, is void anyway when nothing was before it. */
	if (record->type == JOURNAL_GONE || record->type == JOURNAL_BEGIN)
		return false;
	return journal->ops->live(journal->arg, record);
}

static int copy(struct journal *journal, struct journal_window *window)
{
	_cleanup_(journal_buffer_done) struct journal_buffer buffer = { 0 };
	struct journal_rewrite *rewrite = &journal->rewrite;
	uint64_t stop = rewrite->at + JOURNAL_STEP_BYTES;
	struct journal_record record;
	ssize_t n;
	int r;

	window->fd = journal->fd;
	window->at = window->n = 0;
	while (rewrite->at < stop) {
		n = journal_read_record(window, rewrite->at, journal->size, &buffer, &record);
		if (n <= 0)
			return (int)n;
		r = is_wanted(journal, &record) ? journal_encode(&rewrite->out, &record) : 0;
		if (r < 0)
			return r;
		rewrite->at += (uint64_t)n;
	}
	return 0;
}

static int write_out(struct journal *journal)
{
	struct journal_rewrite *rewrite = &journal->rewrite;
	int r;

	r = journal_write_at(rewrite->fd, rewrite->size, &rewrite->out);
	if (r < 0)
		return r;
	rewrite->size += rewrite->out.n;
	rewrite->out.n = 0;
	return 0;
}

static int end(struct journal *journal)
{
	struct journal_rewrite *rewrite = &journal->rewrite;
	_cleanup_free_ char *path = new_path(journal);

	if (!path)
		return -ENOMEM;
	if (rename(path, journal->path) < 0)
		return -errno;
	closep(&journal->fd);
	journal->fd = TAKE_FD(rewrite->fd);
	journal->size = rewrite->size;
	journal->garbage = MIN(rewrite->garbage, rewrite->size);
	journal->rewrites++;
	journal->trouble[0] = 0;
	journal_rewrite_drop(journal);
	return 0;
}

static int step(struct journal *journal)
{
	_cleanup_free_ struct journal_window *window = malloc(sizeof(*window));
	struct journal_rewrite *rewrite = &journal->rewrite;
	int r = window ? 0 : -ENOMEM;

	if (r == 0 && rewrite->fd < 0)
		r = begin(journal);
	if (r == 0)
		r = copy(journal, window);
	if (r == 0)
		r = write_out(journal);
	return r == 0 && rewrite->at == journal->size ? end(journal) : r;
}

void journal_rewrite_step(struct journal *journal)
{
	int r = step(journal);

	if (r == 0)
		return;
	journal_rewrite_drop(journal);
	/* Not at once again, but when as much has come again. */
	journal->garbage = 0;
	journal_fail(journal, r, "cannot be written anew: %s", strerror(-r));
	/* What is in it cannot be read any more, so nobody else can. */
	if (r == -EBADMSG || r == -ENODATA || r == -EIO)
		journal_lose(journal);
}
