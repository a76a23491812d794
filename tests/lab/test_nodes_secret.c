/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys stay where they belong: in memory that no core dump has, and in the kernel. Not
 * in the rest of the agent's memory, its log, its arguments or its answers.
 */
#include "tests/lab/test_nodes_common.h"

#include <openssl/core_names.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/lab/lab_internal.h"
#include "tests/lab/lab_memory.h"

#define NEEDLES_MAX 256
#define SCALAR 32 /* bytes of a P-256 or X25519 private key */
#define VAULT_KEYS_AT 16 /* as key_seal.c has it: parity, private key, three times */
#define VAULT_KEY_BYTES (1 + SCALAR + 3 * 8)
#define PEM_AT 48 /* base64 digits of PKCS#8 before the scalar */

static struct nodes n;
static struct lab_needle needles[NEEDLES_MAX];
static size_t n_needles;

static void setup(void)
{
	nodes_new(&n, "nodes-secret");
	nodes_policy(&n);
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_secret, .init = setup, .fini = teardown, .timeout = 90);

/* ---- what must not be found ---- */

static void needle(const char *what, const void *bytes, size_t length)
{
	uint8_t *copy = (uint8_t *)lab_printf(n.lab, "%*s", (int)length, "");

	memcpy(copy, bytes, length);
	for (size_t i = 0; i < n_needles; i++)
		if (needles[i].length == length && memcmp(needles[i].bytes, copy, length) == 0)
			return;
	cr_assert_lt(n_needles, NEEDLES_MAX);
	needles[n_needles++] = (struct lab_needle){ what, copy, length };
}

/* As a number is written, and as OpenSSL's numbers lie in memory. */
static void needle_scalar(const char *what, const uint8_t *scalar)
{
	uint8_t turned[SCALAR];

	for (size_t i = 0; i < SCALAR; i++)
		turned[i] = scalar[SCALAR - 1 - i];
	needle(what, scalar, SCALAR);
	needle(what, turned, SCALAR);
}

/* tls.key: the number, and the two lines of the file that have its digits. */
static void needle_svid(struct lab_node *node, const struct lab_issued *issued)
{
	const char *path = lab_printf(n.lab, "%s/tls.key", lab_ca_node_dir(node));
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	uint8_t scalar[SCALAR];
	BIGNUM *number = NULL;
	char line[128];

	cr_assert_eq(EVP_PKEY_get_bn_param(issued->key, OSSL_PKEY_PARAM_PRIV_KEY, &number), 1);
	cr_assert_eq(BN_bn2binpad(number, scalar, SCALAR), SCALAR);
	BN_clear_free(number);
	needle_scalar("the SVID's private key", scalar);
	cr_assert(f && fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f));
	needle("the first line of tls.key", line + PEM_AT, 64 - PEM_AT);
	cr_assert(fgets(line, sizeof(line), f) && strlen(line) == 65);
	needle("the second line of tls.key", line, 24);
}

/* What the node's kernel has right now. */
static void needle_kernel(struct lab_node *node, int peer)
{
	struct cs_node_keys keys;
	struct cs_vault vault;

	lab_node_vault(node, &vault);
	cr_assert_eq(memcmp(vault.byte, "CSKR", 4), 0, "the vault is not what key_seal.c writes");
	for (int i = 0; i < vault.byte[5]; i++)
		needle_scalar("an X25519 private key",
			      vault.byte + VAULT_KEYS_AT + i * VAULT_KEY_BYTES + 1);
	cr_assert(lab_node_keys(node, peer, &keys));
	for (int phase = 0; phase < CS_PHASES; phase++) {
		if (keys.send_valid & 1 << phase)
			needle("a key to send with", &keys.send[phase], sizeof(struct cs_key));
		if (keys.receive_valid & 1 << phase)
			needle("a key to receive with", &keys.receive[phase],
			       sizeof(struct cs_key));
	}
}

/* A few rotations' keys, those that are over included. */
static void collect(void)
{
	needle_svid(n.a, &n.svid[NODE_A]);
	for (int i = 0; i < 40; i++) {
		needle_kernel(n.a, NODE_B);
		lab_sleep_ms(100);
	}
	cr_assert_gt(n_needles, 20, "only %zu secrets were seen", n_needles);
}

/* ---- where ---- */

