/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-teller --kubeconfig FILE --node NAME [--namespace NS] [--life MS] [--refuse DOCUMENT]
 *
 * What an agent tells the cluster, without a kernel: follows all objects, reads the policies with
 * the real parser, and reports; the elected one writes conditions. A line of JSON for each change
 * of leadership, and {"leads": true} ten times a second while it leads. --refuse: this node cannot
 * put that document in force. SIGUSR1: from now on nothing is put in force, or everything again.
 * SIGTERM ends it in order, with the Lease given back.
 */
#include <getopt.h>
#include <signal.h>

#include "user/agent/kube_report.h"
#include "user/agent/kube_status.h"
#include "user/base/clock.h"
#include "user/base/loop.h"
#include "user/policy/policy.h"
#include "user/source/kubernetes.h"

#define REFUSED_MAX 1024

static struct {
	struct event_base *base;
	struct kube_client *client;
	struct source *source;
	struct kube_ledger *ledger;
	struct kube_events *events;
	struct kube_reporter *reporter;
	struct kube_status *status;
	const char *node, *refuse;
	struct kube_refused refused[REFUSED_MAX];
	size_t n_refused;
	bool read, held;
} teller;

static void print(json_t *line)
{
	json_object_set_new(line, "ms", json_integer(clock_ns(CLOCK_BOOTTIME) / 1000000));
	json_object_set_new(line, "node", json_string(teller.node));
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

static void on_leader(void *arg, bool leader)
{
	(void)arg;
	print(json_pack("{s:b}", "leader", leader));
}

static void on_tenth(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (kube_lease_is_leader(kube_status_lease(teller.status)))
		print(json_pack("{s:b}", "leads", true));
}

static void forget(const char *document)
{
	for (size_t i = 0; i < teller.n_refused; i++) {
		if (!streq(teller.refused[i].document, document))
			continue;
		free((char *)teller.refused[i].document);
		free((char *)teller.refused[i].message);
		teller.refused[i] = teller.refused[--teller.n_refused];
		return;
	}
}

static void refuse(const char *document, const char *message)
{
	if (teller.n_refused < REFUSED_MAX)
		teller.refused[teller.n_refused++] =
			(struct kube_refused){ strdup(document), strdup(message) };
}

/* The parser's word on a document that came or changed. */
static void judge(const struct source_document *document)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	_cleanup_(policy_errors_done) struct policy_errors errors = { 0 };
	_cleanup_free_ char *text = NULL;

	forget(document->name);
	if (!document->text || policy_set_new(&set) < 0)
		return;
	if (policy_set_parse(set, document->name, document->text, document->length, &errors) < 0 &&
	    errors.n) {
		if (asprintf(&text, "%s: %s", errors.item[0].field, errors.item[0].message) < 0)
			text = NULL;
		refuse(document->name, text ?: "");
	} else if (teller.refuse && streq(teller.refuse, document->name)) {
		refuse(document->name, "this node has no room for it");
	}
}

static void settle(void)
{
	if (teller.held || !teller.read)
		return;
	if (kube_ledger_settle(teller.ledger, teller.refused, teller.n_refused) > 0)
		kube_reporter_changed(teller.reporter, REASON_IN_FORCE, "all is in force", 1);
	kube_status_changed(teller.status);
}

static void take(void)
{
	_cleanup_(source_documents_done) struct source_documents documents = { 0 };
	bool whole = !teller.read;
	int r = whole ? source_read(teller.source, &documents)
		      : source_changes(teller.source, &documents);

	if (r < 0)
		return;
	teller.read = true;
	if (whole)
		kube_ledger_begin(teller.ledger);
	for (size_t i = 0; i < documents.n; i++) {
		const struct source_document *document = &documents.item[i];

		judge(document);
		kube_ledger_set(teller.ledger, document->name, document->text, document->length);
	}
	if (whole)
		kube_ledger_end(teller.ledger);
	if (whole)
		kube_reporter_changed(teller.reporter, REASON_IN_FORCE, "all is in force", 1);
	settle();
}

static void on_source(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (source_dispatch(teller.source) > 0)
		take();
}

