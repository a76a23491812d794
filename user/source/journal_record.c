/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a journal as bytes. */
#include <countersign/siphash.h>

#include "user/source/journal_internal.h"

/* No secret: it finds what a disk does, not what a person does. */
static const struct cs_key sum_key = { 0x636f756e74657273ULL, 0x69676e206a726e6cULL };

static uint64_t head_sum(const struct journal_head *head)
{
	return cs_siphash_bytes(&sum_key, head, offsetof(struct journal_head, head_sum));
}

void journal_buffer_done(struct journal_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct journal_buffer){ 0 };
}

static int buffer_room(struct journal_buffer *buffer, size_t more)
{
	size_t room = MAX(buffer->n + more, MIN(2 * buffer->room, buffer->n + (1U << 20)));
	char *data;

	if (buffer->n + more <= buffer->room)
		return 0;
	data = realloc(buffer->data, room);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->room = room;
	return 0;
}

int journal_encode(struct journal_buffer *buffer, const struct journal_record *record)
{
	size_t name_length = record->name ? strlen(record->name) : 0;
	size_t length = name_length + record->length;
	struct journal_head head = { .type = (uint16_t)record->type };
	char *at;
	int r;

	if (name_length >= STORE_FULL_NAME_MAX || length > JOURNAL_RECORD_MAX)
		return -EFBIG;
	r = buffer_room(buffer, sizeof(head) + length);
	if (r < 0)
		return r;
	at = buffer->data + buffer->n;
	if (name_length)
		memcpy(at + sizeof(head), record->name, name_length);
	if (record->length)
		memcpy(at + sizeof(head) + name_length, record->text, record->length);
	head.length = (uint32_t)length;
	head.name_length = (uint16_t)name_length;
	head.sum = cs_siphash_bytes(&sum_key, at + sizeof(head), length);
	head.head_sum = head_sum(&head);
	memcpy(at, &head, sizeof(head));
	buffer->n += sizeof(head) + length;
	return 0;
}

static int read_file(int fd, uint64_t at, char *to, size_t least, size_t most, size_t *ret)
{
	size_t n = 0;

	while (n < least) {
		ssize_t got = pread(fd, to + n, most - n, (off_t)(at + n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		n += (size_t)got;
	}
	*ret = n;
	return 0;
}

static int read_all(struct journal_window *window, uint64_t at, void *to, size_t n)
{
	size_t got;
	int r;

	if (n > sizeof(window->data))
		return read_file(window->fd, at, to, n, n, &got);
	if (at < window->at || at + n > window->at + window->n) {
		window->n = 0;
		r = read_file(window->fd, at, window->data, n, sizeof(window->data), &window->n);
		if (r < 0)
			return r;
		window->at = at;
	}
	memcpy(to, window->data + (at - window->at), n);
	return 0;
}

/* A file that was made longer before its last bytes got there ends in zeros. */
static bool ends_in_zeros(struct journal_window *window, uint64_t at, uint64_t size)
{
	char block[4096];

	for (size_t n; at < size; at += n) {
		n = (size_t)MIN(size - at, (uint64_t)sizeof(block));
		if (read_all(window, at, block, n) < 0)
			return false;
		for (size_t i = 0; i < n; i++)
			if (block[i])
				return false;
	}
	return true;
}

static bool head_is_sound(const struct journal_head *head)
{
	return head->head_sum == head_sum(head) && head->length <= JOURNAL_RECORD_MAX &&
	       head->name_length <= head->length && head->name_length < STORE_FULL_NAME_MAX &&
	       head->type >= JOURNAL_HEADER && head->type < JOURNAL_TYPES;
}

/* Name and text lie in the buffer one behind the other, each with a NUL of its own. */
static int read_content(struct journal_window *window, uint64_t at, const struct journal_head *head,
			struct journal_buffer *buffer, struct journal_record *ret)
{
	char *data, *text;
	int r;

	buffer->n = 0;
	r = buffer_room(buffer, head->length + 2);
	if (r < 0)
		return r;
	data = buffer->data;
	r = read_all(window, at, data, head->length);
	if (r < 0)
		return r;
	if (head->sum != cs_siphash_bytes(&sum_key, data, head->length))
		return -EBADMSG;
	text = data + head->name_length + 1;
	memmove(text, data + head->name_length, head->length - head->name_length);
	data[head->name_length] = 0;
	text[head->length - head->name_length] = 0;
	*ret = (struct journal_record){
		.type = head->type,
		.name = data,
		.text = text,
		.length = head->length - head->name_length,
	};
	return 0;
}

ssize_t journal_read_record(struct journal_window *window, uint64_t at, uint64_t size,
			    struct journal_buffer *buffer, struct journal_record *ret)
{
	struct journal_head head;
	int r;

	if (at == size)
		return 0;
	if (size - at < sizeof(head))
		return -ENODATA;
	r = read_all(window, at, &head, sizeof(head));
	if (r < 0)
		return r;
	if (!head_is_sound(&head))
		return ends_in_zeros(window, at, size) ? -ENODATA : -EBADMSG;
	if (size - at - sizeof(head) < head.length)
		return -ENODATA;
	r = read_content(window, at + sizeof(head), &head, buffer, ret);
	/* The last record, whose bytes never got there. */
	if (r == -EBADMSG && ends_in_zeros(window, at + sizeof(head), size))
		r = -ENODATA;
	return r < 0 ? r : (ssize_t)(sizeof(head) + head.length);
}
