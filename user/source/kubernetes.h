/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server as a source: one document per object (user/kube/object.h), kept up to date by
 * one reflector per kind, and a journal on disk of what was heard last, so that an agent that
 * starts while the server is away knows what the one before it knew.
 */
#pragma once

#include "user/kube/reflector.h"
#include "user/source/source.h"

#define SOURCE_KUBERNETES_OBJECTS_MAX (1 << 20)

struct source_kubernetes_options {
	struct kube_client *client; /* borrowed; must live longer than the source */
	const char *journal; /* path of the journal; NULL: none */
};

/*
 * source_read(): until all required kinds were listed, or a journal was read, -EAGAIN. Later
 * calls give documents that were handed over before without their text (`text` NULL: as it was,
 * see policy_engine_stage()), so that no text need be kept in memory. source_changes() is the usual way after the first read.
 */
int source_kubernetes_new(const struct source_kubernetes_options *options, struct source **ret);

/* For people: why there is no journal, or what was wrong with the one found; "" for nothing. */
const char *source_kubernetes_journal_trouble(const struct source *source);

/* Every kind has been listed since the start: what is known is not (only) the journal's. */
bool source_kubernetes_synced(const struct source *source);

struct source_kubernetes_status {
	const char *kind;
	struct kube_reflector_stats stats;
	size_t objects; /* documents of this kind */
	char trouble[KUBE_ERROR_MAX];
};
/* Status of kind @i; -ENOENT: there are no more. */
int source_kubernetes_status(const struct source *source, size_t i,
			     struct source_kubernetes_status *ret);
