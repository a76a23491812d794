/* SPDX-License-Identifier: Apache-2.0 */
/* When a journal is written, and what becomes of it when it cannot be. */
#include <stdarg.h>
#include <sys/random.h>

#include "user/base/clock.h"
#include "user/source/journal_internal.h"

#define KEEP_ROOM JOURNAL_WAITING_MAX / 4 /* of the buffer, when it is empty again */

int journal_fail(struct journal *journal, int r, const char *format, ...)
{
	size_t room = sizeof(journal->trouble), n;
	va_list args;

	n = (size_t)snprintf(journal->trouble, room, "the journal %.160s ", journal->path);
	va_start(args, format);
	vsnprintf(journal->trouble + n, room - n, format, args);
	va_end(args);
	return r;
}

static int64_t in_ms(unsigned int ms)
{
	return clock_ns(CLOCK_BOOTTIME) + ms * NS_PER_MS;
}

/* Nodes whose disks are full at the same time do not all ask the server at the same. */
static int64_t next_try(void)
{
	unsigned int jitter = 0;

	if (getrandom(&jitter, sizeof(jitter), 0) < 0)
		jitter = (unsigned int)getpid();
	return in_ms(JOURNAL_RETRY_MS + jitter % JOURNAL_RETRY_MS);
}

void journal_lose(struct journal *journal)
{
	/* Emptied as well, as a file may be kept by a directory that nobody may write. */
	if (journal->fd >= 0 && ftruncate(journal->fd, 0) < 0)
		journal->troubled = true;
	closep(&journal->fd);
	journal->fd = -EBADF;
	unlink(journal->path);
	journal_rewrite_drop(journal);
	journal_buffer_done(&journal->waiting);
	journal->size = journal->garbage = journal->records = 0;
	journal->write_at = 0;
	journal->troubled = true;
	journal->retry_at = journal->given_up ? 0 : next_try();
}

static void recover(struct journal *journal)
{
	journal->trouble[0] = 0;
	journal->troubled = false;
}

int journal_flush(struct journal *journal)
{
	struct journal_buffer *waiting = &journal->waiting;
	int r;

	journal->write_at = 0;
	if (journal->size + waiting->n > journal->bytes_max) {
		journal->given_up = true;
		journal_fail(journal, 0,
			     "would be larger than %llu bytes: there is none until the next start",
			     (unsigned long long)journal->bytes_max);
		journal_lose(journal);
		return -EFBIG;
	}
	r = journal_write_at(journal->fd, journal->size, waiting);
	if (r < 0) {
		journal_fail(journal, r, "cannot be written: %s", strerror(-r));
		journal->troubled = true;
		journal->write_at = in_ms(JOURNAL_WRITE_MS);
		if (r == -ENOTRECOVERABLE)
			journal_lose(journal);
		return r;
	}
	journal->size += waiting->n;
	waiting->n = 0;
	if (waiting->room > KEEP_ROOM)
		journal_buffer_done(waiting);
	recover(journal);
	return 0;
}

struct journal *journal_free(struct journal *journal)
{
	if (!journal)
		return NULL;
	journal_rewrite_drop(journal);
	if (journal->fd >= 0 && journal->waiting.n)
		journal_flush(journal);
	journal_buffer_done(&journal->waiting);
	closep(&journal->fd);
	free(journal->path);
	free(journal->cluster);
	free(journal);
	return NULL;
}

static void count(struct journal *journal, const struct journal_record *record, uint64_t bytes,
		  bool replaces)
{
	uint64_t garbage = 0, total = journal->size + journal->waiting.n;

	/* How long the one was that is replaced is not known: as long as this, or as most. */
	if (record->type == JOURNAL_GONE)
		garbage = bytes + (replaces ? total / MAX(journal->records, 1U) : 0);
	else if (replaces)
		garbage = bytes;
	journal->garbage = MIN(journal->garbage + garbage, total);
	journal->rewrite.garbage += garbage;
	journal->records++;
}

void journal_add(struct journal *journal, const struct journal_record *record, bool replaces)
{
	size_t before = journal->waiting.n;
	int r;

	if (journal->fd < 0)
		return;
	r = journal_encode(&journal->waiting, record);
	if (r == 0 && before > JOURNAL_WAITING_MAX)
		r = -ENOBUFS;
	if (r < 0) {
		/* Why it could not be written says more than that too much waits for it. */
		if (r != -ENOBUFS || !journal->troubled)
			journal_fail(journal, r, "is lost: %s", strerror(-r));
		journal_lose(journal);
		return;
	}
	count(journal, record, journal->waiting.n - before, replaces);
	if (journal->waiting.n >= JOURNAL_WRITE_BYTES && !journal->troubled)
		journal_flush(journal);
	else if (!journal->write_at)
		journal->write_at = in_ms(JOURNAL_WRITE_MS);
}

static void retry(struct journal *journal)
{
	int r = journal_create(journal);

	if (r < 0) {
		journal_fail(journal, r, "cannot be made: %s", strerror(-r));
		journal->retry_at = next_try();
		return;
	}
	journal->retry_at = 0;
	recover(journal);
	journal->ops->begun(journal->arg);
}

void journal_tick(struct journal *journal)
{
	int64_t now = clock_ns(CLOCK_BOOTTIME);

	if (journal->fd < 0) {
		if (journal->retry_at && now >= journal->retry_at)
			retry(journal);
		return;
	}
	if (journal->write_at && now >= journal->write_at && journal_flush(journal) < 0)
		return;
	if (journal_wants_rewrite(journal))
		journal_rewrite_step(journal);
}

int journal_wait_ms(const struct journal *journal)
{
	int64_t at = journal->fd < 0 ? journal->retry_at : journal->write_at, ms;

	if (journal->fd >= 0 && journal_wants_rewrite(journal))
		return JOURNAL_STEP_MS;
	if (!at)
		return -1;
	ms = (at - clock_ns(CLOCK_BOOTTIME) + NS_PER_MS - 1) / NS_PER_MS;
	return (int)MAX(ms, 1);
}

bool journal_is_open(const struct journal *journal)
{
	return journal->fd >= 0;
}

const char *journal_trouble(const struct journal *journal)
{
	return journal->trouble;
}

void journal_stats(const struct journal *journal, struct journal_stats *ret)
{
	*ret = (struct journal_stats){
		.bytes = journal->size + journal->waiting.n,
		.garbage = journal->garbage,
		.rewrites = journal->rewrites,
	};
}

void journal_set_live(struct journal *journal, uint64_t bytes)
{
	journal->garbage = journal->size > bytes ? journal->size - bytes : 0;
}
