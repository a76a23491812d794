/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a credential plugin beside the loop. */
#pragma once

#include <event2/event.h>

#include "user/kube/config_internal.h"

#define KUBE_EXEC_OUTPUT_MAX (256 << 10) /* bytes of an ExecCredential */

struct kube_exec_run;

/* The end: @r is 0 and the credentials are in the kube_exec, or @error says why not. */
typedef void (*kube_exec_fn)(void *arg, int r, const struct kube_error *error);

/* @config's plugin. @done is not called from within. */
int kube_exec_start(struct kube_config *config, struct event_base *base, kube_exec_fn done,
		    void *arg, struct kube_exec_run **ret, struct kube_error *reterr);
/* Kills it when it still runs, without a word. Takes and returns NULL. */
struct kube_exec_run *kube_exec_cancel(struct kube_exec_run *run);

/* Takes the credentials over from an ExecCredential; @text is not changed. */
int kube_exec_accept(struct kube_exec *exec, const char *text, size_t length,
		     struct kube_error *reterr);
/* Whether there are credentials that do not end within the next seconds. */
bool kube_exec_valid(const struct kube_exec *exec);
/* "2026-11-25T18:00:00Z", with fraction and offset too; -EINVAL. */
int kube_time_parse(const char *text, int64_t *ret_ms);
