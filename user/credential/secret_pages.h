/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole pages for secrets that are many, or pass through on their way into the kernel: locked
 * once they are touched, in no core dump, zero in a child process. The secure heap is for
 * private keys, and small.
 */
#pragma once

#include "user/base/util.h"

/* @bytes of zeros; only the pages that are touched take memory. NULL and errno. */
void *secret_pages_new(size_t bytes);

/* Gives them back to the kernel, which wipes them; takes and returns NULL. */
void *secret_pages_free(void *pages, size_t bytes);
