/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/manifests.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/source/source.h"

#define TRUST_DOMAIN_DEFAULT "example.org"

void manifests_done(struct manifests *manifests)
{
	image_free(manifests->image);
	rule_ids_free(manifests->ids);
	policy_set_free(manifests->set);
	policy_errors_done(&manifests->errors);
	*manifests = (struct manifests){ 0 };
}

static int complain(const struct cli *cli, const char *path, int error)
{
	fprintf(cli->err, "countersign: cannot read ");
	cli_put(cli->err, path);
	fprintf(cli->err, ": %s\n",
		error == -EFBIG ? "it is larger than 16 MiB" : strerror(-error));
	return CLI_USAGE;
}

/* After a failure each further document is only checked, on its own, for its errors' sake. */
static int parse(struct manifests *m, const char *name, const char *text, size_t length)
{
	_cleanup_(policy_set_freep) struct policy_set *alone = NULL;
	int r = m->errors.total ? policy_set_new(&alone) : 0;

	if (r < 0)
		return r;
	return policy_set_parse(alone ?: m->set, name, text, length, &m->errors);
}

static int read_directory(const struct cli *cli, const char *path, struct manifests *m)
{
	_cleanup_(source_freep) struct source *source = NULL;
	struct source_documents documents = { 0 };
	int r;

	r = source_directory_new(path, &source);
	if (r < 0)
		return complain(cli, path, r);
	r = source_read(source, &documents);
	if (r < 0) {
		fprintf(cli->err, "countersign: %s\n", source_error(source));
		return CLI_USAGE;
	}
	for (size_t i = 0; i < documents.n && r != -ENOMEM; i++) {
		const struct source_document *d = &documents.item[i];
		_cleanup_free_ char *name = path_join(path, d->name);

		/* A source may name its documents by their whole paths already. */
		r = parse(m, strchr(d->name, '/') || !name ? d->name : name, d->text, d->length);
	}
	source_documents_done(&documents);
	return r == -ENOMEM ? complain(cli, path, r) : CLI_OK;
}

static int read_stdin(struct manifests *m)
{
	_cleanup_free_ char *text = malloc(SOURCE_DOCUMENT_BYTES_MAX + 1);
	size_t n;

	if (!text)
		return -ENOMEM;
	n = fread(text, 1, SOURCE_DOCUMENT_BYTES_MAX + 1, stdin);
	if (ferror(stdin))
		return -EIO;
	if (n > SOURCE_DOCUMENT_BYTES_MAX)
		return -EFBIG;
	text[n] = '\0';
	return parse(m, "<stdin>", text, n);
}

static int read_file(const char *path, struct manifests *m)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = file_read_at(AT_FDCWD, path, SOURCE_DOCUMENT_BYTES_MAX, &text, &length);
	return r < 0 ? r : parse(m, path, text, length);
}

static int read_path(const struct cli *cli, const char *path, struct manifests *m)
{
	struct stat st;
	int r;

	if (streq(path, "-")) {
		r = read_stdin(m);
	} else if (stat(path, &st) < 0) {
		r = -errno;
	} else if (S_ISDIR(st.st_mode)) {
		return read_directory(cli, path, m);
	} else {
		r = read_file(path, m);
	}
	return r < 0 && r != -EBADMSG ? complain(cli, path, r) : CLI_OK;
}

int manifests_read(const struct cli *cli, char *const *paths, size_t n, struct manifests *ret)
{
	int r, worst = CLI_OK;

	r = policy_set_new(&ret->set);
	if (r == 0)
		r = rule_ids_new(&ret->ids);
	if (r < 0)
		return complain(cli, "manifests", r);
	for (size_t i = 0; i < n; i++) {
		r = read_path(cli, paths[i], ret);
		worst = MAX(worst, r);
	}
	if (worst == CLI_OK && ret->errors.total)
		worst = CLI_FAILED;
	return worst;
}

struct policy_options manifests_options(const char *trust_domain)
{
	return (struct policy_options){
		.trust_domain = trust_domain ?: TRUST_DOMAIN_DEFAULT,
		.default_verdict = CS_VERDICT_ALLOW,
		.salt = { 1, 2 },
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.boottime_ns = clock_ns(CLOCK_BOOTTIME),
		.every_subject = true,
	};
}

int manifests_compile(struct manifests *manifests, const struct policy_options *options)
{
	image_free(TAKE_PTR(manifests->image));
	return policy_compile(manifests->set, options, manifests->ids, &manifests->image,
			      &manifests->errors) < 0
		       ? CLI_FAILED
		       : CLI_OK;
}

int manifests_complain(const struct cli *cli, const struct manifests *manifests)
{
	const struct policy_errors *errors = &manifests->errors;

	for (size_t i = 0; i < errors->n; i++) {
		_cleanup_free_ char *text = policy_error_text(&errors->item[i]);

		cli_put(cli->err, text ?: "out of memory");
		fputc('\n', cli->err);
	}
	if (errors->total > errors->n)
		fprintf(cli->err, "and %zu more errors\n", errors->total - errors->n);
	return CLI_FAILED;
}
