/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the Kubernetes source share; tests drive it through this, too. */
#pragma once

#include "user/kube/object.h"
#include "user/source/journal.h"
#include "user/source/kubernetes.h"
#include "user/source/store.h"

#define KUBERNETES_KINDS_MAX 32

struct kubernetes;

/* A kind of objects, as it is followed. */
struct follower {
	struct kubernetes *owner;
	const struct kube_kind *kind;
	struct kube_reflector *reflector; /* NULL: none */
	uint8_t index;
	bool synced; /* listed since the start */
	bool known; /* listed, now or when the journal was written */
	bool recorded; /* its changes go to the journal */
	bool record_all; /* what did not change as well: the journal has not got it */
	bool whole; /* the journal has all of it */
	bool kept; /* see journal_ops: rewrite() */
	size_t objects; /* with a document */
	size_t refused; /* whose newest version is no document */
	uint64_t left_out; /* that have no name, or no room */
	char trouble[KUBE_ERROR_MAX]; /* the reflector's */
	char refusal[KUBE_ERROR_MAX]; /* the last one; "" when there is none any more */
};

struct kubernetes {
	struct source source;
	int epoll; /* of the two below: one descriptor to the outside */
	int event; /* readable: there is something to read */
	int timer; /* the journal has something to do, or memory is given back */
	bool timer_runs;
	bool gives_back; /* much was handed over: its memory may be free by now */
	bool signalled;
	bool was_read; /* once */
	struct store store;
	struct journal *journal; /* NULL: none */
	struct kube_client *client; /* NULL: nothing is followed */
	char *names; /* lent by the last read */
	struct follower follower[KUBERNETES_KINDS_MAX];
	size_t n;
};

/* The source without what follows the server; @journal may be NULL. */
int kubernetes_open(const char *journal, const char *cluster, struct kubernetes **ret);

/* What a reflector tells about the kind of a struct follower. */
extern const struct kube_reflector_ops kubernetes_ops;

/* Whether enough is known to put it in force. */
bool kubernetes_ready(const struct kubernetes *k);
/* Makes the source readable when there is something to read. */
void kubernetes_signal(struct kubernetes *k);

/* Lists all kinds, whether they were listed or not. */
int kubernetes_follow(struct kubernetes *k);

/* What is known, and what changes, to and from the journal. */
int kubernetes_open_journal(struct kubernetes *k, const char *path, const char *cluster);
void kubernetes_record_begin(struct follower *f);
void kubernetes_record_whole(struct follower *f);
void kubernetes_record_set(struct follower *f, const char *name, const struct store_text *text,
			   bool replaces);
void kubernetes_record_gone(struct follower *f, const struct store_object *object);

/* Lets the timer run when there is something to wait for. */
void kubernetes_schedule(struct kubernetes *k);
