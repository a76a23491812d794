/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig as libyaml's tree, and fields of it with the place for messages. What a
 * scalar says is never repeated in a message: it may be a secret.
 */
#pragma once

#include <yaml.h>

#include "user/kube/config_internal.h"

struct kubeconfig {
	char *path;
	char *directory; /* that relative paths in it start from */
	yaml_document_t document;
	bool loaded;
};

/* A mapping of a file, e.g. the user "admin" of one. */
struct kube_spot {
	struct kubeconfig *file;
	yaml_node_t *map; /* NULL: it does not exist */
	const char *what; /* "user" */
	const char *name; /* "admin" */
	struct kube_error *error;
};

/* -ENOENT: no such file; -EBADMSG: see @reterr. */
int kubeconfig_load(const char *path, struct kubeconfig *ret, struct kube_error *reterr);
/* From memory, as if it stood in @path. */
int kubeconfig_parse(const char *path, const char *text, size_t length, struct kubeconfig *ret,
		     struct kube_error *reterr);
void kubeconfig_done(struct kubeconfig *file);

yaml_node_t *kubeconfig_root(struct kubeconfig *file);
yaml_node_t *kubeconfig_node(struct kubeconfig *file, int index);

/* Always -EBADMSG or @r: "FILE:LINE: user "x": FIELD: ...". */
__attribute__((format(printf, 5, 6))) int kube_spot_fail(const struct kube_spot *spot, int r,
							 const yaml_node_t *at, const char *field,
							 const char *format, ...);

/* The value of @field, NULL in @ret when there is none or it is null. A field given twice fails. */
int kube_spot_get(const struct kube_spot *spot, const char *field, yaml_node_t **ret);
/* The same as text; the caller's. */
int kube_spot_text(const struct kube_spot *spot, const char *field, char **ret);
int kube_spot_bool(const struct kube_spot *spot, const char *field, bool *ret);
/* A path, relative ones made to start at the file's directory. */
int kube_spot_path(const struct kube_spot *spot, const char *field, char **ret);
/* Text in base64, decoded. */
int kube_spot_data(const struct kube_spot *spot, const char *field, char **ret, size_t *ret_length);
/* The mapping that @field is; ret->map is NULL when there is none. */
int kube_spot_map(const struct kube_spot *spot, const char *field, struct kube_spot *ret);
/* The list that @field is, NULL for none. */
int kube_spot_list(const struct kube_spot *spot, const char *field, yaml_node_t **ret);

static inline size_t yaml_list_length(const yaml_node_t *list)
{
	return list ? (size_t)(list->data.sequence.items.top - list->data.sequence.items.start) : 0;
}

/* Of the user entry @exec: how to run the plugin. */
int kube_exec_read(const struct kube_spot *exec, struct kube_exec **ret);
