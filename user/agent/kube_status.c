/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/kube_status.h"

#include "user/agent/kube_status_internal.h"
#include "user/base/clock.h"

int64_t status_now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

static void on_lease(void *arg, bool leader)
{
	struct kube_status *status = arg;
	int r = 0;

	status->leading = leading_free(status->leading);
	if (leader)
		r = leading_new(status, &status->leading);
	if (r < 0)
		snprintf(status->stats.trouble, sizeof(status->stats.trouble), "cannot lead: %s",
			 strerror(-r));
	if (status->options.on_change)
		status->options.on_change(status->options.arg, leader);
}

int kube_status_new(const struct kube_status_options *options, struct kube_status **ret)
{
	_cleanup_(kube_status_freep) struct kube_status *status = calloc(1, sizeof(*status));
	struct kube_lease_options lease = options->times;
	int r;

	if (!status)
		return -ENOMEM;
	status->options = *options;
	status->namespace = strdup(options->namespace);
	status->identity = strdup(options->identity);
	if (!status->namespace || !status->identity)
		return -ENOMEM;
	lease.namespace = status->namespace;
	lease.identity = status->identity;
	lease.name = KUBE_STATUS_LEASE;
	r = kube_lease_new(options->client, &lease, on_lease, status, &status->lease);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(status);
	return 0;
}

struct kube_status *kube_status_free(struct kube_status *status)
{
	if (!status)
		return NULL;
	leading_free(status->leading);
	kube_lease_free(status->lease);
	free(status->namespace);
	free(status->identity);
	free(status);
	return NULL;
}

void kube_status_changed(struct kube_status *status)
{
	kube_lease_candidates(status->lease, kube_ledger_nodes(status->options.ledger));
	if (status->leading)
		leading_kick(status->leading);
}

void kube_status_release(struct kube_status *status)
{
	status->leading = leading_free(status->leading);
	kube_lease_release(status->lease);
}

const struct kube_lease *kube_status_lease(const struct kube_status *status)
{
	return status->lease;
}

void kube_status_stats(const struct kube_status *status, struct kube_status_stats *ret)
{
	*ret = status->stats;
	ret->policies = status->leading ? status->leading->waiting : 0;
}
