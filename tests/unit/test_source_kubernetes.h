/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes source without a network: a test plays the reflectors, and a model keeps
 * what a reader has that takes every change it is given.
 */
#pragma once

#include <criterion/criterion.h>

#include "user/source/kubernetes_internal.h"

/* What a reader has, by name. */
#define MODEL_MAX 4096
struct reader {
	struct {
		char *name, *text;
	} item[MODEL_MAX];
	size_t n;
};

struct follower *follower_of(struct kubernetes *k, const char *kind);

/* A list of no objects of every kind but @kind (NULL: of all). */
void sync_all_but(struct kubernetes *k, const char *kind);

/* Every kind is listed, with the pods shop/web-0 and on, @n of them, of version 1. */
void list_pods(struct kubernetes *k, int n);

/* "shop", "web-1": a pod on node n1 with one label, version=@version; 0: one that has ended. */
void tell_pod(struct kubernetes *k, const char *namespace, const char *name, int version);
void tell_gone(struct kubernetes *k, const char *namespace, const char *name);
/* A pod whose nodeName is a number. */
void tell_bad_pod(struct kubernetes *k, const char *namespace, const char *name);

/* All documents, or what changed: the model becomes it, and everything is checked on the way. */
void reader_read(struct reader *reader, struct source *source);
size_t reader_changes(struct reader *reader, struct source *source);
const char *reader_get(const struct reader *reader, const char *name);
/* The version=.. of a pod's document; -1: it is not there. */
int reader_version(const struct reader *reader, const char *namespace, const char *name);
void reader_done(struct reader *reader);
