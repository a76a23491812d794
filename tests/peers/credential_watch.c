/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a source of credentials and prints what it gives, a JSON line each, until SIGTERM:
 * every new credential, and every failure with the serial of the one that is still held.
 *
 *	credential-watch SPEC TRUST_DOMAIN NODE_NAME [LIFETIME_S]
 */
#include <jansson.h>
#include <poll.h>
#include <signal.h>

#include "user/base/clock.h"
#include "user/credential/credential.h"
#include "user/credential/secret.h"

#define DISPATCHES_MAX 100000 /* in one run: more is a busy loop */

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void print_line(json_t *line)
{
	json_object_set_new(line, "at_ms",
			    json_integer(clock_ns(CLOCK_REALTIME) / (NS_PER_S / 1000)));
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

/* {"example.org": 1, ...}: the number of authorities */
static json_t *bundles_json(const struct bundles *bundles, int *n_crls)
{
	json_t *object = json_object();

	for (size_t i = 0; i < bundles->n; i++) {
		const struct bundle *bundle = bundles->item[i];

		json_object_set_new(object, bundle->trust_domain,
				    json_integer(sk_X509_num(bundle->authorities)));
		*n_crls += sk_X509_CRL_num(bundle->crls);
	}
	return object;
}

static void print_credential(const struct credential *credential)
{
	const struct svid *svid = credential->svid;
	int n_crls = 0;
	json_t *bundles = bundles_json(&credential->bundles, &n_crls);

	print_line(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:i, s:b, s:I}", "event",
			     "credential", "spiffe_id", svid->spiffe_id, "serial", svid->serial,
			     "issuer", svid->issuer, "not_before", (json_int_t)svid->not_before_s,
			     "not_after", (json_int_t)svid->not_after_s, "bundles", bundles,
			     "n_crls", n_crls, "key", svid->key != NULL, "renew",
			     (json_int_t)credential->renew_s));
}

static void print_error(const struct credential_source *source, const struct credential *held)
{
	print_line(json_pack("{s:s, s:s, s:i, s:I, s:s}", "event", "error", "text",
			     source->error.text, "failures", (int)source->failures, "retry",
			     (json_int_t)source->retry_s, "held",
			     held->svid ? held->svid->serial : ""));
}

static void step(struct credential_source *source, struct credential *held)
{
	struct credential fresh = { .svid = NULL };
	int r = source->ops->dispatch(source, &fresh);

	if (r < 0)
		print_error(source, held);
	if (r <= 0)
		return;
	credential_done(held);
	*held = fresh;
	print_credential(held);
}

/* The number of wake-ups, or -1. */
static long watch(struct credential_source *source)
{
	struct pollfd poller = { .fd = source->ops->fd(source), .events = POLLIN };
	struct credential held = { .svid = NULL };
	long n = 0;

	while (!stopped && n < DISPATCHES_MAX) {
		step(source, &held);
		n++;
		poll(&poller, 1, -1);
	}
	credential_done(&held);
	return stopped ? n : -1;
}

int main(int argc, char **argv)
{
	_cleanup_(credential_source_freep) struct credential_source *source = NULL;
	const struct sigaction action = { .sa_handler = on_signal };
	struct credential_options options = { .trust_domain = NULL };
	struct credential_error error = { "" };
	long n;

	if (argc < 4) {
		fprintf(stderr, "usage: %s SPEC TRUST_DOMAIN NODE_NAME [LIFETIME_S]\n", argv[0]);
		return 2;
	}
	options.trust_domain = argv[2];
	options.node_name = argv[3];
	options.svid_lifetime_s = argc > 4 ? atoi(argv[4]) : 0;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (secret_init(&error) < 0 ||
	    credential_source_new(argv[1], &options, &source, &error) < 0) {
		fprintf(stderr, "credential-watch: %s\n", error.text);
		return 1;
	}
	n = watch(source);
	if (n < 0) {
		fprintf(stderr, "credential-watch: woken up %d times: a busy loop\n",
			DISPATCHES_MAX);
		return 1;
	}
	print_line(json_pack("{s:s, s:I}", "event", "end", "wakeups", (json_int_t)n));
	return 0;
}
