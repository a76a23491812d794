/* SPDX-License-Identifier: Apache-2.0 */
/* A journal's file: begun, read as a whole, written at its end. */
#include <fcntl.h>
#include <sys/stat.h>

#include "user/source/journal_internal.h"

int journal_encode_start(struct journal_buffer *buffer, const char *cluster)
{
	const struct journal_record header = {
		.type = JOURNAL_HEADER,
		.text = cluster,
		.length = strlen(cluster),
	};

	buffer->n = 0;
	free(buffer->data);
	buffer->data = strdup(JOURNAL_MAGIC);
	buffer->room = buffer->n = buffer->data ? JOURNAL_MAGIC_BYTES : 0;
	return buffer->data ? journal_encode(buffer, &header) : -ENOMEM;
}

int journal_open_new(const char *path)
{
	/* A link or a pipe of that name is not followed, but goes. */
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return ret_errno(
		open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
}

int journal_write_at(int fd, uint64_t at, const struct journal_buffer *buffer)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < buffer->n) {
		ssize_t n = pwrite(fd, buffer->data + done, buffer->n - done, (off_t)(at + done));

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n < 0 ? -errno : -EIO;
	}
	/* What is half there would be cut off by who reads it, but not by who adds to it. */
	if (r < 0 && ftruncate(fd, (off_t)at) < 0)
		return -ENOTRECOVERABLE;
	return r;
}

int journal_create(struct journal *journal)
{
	_cleanup_(journal_buffer_done) struct journal_buffer start = { 0 };
	_cleanup_close_ int fd = -EBADF;
	int r;

	r = journal_encode_start(&start, journal->cluster);
	if (r < 0)
		return r;
	fd = journal_open_new(journal->path);
	if (fd < 0)
		return fd;
	r = journal_write_at(fd, 0, &start);
	if (r < 0) {
		unlink(journal->path);
		return r;
	}
	closep(&journal->fd);
	journal->fd = TAKE_FD(fd);
	journal->size = start.n;
	journal->garbage = journal->records = 0;
	return 0;
}

/* ---- reading ---- */

static int check_magic(struct journal *journal)
{
	char magic[JOURNAL_MAGIC_BYTES];

	if (pread(journal->fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, JOURNAL_MAGIC, sizeof(magic)) == 0)
		return 0;
	return journal_fail(journal, -EBADMSG, "is no journal of this version");
}

/* The first record is the header, and there is no other. */
static int take_record(struct journal *journal, const struct journal_record *record, bool first)
{
	int r;

	if (first != (record->type == JOURNAL_HEADER))
		return journal_fail(journal, -EBADMSG, "is damaged: its header is not in front");
	if (first && !streq(record->text, journal->cluster))
		return journal_fail(journal, -EBADMSG, "is of another cluster, %.128s",
				    record->text);
	if (first)
		return 0;
	r = journal->ops->record(journal->arg, record);
	journal->records += r == 0;
	return r < 0 && r != -ENOMEM
		       ? journal_fail(journal, -EBADMSG, "has what means nothing: %s", strerror(-r))
		       : r;
}

/* Ends at *@at: of the file, or of the last record that is whole. */
static int read_records(struct journal *journal, uint64_t size, uint64_t *at)
{
	_cleanup_(journal_buffer_done) struct journal_buffer buffer = { 0 };
	_cleanup_free_ struct journal_window *window = malloc(sizeof(*window));
	struct journal_record record;
	ssize_t n;
	int r = 0;

	if (!window)
		return -ENOMEM;
	window->fd = journal->fd;
	window->at = window->n = 0;
	while (r == 0) {
		n = journal_read_record(window, *at, size, &buffer, &record);
		if (n <= 0)
			break;
		r = take_record(journal, &record, *at == JOURNAL_MAGIC_BYTES);
		*at += (uint64_t)n;
	}
	if (r < 0 || n == 0 || n == -ENODATA || n == -ENOMEM)
		return r < 0 ? r : n == -ENOMEM ? -ENOMEM : 0;
	return journal_fail(journal, -EBADMSG, "is damaged at byte %llu: %s",
			    (unsigned long long)*at,
			    n == -EBADMSG ? "a checksum is wrong" : strerror((int)-n));
}

static int cut(struct journal *journal, uint64_t size, uint64_t whole)
{
	/* Not even the header: nothing was ever in it. */
	if (whole == JOURNAL_MAGIC_BYTES)
		return journal_fail(journal, -EBADMSG, "has no header");
	if (whole == size)
		return 0;
	if (ftruncate(journal->fd, (off_t)whole) < 0)
		return journal_fail(journal, -EBADMSG, "cannot be cut: %s", strerror(errno));
	journal_fail(journal, 0,
		     "ended in the middle of a record: its last %llu bytes were cut off",
		     (unsigned long long)(size - whole));
	return 0;
}

static int read_file(struct journal *journal)
{
	uint64_t at = JOURNAL_MAGIC_BYTES;
	struct stat st;
	int r;

	if (fstat(journal->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return journal_fail(journal, -EBADMSG, "is no regular file");
	if ((uint64_t)st.st_size > journal->bytes_max)
		return journal_fail(journal, -EBADMSG, "is larger than %llu bytes",
				    (unsigned long long)journal->bytes_max);
	if (fchmod(journal->fd, S_IRUSR | S_IWUSR) < 0)
		return journal_fail(journal, -EBADMSG, "is not this user's: %s", strerror(errno));
	r = check_magic(journal);
	if (r == 0)
		r = read_records(journal, (uint64_t)st.st_size, &at);
	if (r == 0)
		r = cut(journal, (uint64_t)st.st_size, at);
	journal->size = at;
	return r;
}

/* Reads what is there, or begins a new one; -ENOMEM is the only failure. */
static int open_file(struct journal *journal)
{
	int r;

	journal->fd = open(journal->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	r = journal->fd < 0 ? -errno : read_file(journal);
	if (journal->fd < 0 && r != -ENOENT)
		journal_fail(journal, r, "cannot be opened: %s", strerror(-r));
	if (r == 0 || r == -ENOMEM)
		return r;
	/* Not a part of it is believed: the server is asked. */
	journal->ops->reset(journal->arg);
	r = journal_create(journal);
	if (r < 0 && r != -ENOMEM) {
		journal_fail(journal, r, "cannot be made: %s", strerror(-r));
		journal_lose(journal);
	}
	return r == -ENOMEM ? r : 0;
}

int journal_new(const char *path, const char *cluster, const struct journal_ops *ops, void *arg,
		struct journal **ret)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return -ENOMEM;
	journal->ops = ops;
	journal->arg = arg;
	journal->bytes_max = JOURNAL_BYTES_MAX;
	journal->fd = journal->rewrite.fd = -EBADF;
	journal->path = strdup(path);
	journal->cluster = strdup(cluster);
	r = journal->path && journal->cluster ? open_file(journal) : -ENOMEM;
	if (r < 0) {
		journal_free(journal);
		return r;
	}
	*ret = journal;
	return 0;
}
