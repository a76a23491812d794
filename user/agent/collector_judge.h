/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a node's number when the node is gone: marked first, deleted much later. */
#pragma once

#include <jansson.h>

#include "user/base/util.h"

enum collector_action {
	COLLECTOR_KEEP,
	COLLECTOR_LABEL, /* there is a Node object of its name: remember that */
	COLLECTOR_MARK, /* that is gone */
	COLLECTOR_UNMARK, /* it came back */
	COLLECTOR_DELETE,
};

/* One NodeIdentity, and what is known of the rest. */
struct collector_case {
	const json_t *object;
	bool exists; /* there is a Node of its name */
	bool replaced; /* the node has a newer one, with another number */
	int64_t now_ms;
	int64_t key_lifetime_ms; /* longest that a key may be in use after its node is gone */
};
enum collector_action collector_judge(const struct collector_case *c);
