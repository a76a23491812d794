/* SPDX-License-Identifier: Apache-2.0 */
/* Event loop glue: libevent's events, made and armed in one call. */
#pragma once

#include <event2/event.h>

#include "user/base/util.h"

DEFINE_TRIVIAL_CLEANUP(struct event *, event_free)
DEFINE_TRIVIAL_CLEANUP(struct event_base *, event_base_free)

/* Calls @fn whenever @what happens to @fd: a descriptor, a signal (EV_SIGNAL) or -1. */
static inline int loop_add(struct event_base *base, int fd, short what, event_callback_fn fn,
			   void *arg, const struct timeval *timeout, struct event **ret)
{
	struct event *event = event_new(base, fd, what | EV_PERSIST, fn, arg);

	if (!event)
		return -ENOMEM;
	if (event_add(event, timeout) < 0) {
		event_free(event);
		return -EINVAL;
	}
	*ret = event;
	return 0;
}

static inline int loop_read(struct event_base *base, int fd, event_callback_fn fn, void *arg,
			    struct event **ret)
{
	return loop_add(base, fd, EV_READ, fn, arg, NULL, ret);
}

static inline int loop_signal(struct event_base *base, int sig, event_callback_fn fn, void *arg,
			      struct event **ret)
{
	return loop_add(base, sig, EV_SIGNAL, fn, arg, NULL, ret);
}

static inline int loop_every(struct event_base *base, unsigned int ms, event_callback_fn fn,
			     void *arg, struct event **ret)
{
	struct timeval every = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return loop_add(base, -1, 0, fn, arg, &every, ret);
}
