/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log lines on standard error: `time level message key="value" ...`.
 * Libraries return negative errno and do not log above debug; the agent logs.
 */
#pragma once

#include "user/base/util.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Lines below @level are dropped. Default LOG_INFO. */
void log_set_level(enum log_level level);

/*
 * One line. @keys is a printf format for the key="value" part, "" for none:
 *	log_line(LOG_INFO, "policy in force", "epoch=%u workloads=%u", epoch, n);
 */
void log_line(enum log_level level, const char *message, const char *keys, ...) _printf_(3, 4);

#define log_debug(message, ...) log_line(LOG_DEBUG, message, __VA_ARGS__)
#define log_info(message, ...) log_line(LOG_INFO, message, __VA_ARGS__)
#define log_warning(message, ...) log_line(LOG_WARNING, message, __VA_ARGS__)
#define log_error(message, ...) log_line(LOG_ERROR, message, __VA_ARGS__)
