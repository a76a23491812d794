/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text in JSON. */
#pragma once

#include <jansson.h>

/* A JSON string of @text; what is not UTF-8 (a file's name may be anything) becomes '?'. */
json_t *json_text(const char *text);
