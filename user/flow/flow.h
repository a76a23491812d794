/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows: verdict events with the names that belong to them, kept in a bounded history,
 * filtered, and written as Hubble's JSON or as compact lines.
 */
#pragma once

#include <jansson.h>

#include "user/identity/image.h"

#define FLOW_HISTORY_MAX 65536 /* events kept in memory */

/* What turns numbers into names: images by epoch, shared. Unknown numbers stay numbers. */
struct flow_names {
	const char *node_name;
	const char *trust_domain;
	/* The image that was in force at @epoch, or NULL when it is gone. */
	const struct image *(*image_at)(void *arg, uint32_t epoch);
	void *arg;
	int64_t boot_to_real_ns; /* CLOCK_REALTIME - CLOCK_BOOTTIME */
};

struct flow_filter {
	uint8_t verdict; /* enum cs_verdict, 0: any */
	const char *from_workload; /* "ns/name" or NULL */
	const char *to_workload;
	const char *workload; /* on either side */
	const char *namespace; /* of a workload on either side */
};

/* Whether anything is asked for. */
static inline bool flow_filter_is_empty(const struct flow_filter *filter)
{
	return !filter->verdict && !filter->from_workload && !filter->to_workload &&
	       !filter->workload && !filter->namespace;
}

/* {"flow":{...},"node_name":...,"time":...}: Hubble's names, ours in extensions. New reference. */
json_t *flow_to_json(const struct cs_event *event, const struct flow_names *names);

/*
 * To be called before an image that image_at() has given out is freed: look-ups by
 * identity are indexed per image, and the index must not outlive it. NULL is fine.
 */
void flow_forget_image(const struct image *image);

/* Hubble's word for an enum cs_verdict: FORWARDED, DROPPED, AUDIT, VERDICT_UNKNOWN. */
const char *flow_verdict_name(uint8_t verdict);

/* The enum cs_verdict of FORWARDED|DROPPED|AUDIT or allow|deny|audit, in any case; or -EINVAL. */
int flow_verdict_from_name(const char *name);

/* "namespace/policy#rule", or "namespace/policy" for the policy's default; the caller's. */
char *flow_rule_text(const struct image_rule *rule);

/* One compact line (no newline) from what flow_to_json() made; the caller's. */
char *flow_to_compact(const json_t *flow);

/* Whether a flow (as JSON) passes the filter. */
bool flow_matches(const json_t *flow, const struct flow_filter *filter);

/*
 * The same for an event that is not JSON yet: about a hundred times cheaper, for a search
 * through many events of which few pass.
 */
bool flow_event_matches(const struct cs_event *event, const struct flow_names *names,
			const struct flow_filter *filter);

/* A ring of the last @capacity events, oldest overwritten. */
struct flow_history;
int flow_history_new(size_t capacity, struct flow_history **ret);
struct flow_history *flow_history_free(struct flow_history *history); /* returns NULL */
void flow_history_add(struct flow_history *history, const struct cs_event *event);
/* Number of the next event; events [max(0, next - capacity), next) can be read. */
uint64_t flow_history_next(const struct flow_history *history);
/* Event number @n, or NULL when it was overwritten or has not come yet. */
const struct cs_event *flow_history_get(const struct flow_history *history, uint64_t n);
