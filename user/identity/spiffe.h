/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPIFFE IDs of workloads: spiffe://<trust domain>/ns/<namespace>/sa/<service account>, and of
 * a node's own systemd units: spiffe://<trust domain>/countersign/node/<node>/unit/<unit>.
 *
 * One identity has one spelling: the trust domain is lower-case [a-z0-9._-], segments are
 * [a-zA-Z0-9._-]+ but not "." or "..", and there is no port, user, query, fragment,
 * percent-encoding, empty segment or slash at the end. IDs are compared byte by byte.
 *
 * In a pattern, `*` matches any run of characters, also none, inside one segment or the
 * trust domain; it never matches a slash. Every other byte matches itself: '.' is a dot.
 */
#pragma once

#include <countersign/abi.h>

#include "user/base/util.h"

#define SPIFFE_TRUST_DOMAIN_MAX 255

bool spiffe_trust_domain_valid(const char *trust_domain);

/* The ID into @ret; -EINVAL: a part has other characters, -ENAMETOOLONG: it does not fit. */
int spiffe_build(const char *trust_domain, const char *namespace, const char *service_account,
		 char ret[static CS_SPIFFE_ID_MAX]);

/* The same of a unit. Not every unit's name fits: "@", ":" and "\\" do not. */
int spiffe_build_unit(const char *trust_domain, const char *node, const char *unit,
		      char ret[static CS_SPIFFE_ID_MAX]);

/* What is wrong with a workload's ID, in words, or NULL. */
const char *spiffe_problem(const char *id);

/* The same for any SPIFFE ID with a path, of at most SPIFFE_ID_MAX bytes: a node's, say. */
#define SPIFFE_ID_MAX 2048
const char *spiffe_id_problem(const char *id);

/* What is wrong with a pattern for such IDs, in words, or NULL. */
const char *spiffe_pattern_problem(const char *pattern);

bool spiffe_matches(const char *pattern, const char *id);
