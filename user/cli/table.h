/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned columns of text. */
#pragma once

#include "user/base/util.h"

#define TABLE_COLUMNS_MAX 8
#define TABLE_ROWS_MAX 8192 /* rows beyond are counted, not shown */

struct table {
	size_t columns;
	char *cells[TABLE_ROWS_MAX][TABLE_COLUMNS_MAX];
	size_t rows;
	size_t left_out;
};

/* A table whose first row is @titles; NULL without memory. */
struct table *table_new(const char *const *titles, size_t columns);

/* Adds one row of as many texts as there are columns; NULL texts are empty. */
void table_row(struct table *table, const char *const *cells);

/* Prints it, control characters replaced. */
void table_print(const struct table *table, FILE *out);

struct table *table_free(struct table *table); /* returns NULL */
DEFINE_TRIVIAL_CLEANUP(struct table *, table_free)
