/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that exist: the iterator programs walk them, one network namespace at a time.
 * An iterator sees the namespace of the task that makes it, so every walk is a thread of
 * its own that enters the namespace and ends there; no other thread ever leaves its own.
 */
#include "user/datapath/internal.h"

#include <pthread.h>
#include <sched.h>

#include "user/datapath/sockdiag.h"

#define RECORDS 256 /* read at once */

struct walk {
	struct bpf_program *program;
	int netns;
	size_t record_size;
	/* Called for each record, within the namespace. */
	int (*handle)(struct walk *walk, const void *record);
	int diag; /* netlink socket; -EBADF: not needed */
	unsigned int handled;
	unsigned int count;
	int result;
	const char *failed; /* what it was that failed */
};

static int walk_fail(struct walk *walk, int r, const char *what)
{
	walk->failed = what;
	return r;
}

/* Handles whole records of @buffer; returns the bytes of the last one that is cut short. */
static ssize_t handle_records(struct walk *walk, char *buffer, size_t length)
{
	size_t at = 0;
	int r;

	for (; length - at >= walk->record_size; at += walk->record_size) {
		r = walk->handle(walk, buffer + at);
		if (r < 0)
			return r;
	}
	memmove(buffer, buffer + at, length - at);
	return length - at;
}

static int read_records(struct walk *walk, int iterator)
{
	union {
		struct cs_doomed doomed;
		struct cs_adopted adopted;
		char bytes[RECORDS * sizeof(struct cs_doomed)];
	} buffer;
	ssize_t left = 0, n;

	for (;;) {
		n = read(iterator, buffer.bytes + left, sizeof(buffer) - left);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return walk_fail(walk, -errno, "reading the iterator");
		if (n == 0)
			return left ? walk_fail(walk, -EBADMSG, "reading the iterator") : 0;
		left = handle_records(walk, buffer.bytes, left + n);
		if (left < 0)
			return left;
	}
}

static int walk_sockets(struct walk *walk)
{
	int link _cleanup_close_ = -EBADF;
	int iterator _cleanup_close_ = -EBADF;

	if (setns(walk->netns, CLONE_NEWNET) < 0)
		return walk_fail(walk, -errno, "entering the network namespace");
	link = bpf_link_create(bpf_program__fd(walk->program), 0, BPF_TRACE_ITER, NULL);
	if (link < 0)
		return walk_fail(walk, -errno, "attaching the iterator");
	iterator = bpf_iter_create(link);
	if (iterator < 0)
		return walk_fail(walk, -errno, "making the iterator");
	return read_records(walk, iterator);
}

static void *walk_thread(void *arg)
{
	struct walk *walk = arg;

	walk->result = walk_sockets(walk);
	closep(&walk->diag);
	return NULL;
}

static int run_walk(struct datapath *dp, struct walk *walk, const char *program)
{
	pthread_t thread;
	int r;

	walk->program = bpf_object__find_program_by_name(dp->object, program);
	if (!walk->program)
		return datapath_fail(-ENOENT, "there is no program %s", program);
	r = pthread_create(&thread, NULL, walk_thread, walk);
	if (r != 0)
		return datapath_fail(-r, "%s: cannot start a thread: %s", program, strerror(r));
	pthread_join(thread, NULL);
	if (walk->result < 0)
		return datapath_fail(walk->result, "%s: %s: %s", program, walk->failed,
				     strerror(-walk->result));
	return 0;
}

/* ---- sweeping ---- */

static int handle_doomed(struct walk *walk, const void *record)
{
	int r;

	if (walk->diag < 0)
		walk->diag = sockdiag_open();
	if (walk->diag < 0)
		return walk_fail(walk, walk->diag, "opening sock_diag");
	r = sockdiag_destroy(walk->diag, record, ++walk->handled);
	if (r == -ENOENT)
		return 0; /* closed meanwhile, or bound to a device; its packets are dropped */
	if (r < 0)
		return walk_fail(walk, r, "destroying a socket");
	walk->count++;
	return 0;
}

int datapath_sweep(struct datapath *dp, int netns_fd, unsigned int *cut)
{
	struct walk walk = {
		.netns = netns_fd,
		.record_size = sizeof(struct cs_doomed),
		.handle = handle_doomed,
		.diag = -EBADF,
	};
	int r = run_walk(dp, &walk, "cs_sweep");

	*cut += walk.count; /* those of a sweep that failed later, too */
	return r;
}

/* ---- adopting ---- */

static int handle_adopted(struct walk *walk, const void *record)
{
	const struct cs_adopted *adopted = record;

	if (!adopted->adopted)
		walk->count++;
	return 0;
}

int datapath_adopt(struct datapath *dp, int netns_fd, unsigned int *not_adopted)
{
	struct walk walk = {
		.netns = netns_fd,
		.record_size = sizeof(struct cs_adopted),
		.handle = handle_adopted,
		.diag = -EBADF,
	};
	int r = run_walk(dp, &walk, "cs_adopt");

	if (r >= 0)
		*not_adopted += walk.count;
	return r;
}
