/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/kube.h"

#include <libgen.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "user/agent/agent.h"
#include "user/agent/json_text.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/quote.h"
#include "user/source/combined.h"
#include "user/source/host_units.h"
#include "user/source/kubernetes.h"
#include "user/source/node_units.h"

#define JOURNAL_NAME "objects.journal"
#define NAMESPACE_DEFAULT "countersign-system"
/* Without an answer for so long the API server counts as away: the Lease is asked for all the time. */
#define SILENT_MS 15000
#define REFUSALS_SHOWN_MAX 64
#define TEXT_MAX 640

/* ---- the client ---- */

static int complain(const char *what, int r, const struct kube_error *error)
{
	_cleanup_free_ char *text = quote(error->text);

	log_error(what, "errno=%d error=\"%s\"", -r, text ?: "");
	return r;
}

/* In a pod, a file system of our own would end with the pod, and enforcement with it. */
static int check_pins(const char *path)
{
	_cleanup_free_ char *above = strdup(path);
	struct statfs fs;

	if (!getenv("KUBERNETES_SERVICE_HOST"))
		return 0;
	if (!above)
		return -ENOMEM;
	if (statfs(path, &fs) < 0 && statfs(dirname(above), &fs) < 0)
		fs.f_type = 0;
	if (fs.f_type == BPF_FS_MAGIC)
		return 0;
	log_error("the pins would not outlive this pod",
		  "bpffs=\"%s\" remedy=\"mount the node's /sys/fs/bpf into the pod, see "
		  "docs/operations.md\"",
		  path);
	return -ENOTSUP;
}

int kube_open(struct agent *agent)
{
	const struct kube_config_options options = {
		.kubeconfig = agent->options->kubeconfig,
		.context = agent->options->kube_context,
	};
	struct kube_config *config = NULL;
	struct kube_error error = { "" };
	int r;

	if (!agent->options->kubernetes)
		return 0;
	r = check_pins(agent->options->bpffs);
	if (r < 0)
		return r;
	r = kube_config_new(&options, &config, &error);
	if (r < 0)
		return complain("cannot find the API server", r, &error);
	r = kube_client_new(agent->base, config, "countersignd/" COUNTERSIGN_VERSION, &agent->kube,
			    &error);
	if (r < 0)
		return complain("cannot make the API client", r, &error);
	log_info("objects come from the API server", "server=\"%s\"",
		 kube_config_server(kube_client_config(agent->kube)));
	return 0;
}

void kube_done(struct agent *agent)
{
	agent->kube = kube_client_free(agent->kube);
}

const char *kube_namespace(const struct agent *agent)
{
	const char *name = agent->options->kube_namespace;

	if (!name && agent->kube)
		name = kube_config_namespace(kube_client_config(agent->kube));
	return name && !streq(name, "default") ? name : NAMESPACE_DEFAULT;
}

/* ---- the sources ---- */

/* Puts @more beside what is there; takes it over. */
static int add(struct agent *agent, struct source *more)
{
	if (!agent->source) {
		agent->source = more;
		return 0;
	}
	return source_combined_new(TAKE_PTR(agent->source), more, &agent->source);
}

/* The units of other nodes are known by their Node objects. */
static int add_with_units(struct agent *agent, struct source *objects)
{
	struct source *all = objects;
	int r = 0;

	if (agent->options->host_units)
		r = source_node_units_new(objects, agent->options->host_units, agent->node_name,
					  &all);
	if (r == 0)
		return add(agent, all);
	agent->objects = source_free(objects);
	return r;
}

static int add_objects(struct agent *agent)
{
	_cleanup_free_ char *journal = path_join(agent->options->state, JOURNAL_NAME);
	const struct source_kubernetes_options options = {
		.client = agent->kube,
		.journal = journal,
	};
	const char *trouble;
	int r = journal ? source_kubernetes_new(&options, &agent->objects) : -ENOMEM;

	if (r < 0)
		return r;
	trouble = source_kubernetes_journal_trouble(agent->objects);
	if (*trouble) {
		_cleanup_free_ char *text = quote(trouble);

		log_warning("the journal of objects is of no use", "path=\"%s\" error=\"%s\"",
			    journal, text ?: "");
	}
	return add_with_units(agent, agent->objects);
}

