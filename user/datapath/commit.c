/* SPDX-License-Identifier: Apache-2.0 */
#include "user/datapath/commit.h"

static void commit_done(struct commit *c)
{
	free(c->names);
	free(c->workloads);
	free(c->peers);
	free(c->classes);
	free(c->done.list);
	free(c->late.list);
}

static int commit_init(struct commit *c, struct datapath *dp, const struct image *image)
{
	uint32_t epoch = dp->control->epoch + 1;

	/* 0 means "no policy"; after 2^32 - 1, which is odd, 2 keeps the banks taking turns. */
	epoch = epoch ? epoch : 2;
	*c = (struct commit){
		.dp = dp,
		.image = image,
		.epoch = epoch,
		.bank = epoch % CS_BANKS,
		.names = calloc(image->n_names + 1, sizeof(uint32_t)),
		.workloads = calloc(image->n_workloads + 1, sizeof(uint32_t)),
		.peers = calloc(image->n_identities + 1, sizeof(uint32_t)),
		.classes = calloc(image->n_classes + 1, sizeof(uint32_t)),
	};
	dp->commit = dp->commit + 1 ? dp->commit + 1 : 1; /* 0 is what bind gives */
	return c->names && c->workloads && c->peers && c->classes ? 0 : -ENOMEM;
}

/* Only the rules in use: what lies behind `count` is never read. */
static void write_bank(const struct commit *c)
{
	const struct image *image = c->image;
	struct cs_ruleset *rulesets = c->dp->view.rulesets + (size_t)c->bank * CS_RULESETS_MAX;
	struct cs_bitmap *bitmaps = c->dp->view.bitmaps + (size_t)c->bank * CS_BITMAPS_MAX;

	for (size_t i = 0; i < image->n_rulesets; i++)
		memcpy(&rulesets[i], &image->rulesets[i],
		       offsetof(struct cs_ruleset, rules) +
			       image->rulesets[i].count * sizeof(struct cs_rule));
	memcpy(bitmaps, image->bitmaps, image->n_bitmaps * sizeof(*bitmaps));
}

/* Steps 1 and 2: all that may fail. */
static int prepare(struct commit *c)
{
	int r;

	write_bank(c);
	r = commit_names(c);
	if (r >= 0)
		r = commit_workloads(c);
	if (r >= 0)
		r = commit_peers(c);
	if (r >= 0)
		r = commit_classes(c);
	if (r >= 0)
		r = commit_endpoints(c);
	if (r >= 0)
		r = commit_services(c);
	if (r >= 0)
		commit_subjects(c);
	return r;
}

static void store_epoch(struct datapath *dp, uint32_t epoch)
{
	__atomic_store_n(&dp->control->epoch, epoch, __ATOMIC_RELEASE);
	datapath_stamp(dp);
}

/* Whether some policy has a CIDR peer. */
static bool asks_for_addresses(const struct image *image)
{
	for (size_t i = 0; i < image->n_classes; i++)
		if (image->classes[i].row)
			return true;
	return false;
}

/*
 * Programs look up the address of a verified peer only when a policy asks for it, and look
 * for Services only when there are some. Before the first such image comes into force,
 * every program must have seen that it does.
 */
static int announce(struct commit *c)
{
	struct cs_control *control = c->dp->control;
	bool cidrs = asks_for_addresses(c->image) && !control->cidrs;
	bool services = c->image->n_services && !control->services;

	if (!cidrs && !services)
		return 0;
	if (cidrs)
		__atomic_store_n(&control->cidrs, 1, __ATOMIC_RELEASE);
	if (services)
		__atomic_store_n(&control->services, 1, __ATOMIC_RELEASE);
	return datapath_grace(c->dp);
}

/*
 * Step 3. A fresh start attaches the programs here, with a policy in force already: no
 * traffic is judged before there is one.
 */
static int flip(struct commit *c)
{
	uint32_t before = c->dp->control->epoch;
	int r = announce(c);

	if (r < 0)
		return r;
	store_epoch(c->dp, c->epoch);
	r = links_attach(c->dp);
	if (r < 0)
		store_epoch(c->dp, before);
	return r;
}

/* Steps 4 to 6. */
static void clean_up(struct commit *c)
{
	struct datapath *dp = c->dp;
	size_t n = c->late.n;

	commit_late(c);
	commit_settle(c);
	commit_unlink_workloads(c);
	commit_retire_replaced(c);
	/* Without the wait nothing may be reused; the next commit waits and cleans up first. */
	dp->grace_owed = datapath_grace(dp) < 0;
	if (dp->grace_owed)
		return;
	__atomic_store_n(&dp->control->cidrs, asks_for_addresses(c->image), __ATOMIC_RELEASE);
	__atomic_store_n(&dp->control->services, c->image->n_services > 0, __ATOMIC_RELEASE);
	for (int i = 0; i < TABLES; i++)
		slots_release(&dp->tables[i].slots);
	commit_end_workloads(c);
	for (int i = 0; i < TABLES_OF_IMAGE; i++)
		n += commit_remove_unwanted(c, &dp->tables[i]);
	for (size_t i = 0; i < c->done.n; i++)
		n += c->done.list[i].from != 0;
	if (n)
		datapath_stamp(dp);
}

static void remember(struct commit *c)
{
	struct datapath *dp = c->dp;

	free(dp->workload_slot);
	dp->workload_slot = TAKE_PTR(c->workloads);
	dp->n_workloads = c->image->n_workloads;
	dp->n_rulesets = c->image->n_rulesets;
	dp->n_bitmaps = c->image->n_bitmaps;
	dp->unmatched = false;
}

int datapath_commit(struct datapath *dp, const struct image *image)
{
	struct commit c;
	int r = commit_check(image);

	if (r >= 0 && dp->grace_owed)
		r = datapath_grace(dp);
	if (r >= 0)
		r = workloads_match(dp, image);
	if (r < 0)
		return r;
	r = commit_init(&c, dp, image);
	if (r >= 0)
		r = prepare(&c);
	if (r == -ENOMEM)
		datapath_fail(r, "no memory for the new policy");
	if (r >= 0)
		r = flip(&c);
	if (r < 0) {
		commit_undo(&c);
	} else {
		clean_up(&c);
		remember(&c);
	}
	commit_done(&c);
	return r;
}
