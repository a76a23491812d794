/* SPDX-License-Identifier: Apache-2.0 */
/* files:DIR, PEM files that cert-manager, Vault agent or spiffe-helper renew. */
#include <fcntl.h>
#include <sys/stat.h>

#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/credential/error.h"
#include "user/credential/secret.h"
#include "user/credential/source_directory.h"

#define FILES_ATTEMPTS 3 /* to read a set that nobody changes meanwhile */
#define FILES_CRL "crl.pem" /* beside either set; may be missing */

enum { FILE_CHAIN, FILE_KEY, FILE_BUNDLE, FILE_CRLS, FILE_MAX };

/* The names that the tools use. The first set whose certificate exists is taken. */
static const char *const sets[][FILE_MAX] = {
	/* cert-manager's CSI drivers and Secrets, Vault agent templates, countersign ca issue */
	{ "tls.crt", "tls.key", "ca.crt", FILES_CRL },
	/* spiffe-helper */
	{ "svid.pem", "svid_key.pem", "svid_bundle.pem", FILES_CRL },
};

struct files {
	struct source_directory base;
	struct cs_key seen; /* digest of what was handed over last */
};

/* What tells one version of a file from another; all zero: there is none. */
struct version {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* A set as it was read. */
struct set {
	const char *const *name;
	char *text[FILE_MAX]; /* NULL for the key */
	size_t length[FILE_MAX];
	struct cs_key sum;
	bool same; /* as what was handed over last; then there is no key */
	EVP_PKEY *key;
};

static void set_done(struct set *set)
{
	for (size_t i = 0; i < FILE_MAX; i++) {
		/* A key that stands in the wrong file is refused, and not left in memory. */
		if (set->text[i])
			explicit_bzero(set->text[i], set->length[i]);
		free(set->text[i]);
	}
	EVP_PKEY_free(set->key);
}

static const char *const *find_set(int dir, struct credential_error *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (faccessat(dir, sets[i][FILE_CHAIN], F_OK, 0) == 0)
			return sets[i];
	credential_fail(reterr, 0, "there is neither %s nor %s in it", sets[0][FILE_CHAIN],
			sets[1][FILE_CHAIN]);
	return NULL;
}

static void versions(int dir, const char *const *name, struct version ret[static FILE_MAX])
{
	struct stat st;

	memset(ret, 0, FILE_MAX * sizeof(*ret));
	for (size_t i = 0; i < FILE_MAX; i++) {
		if (fstatat(dir, name[i], &st, 0) < 0)
			continue;
		ret[i].device = st.st_dev;
		ret[i].inode = st.st_ino;
		ret[i].size = st.st_size;
		ret[i].changed = st.st_ctim;
	}
}

static int read_text(int dir, struct set *set, size_t file, struct credential_error *reterr)
{
	int r = file_read_at(dir, set->name[file], BUNDLE_BYTES_MAX, &set->text[file],
			     &set->length[file]);

	if (r == -ENOENT && file == FILE_CRLS)
		return 0;
	return r < 0 ? credential_fail(reterr, r, "%s: %s", set->name[file], strerror(-r)) : 0;
}

static int read_key(const struct files *files, int dir, struct set *set,
		    struct credential_error *reterr)
{
	if (files->base.key_uri)
		return secret_key_from_uri(files->base.key_uri, files->base.key_provider, &set->key,
					   reterr);
	return secret_key_from_file(dir, set->name[FILE_KEY], &set->key, reterr);
}

/* Of all but the key, which fits to no other certificate. */
static struct cs_key digest(const struct set *set)
{
	struct cs_key sum = document_digest(set->name[FILE_CHAIN], set->text[FILE_CHAIN],
					    set->length[FILE_CHAIN]);

	for (size_t i = FILE_BUNDLE; i <= FILE_CRLS; i++) {
		struct cs_key one = { 0 };

		if (set->text[i])
			one = document_digest(set->name[i], set->text[i], set->length[i]);
		sum.k0 = sum.k0 * 31 + one.k0;
		sum.k1 = sum.k1 * 31 + one.k1;
	}
	return sum;
}

/* The key is left where it is when the set was handed over before. */
static int read_set_once(const struct files *files, int dir, struct set *set,
			 struct credential_error *reterr)
{
	int r = read_text(dir, set, FILE_CHAIN, reterr);

	if (r == 0)
		r = read_text(dir, set, FILE_BUNDLE, reterr);
	if (r == 0)
		r = read_text(dir, set, FILE_CRLS, reterr);
	if (r < 0)
		return r;
	set->sum = digest(set);
	set->same = set->sum.k0 == files->seen.k0 && set->sum.k1 == files->seen.k1;
	return set->same ? 0 : read_key(files, dir, set, reterr);
}

/* Files that are of one moment: none of them changed while they were read. */
static int read_set(const struct files *files, int dir, struct set *ret,
		    struct credential_error *reterr)
{
	struct version before[FILE_MAX], after[FILE_MAX];
	const char *const *name = find_set(dir, reterr);
	int r;