int kube_open_source(struct agent *agent)
{
	const struct agent_options *options = agent->options;
	struct source *one;
	int r = 0;

	if (options->manifests) {
		r = source_directory_new(options->manifests, &one);
		r = r < 0 ? r : add(agent, one);
	}
	if (r == 0 && options->host_units) {
		r = source_host_units_new(options->host_units, agent->node_name,
					  options->trust_domain, &one);
		r = r < 0 ? r : add(agent, one);
	}
	return r == 0 && agent->kube ? add_objects(agent) : r;
}

/* ---- status ---- */

static int64_t since_ms(int64_t boottime_ms)
{
	return boottime_ms ? clock_ms(CLOCK_BOOTTIME) - boottime_ms : -1;
}

static json_t *kinds(const struct agent *agent)
{
	struct source_kubernetes_status status;
	json_t *list = json_array();

	for (size_t i = 0; source_kubernetes_status(agent->objects, i, &status) == 0; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "kind",
				  status.kind, "served", status.stats.served, "synced",
				  status.stats.synced, "watching", status.stats.watching, "objects",
				  (json_int_t)status.objects, "lists",
				  (json_int_t)status.stats.lists, "watches",
				  (json_int_t)status.stats.watches, "events",
				  (json_int_t)status.stats.events, "expired",
				  (json_int_t)status.stats.expired, "resource_version",
				  status.stats.resource_version, "trouble",
				  json_text(status.trouble)));
	return list;
}

static json_t *refused(const struct agent *agent)
{
	const struct refusals *refusals = &agent->refusals;
	json_t *list = json_array();

	for (size_t i = 0; i < refusals->n && i < REFUSALS_SHOWN_MAX; i++)
		json_array_append_new(list,
				      json_pack("{s:o, s:o}", "object",
						json_text(refusals->item[i].document.name),
						"message", json_text(refusals->item[i].message)));
	return list;
}

void kube_add_status(json_t *object, const struct agent *agent)
{
	struct kube_client_stats stats;

	if (!agent->kube)
		return;
	kube_client_stats(agent->kube, &stats);
	json_object_set_new(
		object, "kubernetes",
		json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o}", "server",
			  kube_config_server(kube_client_config(agent->kube)), "synced",
			  source_kubernetes_synced(agent->objects), "http2", stats.http2, "calls",
			  (json_int_t)stats.calls, "failures", (json_int_t)stats.failures,
			  "bytes_received", (json_int_t)stats.bytes_received, "connections",
			  (json_int_t)stats.connections, "last_success_ms",
			  (json_int_t)since_ms(stats.last_success_ms), "last_error",
			  json_text(stats.last_error), "kinds", kinds(agent), "refused_total",
			  (json_int_t)agent->refusals.n, "refused", refused(agent)));
}

static void _printf_(2, 3) say(json_t *list, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(list, json_text(text));
}

void kube_add_problems(json_t *list, const struct agent *agent)
{
	if (agent->objects && !agent->documents_read)
		say(list, "%s", source_error(agent->source));
}

static void say_silence(json_t *list, const struct kube_client_stats *stats)
{
	int64_t ms = since_ms(stats->last_success_ms);

	if (!*stats->last_error)
		return;
	if (ms < 0)
		say(list, "the API server has not answered since this agent's start: %s",
		    stats->last_error);
	else if (ms > SILENT_MS)
		say(list, "the API server has not answered for %lld s: %s", (long long)(ms / 1000),
		    stats->last_error);
}

/* What is in force stays so without the API server: nothing that makes this node unhealthy. */
void kube_add_warnings(json_t *list, const struct agent *agent)
{
	struct source_kubernetes_status status;
	struct kube_client_stats stats;

	if (!agent->kube)
		return;
	kube_client_stats(agent->kube, &stats);
	say_silence(list, &stats);
	if (*source_kubernetes_journal_trouble(agent->objects))
		say(list, "what was heard is not kept for a restart: %s",
		    source_kubernetes_journal_trouble(agent->objects));
	for (size_t i = 0; source_kubernetes_status(agent->objects, i, &status) == 0; i++)
		if (*status.trouble)
			say(list, "%s objects: %s", status.kind, status.trouble);
	for (size_t i = 0; i < agent->refusals.n && i < REFUSALS_SHOWN_MAX; i++)
		say(list, "%s is refused, its last good version stays in force: %s",
		    agent->refusals.item[i].document.name, agent->refusals.item[i].message);
}
