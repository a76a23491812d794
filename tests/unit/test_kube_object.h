/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of an API server, for tests of the documents that they become. */
#pragma once

#include <criterion/criterion.h>

#include "user/kube/object.h"

const struct kube_kind *kind_of(const char *kind);

/* JSON with single quotes, as every other one would need a backslash; the caller's. */
json_t *load(const char *text);

#define POD_OF(meta, spec, status)                                                              \
	"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web-1','namespace':'shop','uid':'" \
	"7f1a2b3c-0000-4000-8000-000000000001'" meta "},'spec':{'nodeName':'n1'" spec           \
	"},'status':{" status "}}"
