/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/path.h"

/* What RFC 3986 lets stand as it is. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static void put_part(FILE *out, const char *part)
{
	if (!part || !*part)
		return;
	fputc('/', out);
	for (; *part; part++) {
		if (is_plain((unsigned char)*part))
			fputc(*part, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*part);
	}
}

char *kube_path_text(const struct kube_path *path)
{
	bool core = !path->group || !*path->group;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	fputs(core ? "/api" : "/apis", out);
	put_part(out, path->group);
	put_part(out, path->version);
	if (path->namespace && *path->namespace)
		fputs("/namespaces", out);
	put_part(out, path->namespace);
	put_part(out, path->plural);
	put_part(out, path->name);
	put_part(out, path->subresource);
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
