/* SPDX-License-Identifier: Apache-2.0 */
/* systemd units of this host as workloads of their own, by a list on the command line. */
#pragma once

#include "user/source/source.h"

#define SOURCE_HOST_UNITS_MAX 64

/*
 * @list: names such as "kubelet.service,sshd.service". Each becomes a Workload document
 * "host-unit/<unit>" whose SPIFFE ID is
 * spiffe://<trust domain>/countersign/node/<node name>/unit/<unit>. -EINVAL: no such list.
 */
int source_host_units_new(const char *list, const char *node_name, const char *trust_domain,
			  struct source **ret);

/* ---- what this and node_units.h share ---- */

struct host_unit_list {
	char *text; /* that the names are in */
	const char *unit[SOURCE_HOST_UNITS_MAX];
	size_t n;
};

int host_unit_list_parse(const char *list, struct host_unit_list *ret); /* -EINVAL */
void host_unit_list_done(struct host_unit_list *list);

/* The document of unit @i on @node; the caller's. @own: it is this node, and the name shorter. */
int host_unit_document(const struct host_unit_list *list, size_t i, const char *node, bool own,
		       struct source_document *ret);
