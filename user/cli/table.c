/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/table.h"

#include "user/cli/cli.h"

#define GAP 2

struct table *table_new(const char *const *titles, size_t columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = MIN(columns, (size_t)TABLE_COLUMNS_MAX);
	table_row(table, titles);
	return table;
}

void table_row(struct table *table, const char *const *cells)
{
	if (table->rows == TABLE_ROWS_MAX) {
		table->left_out++;
		return;
	}
	for (size_t i = 0; i < table->columns; i++)
		table->cells[table->rows][i] = strdup(cells[i] ? cells[i] : "");
	table->rows++;
}

static const char *cell(const struct table *table, size_t row, size_t column)
{
	const char *text = table->cells[row][column];

	return text ? text : "?"; /* strdup() failed */
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t row = 0; row < table->rows; row++)
		width = MAX(width, strlen(cell(table, row, column)));
	return width;
}

static void print_row(const struct table *table, size_t row, const size_t *widths, FILE *out)
{
	for (size_t i = 0; i < table->columns; i++) {
		const char *text = cell(table, row, i);
		bool last = i + 1 == table->columns;

		cli_put(out, text);
		if (!last)
			fprintf(out, "%*s", (int)(widths[i] - strlen(text) + GAP), "");
	}
	fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < table->columns; i++)
		widths[i] = column_width(table, i);
	for (size_t row = 0; row < table->rows; row++)
		print_row(table, row, widths, out);
	if (table->left_out)
		fprintf(out, "(%zu more; -o json shows all)\n", table->left_out);
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t row = 0; row < table->rows; row++)
		for (size_t i = 0; i < table->columns; i++)
			free(table->cells[row][i]);
	free(table);
	return NULL;
}
