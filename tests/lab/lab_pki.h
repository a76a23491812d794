/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for nodes of a lab: a CA per trust domain and X.509-SVIDs by it, written as the
 * PEM files that cert-manager and others write (tls.crt, tls.key, ca.crt). Made with OpenSSL
 * alone, so that the agent is tested with certificates that are not its own code's.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tests/lab/lab.h"

struct lab_ca;

struct lab_ca *lab_ca(struct lab *lab, const char *trust_domain); /* lives as long as the test */

/* From now on it signs for another trust domain, as a CA that lies does. */
void lab_ca_as(struct lab_ca *ca, const char *trust_domain);

/* What an SVID is to be. */
struct lab_svid {
	const char *path; /* of the SPIFFE ID: "countersign/node/host-a" */
	int not_before_s; /* from now; e.g. -3600 */
	int not_after_s; /* from now */
};

struct lab_issued {
	X509 *certificate;
	EVP_PKEY *key;
	const char *serial; /* lower-case hex without leading zeros */
};

struct lab_issued lab_ca_sign(struct lab_ca *ca, const struct lab_svid *svid);
/* Signs, and writes the three files into the directory @dir, each in one step. */
struct lab_issued lab_ca_write(struct lab_ca *ca, const struct lab_svid *svid, const char *dir);
/* An hour's SVID for a node in a directory of its own; hands "files:DIR" to the node. */
struct lab_issued lab_ca_node(struct lab_ca *ca, struct lab_node *node);
/* Where lab_ca_node() puts it. */
const char *lab_ca_node_dir(struct lab_node *node);
/* The bundle in SPIFFE's format as @dir/<trust domain>.json, with the nodes' range ("1-9"). */
void lab_ca_bundle(struct lab_ca *ca, const char *dir, const char *nodes);
