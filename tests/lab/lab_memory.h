/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's memory as a core dump would have it: every region that is not marked with
 * MADV_DONTDUMP ("dd" in smaps). Whatever the dump's filter says.
 */
#pragma once

#include "tests/lab/lab.h"

struct lab_needle {
	const char *what; /* for people */
	const uint8_t *bytes;
	size_t length;
};

struct lab_memory {
	size_t regions, bytes; /* that were searched */
	const struct lab_needle *found; /* the first one, or NULL */
	const char *where; /* its region */
};

struct lab_memory lab_memory_search(struct lab *lab, pid_t pid, const struct lab_needle *needles,
				    size_t n);
