/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/host_units.h"

#include <sys/eventfd.h>

#include "user/base/file.h"

struct host_units {
	struct source source;
	struct source_documents documents; /* all there ever is */
	int fd; /* never readable */
};

static void host_units_free(struct source *source)
{
	struct host_units *h = (struct host_units *)source;

	if (!h)
		return;
	source_documents_done(&h->documents);
	closep(&h->fd);
	free(h);
}

static void host_units_freep(struct host_units **h)
{
	host_units_free((struct source *)*h);
}

static int host_units_read(struct source *source, struct source_documents *ret)
{
	const struct host_units *h = (const struct host_units *)source;
	struct source_document *item = calloc(h->documents.n + 1, sizeof(*item));

	if (!item)
		return -ENOMEM;
	for (size_t i = 0; i < h->documents.n; i++) {
		item[i] = h->documents.item[i];
		item[i].borrowed = true;
	}
	*ret = (struct source_documents){ item, h->documents.n };
	return 0;
}

static int host_units_changes(struct source *source, struct source_documents *ret)
{
	(void)source;
	*ret = (struct source_documents){ 0 };
	return 0;
}

static int host_units_fd(const struct source *source)
{
	return ((const struct host_units *)source)->fd;
}

static int host_units_dispatch(struct source *source)
{
	(void)source;
	return 0;
}

int source_host_units_new(const char *list, const char *node_name, const char *trust_domain,
			  struct source **ret)
{
	static const struct source_ops ops = {
		.read = host_units_read,
		.changes = host_units_changes,
		.fd = host_units_fd,
		.dispatch = host_units_dispatch,
		.free = host_units_free,
	};
	_cleanup_(host_units_freep) struct host_units *h = calloc(1, sizeof(*h));
	_cleanup_(host_unit_list_done) struct host_unit_list units = { 0 };
	int r;

	(void)trust_domain; /* a Workload without one is of the agent's own */
	if (!h)
		return -ENOMEM;
	h->source.ops = &ops;
	h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->fd < 0)
		return -errno;
	r = host_unit_list_parse(list, &units);
	if (r < 0)
		return r;
	h->documents.item = calloc(units.n, sizeof(*h->documents.item));
	r = h->documents.item ? 0 : -ENOMEM;
	for (size_t i = 0; i < units.n && r == 0; i++) {
		r = host_unit_document(&units, i, node_name, /* own= */ true,
				       &h->documents.item[i]);
		h->documents.n += r == 0;
	}
	if (r == 0)
		*ret = &TAKE_PTR(h)->source;
	return r;
}