static void on_hold(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	teller.held = !teller.held;
	print(json_pack("{s:b}", "held", teller.held));
	settle();
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	event_base_loopbreak(teller.base);
}

static void print_stats(void)
{
	struct kube_status_stats status;
	struct kube_reporter_status reporter;
	struct kube_events_stats events;

	kube_status_stats(teller.status, &status);
	kube_reporter_status(teller.reporter, &reporter);
	kube_events_stats(teller.events, &events);
	print(json_pack("{s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:I}", "rounds",
			(json_int_t)status.rounds, "writes", (json_int_t)status.writes, "failures",
			(json_int_t)status.failures, "trouble", status.trouble, "reports",
			(json_int_t)reporter.writes, "report_failures",
			(json_int_t)reporter.failures, "unchanged", (json_int_t)reporter.unchanged,
			"report_trouble", reporter.trouble, "events", (json_int_t)events.created,
			"counted", (json_int_t)events.counted, "lost", (json_int_t)events.lost));
}

static int open_client(const char *kubeconfig)
{
	const struct kube_config_options options = { .kubeconfig = kubeconfig };
	struct kube_config *config = NULL;
	struct kube_error error = { "" };
	int r = kube_config_new(&options, &config, &error);

	if (r == 0)
		r = kube_client_new(teller.base, config, "kube-teller", &teller.client, &error);
	if (r < 0)
		fprintf(stderr, "kube-teller: %s\n", error.text);
	return r;
}

static int open_all(const char *namespace, unsigned int life_ms)
{
	const struct source_kubernetes_options source = { .client = teller.client };
	const struct kube_reporter_options reporter = {
		.client = teller.client,
		.node = teller.node,
		.version = "test",
		.life_ms = life_ms,
	};
	struct kube_reporter_options full = reporter;
	struct kube_status_options status = {
		.client = teller.client,
		.namespace = namespace,
		.identity = teller.node,
		.on_change = on_leader,
	};
	int r;

	r = kube_ledger_new(&teller.ledger);
	if (r == 0)
		r = kube_events_new(teller.client, teller.node, &teller.events);
	full.ledger = status.ledger = teller.ledger;
	status.events = teller.events;
	if (r == 0)
		r = kube_reporter_new(&full, &teller.reporter);
	if (r == 0)
		r = kube_status_new(&status, &teller.status);
	return r < 0 ? r : source_kubernetes_new(&source, &teller.source);
}

static void close_all(void)
{
	kube_status_free(teller.status);
	kube_reporter_free(teller.reporter);
	kube_events_free(teller.events);
	kube_ledger_free(teller.ledger);
	source_free(teller.source);
	kube_client_free(teller.client);
	while (teller.n_refused)
		forget(teller.refused[0].document);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "kubeconfig", required_argument, NULL, 'k' },
		{ "node", required_argument, NULL, 'n' },
		{ "namespace", required_argument, NULL, 's' },
		{ "life", required_argument, NULL, 'l' },
		{ "refuse", required_argument, NULL, 'r' },
		{ 0 },
	};
	const char *kubeconfig = NULL, *namespace = "countersign-system";
	struct event *events[5] = { NULL };
	unsigned int life_ms = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'k':
			kubeconfig = optarg;
			break;
		case 'n':
			teller.node = optarg;
			break;
		case 's':
			namespace
			= optarg;
			break;
		case 'l':
			life_ms = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			teller.refuse = optarg;
			break;
		default:
			return 2;
		}
	}
	teller.base = event_base_new();
	if (!kubeconfig || !teller.node || !teller.base || open_client(kubeconfig) < 0 ||
	    open_all(namespace, life_ms) < 0)
		return 2;
	loop_read(teller.base, source_fd(teller.source), on_source, NULL, &events[0]);
	loop_signal(teller.base, SIGUSR1, on_hold, NULL, &events[1]);
	loop_signal(teller.base, SIGTERM, on_end, NULL, &events[2]);
	loop_every(teller.base, 100, on_tenth, NULL, &events[3]);
	event_base_dispatch(teller.base);
	print_stats();
	kube_status_release(teller.status);
	for (size_t i = 0; events[i]; i++)
		event_free(events[i]);
	close_all();
	event_base_free(teller.base);
	return 0;
}