	if (!name)
		return -ENOENT;
	for (unsigned int i = 0; i < FILES_ATTEMPTS; i++) {
		struct set set = { .name = name };

		versions(dir, name, before);
		r = read_set_once(files, dir, &set, reterr);
		versions(dir, name, after);
		if (memcmp(before, after, sizeof(before)) == 0) {
			*ret = set;
			return r;
		}
		set_done(&set);
	}
	return credential_fail(reterr, -EAGAIN, "the files change while they are read");
}

/* The bundle's file and the CRLs' beside it are one text. */
static int parse_bundle(const struct files *files, const struct set *set, struct bundle **ret,
			struct credential_error *reterr)
{
	const char *text = set->text[FILE_BUNDLE], *crls = set->text[FILE_CRLS];
	_cleanup_free_ char *all = NULL;
	struct credential_error inner = { 0 };
	int n, r;

	if (text[strspn(text, " \t\r\n")] == '{') {
		if (crls)
			return credential_fail(
				reterr, -EINVAL,
				"%s beside a bundle in JSON: write the bundle as PEM", FILES_CRL);
		r = bundle_from_jwks(files->base.trust_domain, text, set->length[FILE_BUNDLE], ret,
				     &inner);
	} else {
		n = asprintf(&all, "%s\n%s", text, crls ? crls : "");
		if (n < 0)
			return -ENOMEM;
		r = bundle_from_pem(files->base.trust_domain, all, (size_t)n, ret, &inner);
	}
	return r < 0 ? credential_fail(reterr, r, "%s: %s", set->name[FILE_BUNDLE], inner.text) : 0;
}

static int parse_svid(const struct set *set, struct svid **ret, struct credential_error *reterr)
{
	struct credential_error inner = { 0 };
	STACK_OF(X509) *chain = NULL;
	int r;

	r = svid_chain_from_pem(set->text[FILE_CHAIN], set->length[FILE_CHAIN], &chain, &inner);
	if (r == 0)
		r = svid_new(chain, set->key, ret, &inner);
	sk_X509_pop_free(chain, X509_free);
	return r < 0 ? credential_fail(reterr, r, "%s: %s", set->name[FILE_CHAIN], inner.text) : 0;
}

static int parse(const struct files *files, const struct set *set, struct credential *ret,
		 struct credential_error *reterr)
{
	struct bundle *bundle = NULL;
	int r;

	r = parse_svid(set, &ret->svid, reterr);
	if (r == 0)
		r = parse_bundle(files, set, &bundle, reterr);
	if (r == 0)
		r = bundles_put(&ret->bundles, bundle);
	return r == 0 ? source_verify(&files->base, ret, reterr) : r;
}

/* 1: other than what was handed over last, and good. */
static int take(struct files *files, const struct set *set, struct credential *ret,
		struct credential_error *reterr)
{
	struct credential credential = { 0 };
	int r;

	/* Judged again also when it is the same: it may have expired. */
	r = parse(files, set, &credential, reterr);
	if (r < 0 || set->same) {
		credential_done(&credential);
		return r;
	}
	files->seen = set->sum;
	*ret = credential;
	return 1;
}

static int files_read(struct source_directory *source, struct credential *ret,
		      struct credential_error *reterr)
{
	_cleanup_close_ int dir = open(source->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct files *files = (struct files *)source;
	_cleanup_(set_done) struct set set = { 0 };
	int r;

	if (dir < 0)
		return credential_fail(reterr, -errno, "%m");
	r = read_set(files, dir, &set, reterr);
	return r == 0 ? take(files, &set, ret, reterr) : r;
}

static void files_free(struct credential_source *source)
{
	source_directory_done((struct source_directory *)source);
	free(source);
}

static int files_open(const char *where, const struct credential_options *options,
		      struct credential_source **ret, struct credential_error *reterr)
{
	struct files *files = calloc(1, sizeof(*files));
	int r;

	if (!files)
		return -ENOMEM;
	files->base.source.ops = &credential_files;
	files->base.read = files_read;
	r = source_directory_init(&files->base, where, options, reterr);
	if (r < 0)
		files_free(&files->base.source);
	else
		*ret = &files->base.source;
	return r;
}

const struct credential_source_ops credential_files = {
	.scheme = "files",
	.open = files_open,
	.fd = source_directory_fd,
	.dispatch = source_directory_dispatch,
	.free = files_free,
};
