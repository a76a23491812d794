/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in CA's revocation list: crl.pem is the only record, and grows by one. */
#include <openssl/pem.h>
#include <sys/file.h>

#include "user/base/file_write.h"
#include "user/credential/authority_internal.h"
#include "user/credential/error.h"
#include "user/credential/x509.h"

#define CRL_VALID_S (365LL * 86400) /* what nextUpdate says; nodes heed an older one, too */

/* Hex to a serial number; it must be positive and of at most 20 bytes. */
static int parse_serial(const char *hex, ASN1_INTEGER **ret, struct credential_error *reterr)
{
	BIGNUM *bn = NULL;
	size_t length = strlen(hex);

	if (length > 0 && length < SVID_SERIAL_MAX &&
	    strspn(hex, "0123456789abcdefABCDEF") == length && BN_hex2bn(&bn, hex) &&
	    !BN_is_zero(bn))
		*ret = BN_to_ASN1_INTEGER(bn, NULL);
	BN_free(bn);
	if (*ret)
		return 0;
	return credential_fail(reterr, -EINVAL,
			       "\"%.60s\" is no serial number: 1 to 40 hex digits, as `countersign "
			       "ca issue` and `openssl x509 -serial` print it",
			       hex);
}

/* The list as it is, or an empty one. */
static int read_list(int dir, const struct authority *authority, X509_CRL **ret,
		     struct credential_error *reterr)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	_cleanup_(crl_freep) X509_CRL *crl = NULL;
	int r;

	/* Read as nodes read it: what is no CRL of this CA is not added to. */
	r = authority_bundle(dir, &bundle, reterr);
	if (r < 0)
		return r;
	if (sk_X509_CRL_num(bundle->crls) > 1)
		return credential_fail(reterr, -EINVAL, "%s holds more than one list",
				       AUTHORITY_CRL);
	if (sk_X509_CRL_num(bundle->crls) == 1) {
		crl = X509_CRL_dup(sk_X509_CRL_value(bundle->crls, 0));
	} else {
		crl = X509_CRL_new();
		if (crl &&
		    (!X509_CRL_set_version(crl, X509_CRL_VERSION_2) ||
		     !X509_CRL_set_issuer_name(crl, X509_get_subject_name(authority->certificate))))
			return -ENOMEM;
	}
	if (!crl)
		return -ENOMEM;
	*ret = TAKE_PTR(crl);
	return 0;
}

static bool add_entry(X509_CRL *crl, ASN1_INTEGER *serial, const ASN1_TIME *now)
{
	X509_REVOKED *entry = X509_REVOKED_new();

	if (entry && X509_REVOKED_set_serialNumber(entry, serial) &&
	    X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)now) &&
	    X509_CRL_add0_revoked(crl, entry))
		return true;
	X509_REVOKED_free(entry);
	return false;
}

/* The extension crlNumber, one more than before. */
static bool count_up(X509_CRL *crl)
{
	ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
	int64_t value = 0;
	bool good;

	if (number)
		ASN1_INTEGER_get_int64(&value, number);
	else
		number = ASN1_INTEGER_new();
	good = number && ASN1_INTEGER_set_int64(number, value + 1) &&
	       X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_REPLACE) == 1;
	ASN1_INTEGER_free(number);
	return good;
}

static int sign_list(X509_CRL *crl, ASN1_INTEGER *serial, const struct authority *authority,
		     int64_t now_s)
{
	_cleanup_(asn1_time_freep) ASN1_TIME *now = ASN1_TIME_set(NULL, now_s);
	_cleanup_(asn1_time_freep) ASN1_TIME *next = ASN1_TIME_set(NULL, now_s + CRL_VALID_S);

	if (!now || !next || !add_entry(crl, serial, now) || !X509_CRL_set1_lastUpdate(crl, now) ||
	    !X509_CRL_set1_nextUpdate(crl, next) || !count_up(crl) || !X509_CRL_sort(crl) ||
	    X509_CRL_sign(crl, authority->key, authority_digest(authority->key)) <= 0)
		return -EIO;
	return 0;
}

static int write_list(int dir, X509_CRL *crl)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long length;

	if (!bio || PEM_write_bio_X509_CRL(bio, crl) != 1)
		return -ENOMEM;
	length = BIO_get_mem_data(bio, &text);
	return file_write_at(dir, AUTHORITY_CRL, text, (size_t)length, 0644, /* fresh= */ false);
}

static int add(int dir, ASN1_INTEGER *serial, int64_t now_s, struct credential_error *reterr)
{
	_cleanup_(authority_freep) struct authority *authority = NULL;
	_cleanup_(crl_freep) X509_CRL *crl = NULL;
	X509_REVOKED *entry;
	int r;

	r = authority_open(dir, &authority, reterr);
	if (r == 0)
		r = read_list(dir, authority, &crl, reterr);
	if (r < 0)
		return r;
	if (X509_CRL_get0_by_serial(crl, &entry, serial) == 1)
		return 0;
	if (sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)) >= AUTHORITY_REVOKED_MAX)
		return credential_fail(reterr, -E2BIG, "the list has %d entries, which is the most",
				       AUTHORITY_REVOKED_MAX);
	r = sign_list(crl, serial, authority, now_s);
	if (r == 0)
		r = write_list(dir, crl);
	return r < 0 ? credential_fail(reterr, r, "%s cannot be written: %s", AUTHORITY_CRL,
				       strerror(-r))
		     : 0;
}

int authority_revoke(int dir, const char *serial, int64_t now_s, struct credential_error *reterr)
{
	ASN1_INTEGER *number = NULL;
	int r;

	r = parse_serial(serial, &number, reterr);
	/* Two that revoke at once must not lose one entry. */
	if (r == 0 && flock(dir, LOCK_EX) < 0)
		r = credential_fail(reterr, -errno, "the CA's directory cannot be locked: %m");
	if (r == 0)
		r = add(dir, number, now_s, reterr);
	flock(dir, LOCK_UN);
	ASN1_INTEGER_free(number);
	return r;
}
