/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/lab_pki.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "tests/lab/lab_internal.h"

#define CA_LIFETIME_S 86400
#define NODE_LIFETIME_S 3600
#define CAS_MAX 8 /* in one test, which is a process */

struct lab_ca {
	struct lab *lab;
	const char *trust_domain;
	EVP_PKEY *key;
	X509 *certificate;
};

static void add_extension(X509 *to, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, to, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	lab_check(NULL, extension && X509_add_ext(to, extension, -1) == 1,
		  "cannot make the certificate extension %s", value);
	X509_EXTENSION_free(extension);
}

static const char *set_serial(struct lab *lab, X509 *certificate)
{
	uint8_t bytes[8];
	BIGNUM *number;
	char *text;
	const char *kept;

	lab_check(lab, RAND_bytes(bytes, sizeof(bytes)) == 1, "no random numbers");
	bytes[0] = 0x1a; /* positive, and no leading zero */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	text = BN_bn2hex(number);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
	for (char *p = text; *p; p++)
		*p = *p >= 'A' && *p <= 'F' ? *p + 'a' - 'A' : *p;
	kept = lab_printf(lab, "%s", text);
	OPENSSL_free(text);
	BN_free(number);
	return kept;
}

/* Everything but extensions and signature. @issuer: NULL for one that signs itself. */
static X509 *certificate_new(EVP_PKEY *key, X509 *issuer, const struct lab_svid *svid)
{
	X509 *certificate = X509_new();
	X509_NAME *name;

	lab_check(NULL, certificate, "no memory for a certificate");
	X509_set_version(certificate, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(certificate), svid->not_before_s);
	X509_gmtime_adj(X509_getm_notAfter(certificate), svid->not_after_s);
	X509_set_pubkey(certificate, key);
	name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"lab", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const uint8_t *)(issuer ? svid->path : "CA"), -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(issuer ?: certificate));
	return certificate;
}

struct lab_ca *lab_ca(struct lab *lab, const char *trust_domain)
{
	const struct lab_svid self = { "", -3600, CA_LIFETIME_S };
	static struct lab_ca all[CAS_MAX];
	static size_t n;
	struct lab_ca *ca = &all[n++ % CAS_MAX];

	*ca = (struct lab_ca){ .lab = lab, .trust_domain = trust_domain };
	ca->key = EVP_EC_gen("P-256");
	lab_check(lab, ca->key, "cannot make the CA's key");
	ca->certificate = certificate_new(ca->key, NULL, &self);
	set_serial(lab, ca->certificate);
	add_extension(ca->certificate, ca->certificate, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(ca->certificate, ca->certificate, NID_key_usage,
		      "critical,keyCertSign,cRLSign");
	add_extension(ca->certificate, ca->certificate, NID_subject_key_identifier, "hash");
	add_extension(ca->certificate, ca->certificate, NID_subject_alt_name,
		      lab_printf(lab, "URI:spiffe://%s", trust_domain));
	lab_check(lab, X509_sign(ca->certificate, ca->key, EVP_sha256()) > 0,
		  "cannot sign the CA's certificate");
	return ca;
}

void lab_ca_as(struct lab_ca *ca, const char *trust_domain)
{
	ca->trust_domain = trust_domain;
}

struct lab_issued lab_ca_sign(struct lab_ca *ca, const struct lab_svid *svid)
{
	struct lab_issued issued = { .key = EVP_EC_gen("P-256") };

	lab_check(ca->lab, issued.key, "cannot make the key of %s", svid->path);
	issued.certificate = certificate_new(issued.key, ca->certificate, svid);
	issued.serial = set_serial(ca->lab, issued.certificate);
	add_extension(issued.certificate, ca->certificate, NID_basic_constraints,
		      "critical,CA:FALSE");
	add_extension(issued.certificate, ca->certificate, NID_key_usage,
		      "critical,digitalSignature");
	add_extension(issued.certificate, ca->certificate, NID_ext_key_usage,
		      "serverAuth,clientAuth");
	add_extension(issued.certificate, ca->certificate, NID_authority_key_identifier, "keyid");
	add_extension(issued.certificate, ca->certificate, NID_subject_alt_name,
		      lab_printf(ca->lab, "URI:spiffe://%s/%s", ca->trust_domain, svid->path));
	lab_check(ca->lab, X509_sign(issued.certificate, ca->key, EVP_sha256()) > 0,
		  "cannot sign the certificate of %s", svid->path);
	return issued;
}

typedef int (*write_fn)(FILE *f, void *what);

static int write_key(FILE *f, void *key)
{
	return PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
}

static int write_certificate(FILE *f, void *certificate)
{
	return PEM_write_X509(f, certificate);
}

static int write_text(FILE *f, void *text)
{
	return fputs(text, f) >= 0;
}

static void write_file(struct lab *lab, const char *path, write_fn fn, void *what)
{
	const char *draft = lab_printf(lab, "%s.draft", path);
	int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	lab_check(lab, f && fn(f, what) == 1 && fclose(f) == 0 && rename(draft, path) == 0,
		  "cannot write %s: %s", path, strerror(errno));
}

struct lab_issued lab_ca_write(struct lab_ca *ca, const struct lab_svid *svid, const char *dir)
{
	struct lab_issued issued = lab_ca_sign(ca, svid);
	struct lab *lab = ca->lab;

	lab_check(lab, mkdir(dir, 0700) == 0 || errno == EEXIST, "cannot make %s", dir);
	write_file(lab, lab_printf(lab, "%s/ca.crt", dir), write_certificate, ca->certificate);
	write_file(lab, lab_printf(lab, "%s/tls.key", dir), write_key, issued.key);
	write_file(lab, lab_printf(lab, "%s/tls.crt", dir), write_certificate, issued.certificate);
	return issued;
}

const char *lab_ca_node_dir(struct lab_node *node)
{
	return lab_node_path(node, "svid");
}

struct lab_issued lab_ca_node(struct lab_ca *ca, struct lab_node *node)
{
	const struct lab_svid svid = {
		.path = lab_printf(ca->lab, "countersign/node/%s", lab_node_name(node)),
		.not_before_s = -60,
		.not_after_s = NODE_LIFETIME_S,
	};
	const char *dir = lab_ca_node_dir(node);

	lab_node_credential(node, lab_printf(ca->lab, "files:%s", dir));
	lab_node_trust_domain(node, ca->trust_domain);
	return lab_ca_write(ca, &svid, dir);
}

void lab_ca_bundle(struct lab_ca *ca, const char *dir, const char *nodes)
{
	uint8_t *der = NULL;
	int length = i2d_X509(ca->certificate, &der);
	char base64[8192];
	json_t *bundle;
	char *text;

	lab_check(ca->lab, length > 0 && length < 6000, "the CA's certificate is too large");
	EVP_EncodeBlock((uint8_t *)base64, der, length);
	OPENSSL_free(der);
	bundle = json_pack("{s:[{s:s, s:s, s:s, s:[s]}], s:s}", "keys", "use", "x509-svid", "kty",
			   "EC", "crv", "P-256", "x5c", base64, "countersign_nodes", nodes);
	text = json_dumps(bundle, JSON_INDENT(2));
	lab_check(ca->lab, text, "no memory for a bundle");
	write_file(ca->lab, lab_printf(ca->lab, "%s/%s.json", dir, ca->trust_domain), write_text,
		   text);
	free(text);
	json_decref(bundle);
}
