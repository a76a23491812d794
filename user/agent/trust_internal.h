/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about trust between nodes share. */
#pragma once

#include "user/agent/agent.h"
#include "user/agent/publisher.h"
#include "user/agent/trust.h"
#include "user/base/clock.h"
#include "user/credential/x509.h"

#define TRUST_OFF "this agent knows no other nodes: start it with --nodes and --credential"
#define TRUST_TICK_MAX_MS 60000 /* clocks are set; nothing is slept through for longer */
#define TRUST_TICK_MIN_MS 5
#define TRUST_DIRECTORY_RETRY_MS 1000
/* So long a first credential may take to come, while what an agent before left stays. */
#define TRUST_FIRST_MS 30000

/* A record that was said to be refused, so that it is said once. */
struct trust_said {
	char *file;
	enum node_flaw flaw;
};

struct trust {
	struct credential_source *source;
	struct credential credential; /* svid NULL: none yet */
	enum trust_age age;
	bool muted; /* without a good SVID this node makes no tags for others */

	struct source *bundle_files; /* NULL: no --bundles */
	struct bundles federated; /* from there */
	char bundles_error[CREDENTIAL_ERROR_MAX];
	struct bundles all; /* of both: the list is ours, what it lists is not */

	struct key_ring *ring;
	struct node_table *table;
	struct source *records;
	bool in_cluster; /* records are objects of the API server */
	int64_t begin_ms; /* CLOCK_BOOTTIME */
	bool read; /* the records were read once: what they do not have is gone */
	char records_error[CREDENTIAL_ERROR_MAX]; /* "" when the directory could be read */
	struct publisher *publisher;
	char publish_error[CREDENTIAL_ERROR_MAX];
	struct node_key told[2]; /* newest key of the record: put last, and known to be out */
	int64_t looked_ms; /* when the last look at what is due began */
	int64_t issued_ms; /* of the record that was published last */

	const struct image *image; /* whose revocations and placements are in force, or NULL */
	struct cs_node_keys *changed; /* collected for datapath_set_nodes(); NODE_TABLE_MAX */
	size_t n_changed;

	struct trust_said *said;
	size_t n_said;
	struct event *timer, *on_source, *on_records, *on_bundles;
};

static inline int64_t trust_now_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

/* ---- trust_credential.c ---- */

int trust_open_credential(struct agent *agent);
/* Takes a new credential if there is one; whether there was. */
bool trust_take_credential(struct agent *agent);
int trust_read_bundles(struct agent *agent);
/* Looks how old the SVID is; warns. Whether `muted` changed. */
bool trust_judge_own(struct agent *agent);
/* When that changes next. */
int64_t trust_own_due_ms(const struct trust *trust);

/* ---- trust_records.c ---- */

int trust_open_records(struct agent *agent);
/* Signs and publishes this node's record. Errors are kept and said once. */
void trust_publish(struct agent *agent);
/* Whether the others can read of the newest key. */
bool trust_is_told(const struct trust *trust);
/* Publishes again when somebody took our record away. */
void trust_publish_if_gone(struct agent *agent);
int trust_read_records(struct agent *agent);
/* What everything is judged by now. */
struct node_trust trust_judge_by(const struct trust *trust, struct revocations *ret_revocations);
/* Gives the kernel the keys that changed, or all. 1: connections must decide anew. */
int trust_push_keys(struct agent *agent, bool all);
/* Says which records are refused or accepted now and were not before. */
void trust_say_records(struct agent *agent);

/* ---- scope.c ---- */

/* All of who runs where; 1: connections must decide anew. */
int scope_rebuild(struct agent *agent, const struct image *image);
int scope_update(struct agent *agent, const struct image *image, const struct image_delta *delta);
