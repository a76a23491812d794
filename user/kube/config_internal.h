/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration holds, for the files of this room. */
#pragma once

#include <sys/stat.h>

#include "user/kube/config.h"

/* A text that stands in a file, and is read again when that changes, or was given in place. */
struct kube_file {
	char *path; /* NULL: given in place, or there is none */
	char *text; /* wiped when replaced */
	size_t length;
	struct stat seen;
	int64_t read_ms; /* CLOCK_BOOTTIME */
};

/* How a credential plugin is run, and what it gave last. */
struct kube_exec {
	char *command;
	char **argument, **environment; /* NULL-terminated; "NAME=value" */
	size_t arguments, environments;
	char *api_version; /* "client.authentication.k8s.io/v1" */
	char *hint; /* what to do when the command is missing; may be NULL */
	bool cluster_info; /* it wants to know which cluster it is for */
	char *token, *certificate, *key; /* wiped when replaced */
	int64_t expires_ms; /* CLOCK_REALTIME; 0: when the server says so */
	bool valid;
};

struct kube_config {
	char *origin; /* "/root/.kube/config, context \"x\"": for messages */
	char *server, *server_name, *proxy, *namespace;
	bool insecure;
	struct kube_file ca, token, certificate, key;
	struct kube_exec *exec; /* NULL: none */
};

static inline bool kube_file_given(const struct kube_file *file)
{
	return file->path || file->text;
}

/*
 * Reads @file again when it changed, when the last time is a minute ago, or when @force. 1: the
 * text is another one now. A file that cannot be read leaves the text that was read before.
 */
int kube_file_refresh(struct kube_file *file, bool force, struct kube_error *reterr);
void kube_file_done(struct kube_file *file);
/* Wipes and frees; returns NULL. */
char *kube_secret_free(char *text);

struct kube_exec *kube_exec_free(struct kube_exec *exec); /* takes and returns NULL */

/* In a pod: the ServiceAccount's files. -ENOENT: this is no pod. */
int kube_config_in_cluster(const char *directory, struct kube_config *config,
			   struct kube_error *reterr);
/* @required: @paths is one, and must exist; else several, separated by colons. */
int kube_config_files(const char *paths, bool required, const char *context,
		      struct kube_config *config, struct kube_error *reterr);
/* One from memory, as if it stood in @path. */
int kube_config_text(const char *path, const char *text, size_t length, struct kube_config *config,
		     struct kube_error *reterr);
