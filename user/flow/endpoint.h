/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a flow, with the names that belong to it. Private to this room. */
#pragma once

#include <jansson.h>

#include "user/flow/names.h"

#define ENDPOINT_LABELS_MAX 64 /* labels written per side */
#define ENDPOINT_WORKLOADS_MAX 16 /* workloads written that share one identity */

struct endpoint {
	uint64_t identity; /* 0: not known at all */
	uint32_t slot; /* of the workload on this node, 0: not on this node, or unmanaged */
	const struct image *image; /* may be NULL */
	const struct name_index *index; /* may be NULL */
	const struct image_identity *known; /* of the identity, may be NULL */
	const struct image_workload *workload; /* by its address, may be NULL */
	const char *entity; /* "kube-apiserver" for entities, else NULL */
};

/* Both sides of @event; @image may be NULL. */
struct endpoints {
	struct endpoint source;
	struct endpoint destination;
};
struct endpoints endpoints_of(const struct cs_event *event, const struct image *image);

/* Whether it is, or may be, the workload @wanted, "ns/name". */
bool endpoint_is(const struct endpoint *endpoint, const char *wanted);

/* Whether it is a workload of @namespace. */
bool endpoint_is_in(const struct endpoint *endpoint, const char *namespace);

/* Hubble's Endpoint: ID, identity, namespace, labels, pod_name, workloads. */
json_t *endpoint_to_json(const struct endpoint *endpoint);

/* Ours: identity, spiffe_id, workload as "ns/name", or entity as policies name it. */
json_t *endpoint_to_extension(const struct endpoint *endpoint);
