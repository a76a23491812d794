/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests in a directory, as the agent finds them. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "tools/scale/scale.h"
#include "user/source/source.h"

static char directory[64];

static void path_of(const char *name, char ret[static 256])
{
	const char *slash = strrchr(name, '/');

	snprintf(ret, 256, "%s/%s", directory, slash ? slash + 1 : name);
}

void files_write(const char *name, const char *text)
{
	char path[256], whole[256 + 8];
	FILE *to;

	path_of(name, path);
	if (!text) {
		unlink(path);
		return;
	}
	snprintf(whole, sizeof(whole), "%s.new", path);
	to = fopen(whole, "we");
	if (!to)
		return;
	fputs(text, to);
	fclose(to);
	rename(whole, path); /* at once, as people should */
}

int files_open(const struct policy_document *documents, size_t n, struct source **ret)
{
	snprintf(directory, sizeof(directory), "/tmp/countersign-scale-files-%d", getpid());
	if (mkdir(directory, 0700) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++)
		files_write(documents[i].name, documents[i].text);
	return source_directory_new(directory, ret);
}

void files_wait(struct source *source)
{
	struct pollfd wait = { .fd = source_fd(source), .events = POLLIN };

	while (poll(&wait, 1, 5000) > 0)
		if (source_dispatch(source) > 0)
			return;
}

void files_close(struct source *source)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(directory);
	source_free(source);
}
