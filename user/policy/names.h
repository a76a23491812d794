/* SPDX-License-Identifier: Apache-2.0 */
/* What names in manifests may look like. Each returns what is wrong, in words, or NULL. */
#pragma once

#include "user/base/util.h"

/* RFC 1123 label: namespaces and the like. At most 63 bytes. */
const char *dns_label_problem(const char *name);

/* RFC 1123 subdomain: labels with dots between. At most 253 bytes. */
const char *dns_subdomain_problem(const char *name);

/* A node: a subdomain, at most 63 bytes, as it is part of a SPIFFE ID and of node records. */
const char *node_name_problem(const char *name);

/* A label's key, "[prefix/]name", and its value, as in Kubernetes. */
const char *label_key_problem(const char *key);
const char *label_value_problem(const char *value);

/* IANA service name: at most 15 of a-z 0-9 -, with a letter. */
const char *port_name_problem(const char *name);

#define RULE_NAME_MAX 100
#define REMARK_MAX 256

/* A rule's name: at most 100 of a-z A-Z 0-9 . _ - /, first a letter or digit. */
const char *rule_name_problem(const char *name);

/* Any text made a rule's name; "" when nothing of it can be in one. */
void rule_name_fit(const char *text, char ret[static RULE_NAME_MAX + 1]);

/* What people write about an exception or a case: one line of at most 256 bytes. */
const char *remark_problem(const char *text);

/* A cgroup's path below the cgroup root: relative, no empty segment, no "." or "..". */
const char *cgroup_path_problem(const char *path);

/* A systemd unit that has a cgroup: a .service, .scope or .slice. */
const char *systemd_unit_problem(const char *unit);
