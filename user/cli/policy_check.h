/* SPDX-License-Identifier: Apache-2.0 */
/* How `policy check` and `policy codes` show findings and codes. */
#pragma once

#include <jansson.h>

#include "user/cli/cli.h"
#include "user/policy/lint.h"

/* "file:line: severity CODE: message", the remedy, and the counts at the end. */
void findings_put_text(const struct cli *cli, const struct findings *findings);

/* {"findings": [...], "counts": {...}}; NULL: no memory. The caller's. */
json_t *findings_json(const struct findings *findings);

/* A SARIF 2.1.0 log with one run; NULL: no memory. The caller's. */
json_t *findings_sarif(const struct findings *findings);

/* One code with its texts; NULL: no memory. The caller's. */
json_t *lint_info_json(const struct lint_info *info);

/* Prints @json, indented, and drops it. CLI_OK, or CLI_FAILED when it is NULL. */
int put_json(const struct cli *cli, json_t *json);
