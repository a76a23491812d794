/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers that every room may use: cleanup attributes, hand-over, sizes. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))

/* Hands a pointer over: the variable is NULL afterwards. */
#define TAKE_PTR(ptr)                           \
	({                                      \
		__typeof__(ptr) _taken = (ptr); \
		(ptr) = NULL;                   \
		_taken;                         \
	})

/* Hands a descriptor over: the variable is -EBADF afterwards. */
#define TAKE_FD(fd)                \
	({                         \
		int _taken = (fd); \
		(fd) = -EBADF;     \
		_taken;            \
	})

/* Defines `static inline void fnp(type *p)` that calls fn(*p) when *p is set. */
#define DEFINE_TRIVIAL_CLEANUP(type, fn)  \
	static inline void fn##p(type *p) \
	{                                 \
		if (*p)                   \
			fn(*p);           \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

DEFINE_TRIVIAL_CLEANUP(FILE *, fclose)

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool startswith(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Lifts libc's "-1 and errno" to a negative errno. */
static inline int ret_errno(int r)
{
	return r < 0 ? -errno : r;
}