static void memory_is_clean(struct lab_node *node)
{
	static const char id[] = "spiffe://example.org/countersign/node/host-a";
	const struct lab_needle known = { "", (const uint8_t *)id, strlen(id) };
	struct lab_memory memory;
	pid_t pid = lab_pid(lab_node_agent(node));

	memory = lab_memory_search(n.lab, pid, &known, 1);
	cr_assert(memory.found, "the search does not even find the SPIFFE ID");
	memory = lab_memory_search(n.lab, pid, needles, n_needles);
	printf("searched %zu regions, %zu KiB, for %zu secrets\n", memory.regions,
	       memory.bytes / 1024, n_needles);
	cr_assert(!memory.found, "found in a core dump: %s, in %s", memory.found->what,
		  memory.where);
}

static bool text_has(const char *text, const struct lab_needle *secret)
{
	char hex[2 * SCALAR + 1] = "", base64[2 * SCALAR + 1] = "";

	for (size_t i = 0; i < secret->length && i < SCALAR; i++)
		snprintf(hex + 2 * i, 3, "%02x", secret->bytes[i]);
	EVP_EncodeBlock((uint8_t *)base64, secret->bytes, (int)MIN(secret->length, SCALAR));
	base64[strcspn(base64, "=") - 1] = 0; /* the last digit depends on what follows */
	return strcasestr(text, hex) || strstr(text, base64) ||
	       memmem(text, strlen(text), secret->bytes, secret->length);
}

static void text_is_clean(const char *where, const char *text)
{
	cr_assert_gt(strlen(text), 0, "%s is empty", where);
	for (size_t i = 0; i < n_needles; i++)
		cr_assert(!text_has(text, &needles[i]), "%s has %s", where, needles[i].what);
}

static const char *proc_text(struct lab_node *node, const char *file)
{
	const char *path = lab_printf(n.lab, "/proc/%d/%s", lab_pid(lab_node_agent(node)), file);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char bytes[65536];
	size_t length = f ? fread(bytes, 1, sizeof(bytes) - 1, f) : 0;

	for (size_t i = 0; i < length; i++)
		bytes[i] = bytes[i] ? bytes[i] : ' ';
	bytes[length] = 0;
	return lab_printf(n.lab, "%s", bytes);
}

Test(nodes_secret, are_in_no_memory_that_a_core_dump_has)
{
	nodes_start(&n, "--key-lifetime", "2s");
	must_answer(nodes_connect(&n, n.client, SERVER4 ":8080"));
	collect();
	memory_is_clean(n.a);
}

/* Renewed, so that the former key was let go; restarted, so that keys came out of the kernel. */
Test(nodes_secret, nor_after_a_renewal_and_a_restart)
{
	const struct lab_svid svid = { "countersign/node/host-a", -60, 3600 };

	nodes_start(&n, "--key-lifetime", "2s");
	needle_svid(n.a, &n.svid[NODE_A]);
	n.svid[NODE_A] = lab_ca_write(n.ca, &svid, lab_ca_node_dir(n.a));
	collect();
	memory_is_clean(n.a);
	lab_node_kill9(n.a);
	lab_node_restart(n.a);
	needle_kernel(n.a, NODE_B);
	memory_is_clean(n.a);
}

Test(nodes_secret, are_in_no_log_argument_environment_or_answer)
{
	int code;

	nodes_start(&n, "--key-lifetime", "2s", "--log-level", "debug");
	collect();
	text_is_clean("the log", lab_node_log(n.a));
	text_is_clean("the command line", proc_text(n.a, "cmdline"));
	text_is_clean("the environment", proc_text(n.a, "environ"));
	text_is_clean("status", lab_node_cli(n.a, &code, "status", "-o", "json"));
	text_is_clean("credentials", lab_node_cli(n.a, &code, "credentials", "-o", "json"));
	text_is_clean("nodes", lab_node_cli(n.a, &code, "nodes", "-o", "json"));
}

/* ---- core dumps ---- */

/* Aborts it, with every limit lifted; whether the kernel wrote a core. */
static bool dumps_core(struct lab_process *p)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	cr_assert_eq(prlimit(lab_pid(p), RLIMIT_CORE, &none, NULL), 0);
	lab_signal(p, SIGABRT);
	cr_assert_eq(lab_wait(p, LAB_WAIT_MS), 128 + SIGABRT);
	return WCOREDUMP(p->status);
}

Test(nodes_secret, no_core_is_dumped)
{
	struct lab_process *sleeper;

	cr_assert_eq(chdir(lab_path(n.lab, "")), 0); /* where cores go */
	nodes_start(&n);
	sleeper = lab_spawn(n.lab, &(struct lab_spawn){ .argv = LAB_ARGV("sleep", "60") });
	lab_sleep_ms(100);
	if (!dumps_core(sleeper))
		cr_skip_test("this machine writes no core of any program");
	cr_assert(!dumps_core(lab_node_agent(n.a)), "the agent's memory was dumped");
}
