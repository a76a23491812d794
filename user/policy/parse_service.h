/* SPDX-License-Identifier: Apache-2.0 */
/* What Services and EndpointSlices share. */
#pragma once

#include "user/policy/parse.h"

/* Into a struct service_port; its number stays 0 when none is given. */
int parse_service_port(struct parse *p, const struct node *node, void *target);
