/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/publisher.h"

#include <fcntl.h>

#include "user/base/file_write.h"

int publisher_put(struct publisher *publisher, const char *text, struct credential_error *reterr)
{
	return publisher->ops->put(publisher, text, reterr);
}

struct publisher *publisher_free(struct publisher *publisher)
{
	if (publisher)
		publisher->ops->free(publisher);
	return NULL;
}

/* ---- a file ---- */

struct file_publisher {
	struct publisher publisher;
	char *path; /* of the directory */
	uint16_t number;
};

static int file_put(struct publisher *publisher, const char *text, struct credential_error *reterr)
{
	struct file_publisher *file = (struct file_publisher *)publisher;
	_cleanup_close_ int dir = open(file->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[sizeof("65535.json")];
	int r = dir < 0 ? -errno : 0;

	snprintf(name, sizeof(name), "%u.json", file->number);
	if (r == 0)
		r = file_write_at(dir, name, text, strlen(text), 0644, /* fresh= */ false);
	return r < 0 ? credential_fail(reterr, r, "%s/%s: %s", file->path, name, strerror(-r)) : 0;
}

static void file_free(struct publisher *publisher)
{
	free(((struct file_publisher *)publisher)->path);
	free(publisher);
}

int publisher_file_new(const char *path, uint16_t number, struct publisher **ret)
{
	static const struct publisher_ops ops = { .put = file_put, .free = file_free };
	struct file_publisher *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	file->publisher.ops = &ops;
	file->number = number;
	file->path = strdup(path);
	if (!file->path) {
		free(file);
		return -ENOMEM;
	}
	*ret = &file->publisher;
	return 0;
}
