/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/log.h"

#include <stdarg.h>
#include <time.h>

#define LOG_LINE_MAX 4096 /* longer lines are cut */

static enum log_level log_level = LOG_INFO;

void log_set_level(enum log_level level)
{
	log_level = level;
}

static size_t log_prefix(char *line, size_t size, enum log_level level, const char *message)
{
	static const char *const names[] = { "debug", "info", "warning", "error" };
	struct timespec now;
	struct tm tm;
	char stamp[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(line, size, "%s.%03ldZ level=%s msg=\"%s\"", stamp, now.tv_nsec / 1000000,
			names[level], message);
}

void log_line(enum log_level level, const char *message, const char *keys, ...)
{
	char line[LOG_LINE_MAX];
	size_t length;
	va_list args;

	if (level < log_level)
		return;
	length = log_prefix(line, sizeof(line) - 1, level, message);
	if (*keys && length < sizeof(line) - 2) {
		line[length++] = ' ';
		va_start(args, keys);
		length += vsnprintf(line + length, sizeof(line) - 1 - length, keys, args);
		va_end(args);
	}
	length = MIN(length, sizeof(line) - 2);
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0)
		return; /* nowhere left to say so */
}
