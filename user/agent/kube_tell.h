/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this agent tells the cluster: its NodeReport, Events, and, when it is the elected one,
 * conditions of policies. Does nothing without an API server (--kubernetes).
 */
#pragma once

#include <jansson.h>

#include "user/kube/condition.h"
#include "user/source/source.h"

struct agent;
struct kube_tell;

/* After the API client and the source were opened; logs. */
int kube_tell_open(struct agent *agent);
/* Before the API client goes. */
void kube_tell_done(struct agent *agent);
/* The loop has ended: another may lead at once. */
void kube_tell_release(struct agent *agent);

/* What the source said, before it is put in force. @whole: these are all there are. */
void kube_tell_documents(struct agent *agent, const struct source_documents *documents, bool whole);
/* All that was said is in force now, but for agent->refusals. */
void kube_tell_settled(struct agent *agent);
/* Whether the node follows the API server may be another by now: a pin, say. */
void kube_tell_state(struct agent *agent);

/* Whether this agent leads, at this very moment: at most one of the cluster does. */
bool kube_tell_is_leader(const struct agent *agent);

/* An Event about this node. */
void kube_tell_event(struct agent *agent, enum event_reason reason, const char *format, ...)
	_printf_(3, 4);
/* An Event about @document, such as "NodeIdentity/17"; @uid may be "". */
void kube_tell_event_of(struct agent *agent, enum event_reason reason, const char *api_version,
			const char *document, const char *uid, const char *message);

/* For status; nothing without an API server. */
void kube_tell_add_status(json_t *object, const struct agent *agent);
void kube_tell_add_warnings(json_t *list, const struct agent *agent);
