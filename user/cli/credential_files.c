/* SPDX-License-Identifier: Apache-2.0 */
#include "user/cli/credential_files.h"

#include <fcntl.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/identity/spiffe.h"

#define NAME_TEXT_MAX 256
#define SERIAL_TEXT_MAX 41

int put_failure(const struct cli *cli, const struct cli_verb *verb,
		const struct credential_error *error, int r)
{
	fprintf(cli->err, "countersign %s: ", verb->name);
	cli_put(cli->err, *error->text ? error->text : strerror(-r));
	fputc('\n', cli->err);
	return CLI_FAILED;
}

int open_directory(const char *path, struct credential_error *reterr)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? credential_fail(reterr, -errno, "%s: %m", path) : fd;
}

/* "dir/example.org.json" is the bundle of example.org. */
static char *domain_of(const char *path)
{
	static const char *const ends[] = { ".json", ".pem", ".crt" };
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t length = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (length > strlen(ends[i]) && streq(name + length - strlen(ends[i]), ends[i]))
			return strndup(name, length - strlen(ends[i]));
	return strdup(name);
}

int bundle_file_read(int dir, const char *path, const char *trust_domain, struct bundle **ret,
		     struct credential_error *reterr)
{
	_cleanup_free_ char *text = NULL, *own = domain_of(path);
	struct credential_error inner = { 0 };
	const char *domain = trust_domain ? trust_domain : own;
	size_t length = 0;
	int r;

	if (!own)
		return -ENOMEM;
	r = file_read_at(dir, path, BUNDLE_BYTES_MAX, &text, &length);
	if (r < 0)
		return credential_fail(reterr, r, "%.200s: %s", path, strerror(-r));
	if (text[strspn(text, " \t\r\n")] == '{')
		r = bundle_from_jwks(domain, text, length, ret, &inner);
	else
		r = bundle_from_pem(domain, text, length, ret, &inner);
	return r < 0 ? credential_fail(reterr, r, "%.120s: %.380s", path,
				       *inner.text ? inner.text : strerror(-r))
		     : 0;
}

int bundle_parse_format(const char *word, enum bundle_format otherwise, enum bundle_format *ret)
{
	static const char *const words[] = {
		[BUNDLE_TEXT] = "text",
		[BUNDLE_PEM] = "pem",
		[BUNDLE_JWKS] = "jwks",
	};

	if (!word) {
		*ret = otherwise;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(words[i], word)) {
			*ret = (enum bundle_format)i;
			return 0;
		}
	return -EINVAL;
}

static void put_time(FILE *out, const char *title, const ASN1_TIME *time)
{
	struct tm tm = { 0 };
	char text[sizeof("2026-12-31T23:59:59Z")];

	if (!time || !ASN1_TIME_to_tm(time, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return;
	fprintf(out, ", %s %s", title, text);
}

static void put_name(FILE *out, const X509_NAME *name)
{
	char text[NAME_TEXT_MAX] = "";

	X509_NAME_oneline(name, text, sizeof(text));
	cli_put(out, text);
}

static void put_serial(FILE *out, const ASN1_INTEGER *serial)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(serial);
	int length = ASN1_STRING_length(serial);

	fprintf(out, ", serial ");
	for (int i = 0; i < length; i++)
		fprintf(out, i ? "%02x" : "%x", bytes[i]);
}

static void print_text(const struct bundle *bundle, FILE *out)
{
	fprintf(out, "%s: nodes ", bundle->trust_domain);
	if (bundle->node_last)
		fprintf(out, "%u-%u", bundle->node_first, bundle->node_last);
	else
		fprintf(out, "any");
	if (bundle->sequence)
		fprintf(out, ", sequence %llu", (unsigned long long)bundle->sequence);
	fputc('\n', out);
	for (int i = 0; i < sk_X509_num(bundle->authorities); i++) {
		X509 *x509 = sk_X509_value(bundle->authorities, i);

		fprintf(out, "  authority ");
		put_name(out, X509_get_subject_name(x509));
		put_serial(out, X509_get0_serialNumber(x509));
		put_time(out, "until", X509_get0_notAfter(x509));
		fputc('\n', out);
	}
	for (int i = 0; i < sk_X509_CRL_num(bundle->crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(bundle->crls, i);

		fprintf(out, "  CRL of ");
		put_name(out, X509_CRL_get_issuer(crl));
		fprintf(out, ", %d revoked",
			MAX(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 0));
		put_time(out, "of", X509_CRL_get0_lastUpdate(crl));
		put_time(out, "next", X509_CRL_get0_nextUpdate(crl));
		fputc('\n', out);
	}
}

int bundle_print(const struct cli *cli, const struct cli_verb *verb, const struct bundle *bundle,
		 enum bundle_format format)
{
	_cleanup_free_ char *text = NULL;

	if (format == BUNDLE_TEXT) {
		print_text(bundle, cli->out);
		return CLI_OK;
	}
	text = format == BUNDLE_PEM ? bundle_to_pem(bundle) : bundle_to_jwks(bundle);
	if (!text) {
		fprintf(cli->err,
			"countersign %s: an authority has a key of a kind that has no place in a "
			"JWK set (EC P-256, P-384, P-521, RSA, Ed25519, Ed448)\n",
			verb->name);
		return CLI_FAILED;
	}
	fprintf(cli->out, "%s%s", text, format == BUNDLE_JWKS ? "\n" : "");
	return CLI_OK;
}
