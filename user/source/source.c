/* SPDX-License-Identifier: Apache-2.0 */
#include "user/source/source.h"

void source_documents_done(struct source_documents *documents)
{
	for (size_t i = 0; i < documents->n; i++) {
		if (documents->item[i].borrowed)
			continue;
		free(documents->item[i].name);
		free(documents->item[i].text);
	}
	free(documents->item);
	*documents = (struct source_documents){ 0 };
}

struct source *source_free(struct source *source)
{
	if (source)
		source->ops->free(source);
	return NULL;
}

int source_changes(struct source *source, struct source_documents *ret)
{
	return source->ops->changes ? source->ops->changes(source, ret) : -EOPNOTSUPP;
}

int source_read(struct source *source, struct source_documents *ret)
{
	return source->ops->read(source, ret);
}

const char *source_error(const struct source *source)
{
	return source->error;
}

int source_fd(const struct source *source)
{
	return source->ops->fd(source);
}

int source_dispatch(struct source *source)
{
	return source->ops->dispatch(source);
}
