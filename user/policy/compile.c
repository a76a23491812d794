/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/compile.h"

#include "user/identity/spiffe.h"

int compile_limit(struct compile *c, const struct limit *limit, const struct place *place)
{
	static const struct place nowhere;
	const struct policy *policy = c->policy;
	const struct workload *workload = c->subject ? c->subject->workload : NULL;
	char by[ERROR_MESSAGE_MAX] = "", of[ERROR_MESSAGE_MAX] = "";

	if (policy)
		snprintf(by, sizeof(by), ", passed by policy %s/%s", policy->namespace,
			 policy->name);
	if (workload)
		snprintf(of, sizeof(of), ", for workload %s/%s", workload->namespace,
			 workload->name);
	policy_errors_add(c->errors, place ? place : &nowhere, "", "more than %u %s (%s)%s%s: %s",
			  limit->max, limit->of, limit->name, by, of, limit->remedy);
	return -ENOSPC;
}

static int check_options(struct compile *c)
{
	const struct place place = { .file = "--trust-domain" };
	const char *domain = c->options->trust_domain;

	switch (c->options->default_verdict) {
	case CS_VERDICT_ALLOW:
	case CS_VERDICT_DENY:
	case CS_VERDICT_AUDIT:
		break;
	default:
		return -EINVAL;
	}
	if (domain && spiffe_trust_domain_valid(domain))
		return 0;
	policy_errors_add(c->errors, &place, "",
			  "\"%.64s\" is no trust domain: expected 1 to 255 of a-z 0-9 . _ -",
			  domain ? domain : "");
	return -EBADMSG;
}

/* Room for the most there can be, so that nothing moves while it is pointed to. */
static int compile_alloc(struct compile *c)
{
	size_t identities = c->set->workloads.n + CS_IDENTITY_FIRST;
	struct image *image = calloc(1, sizeof(*image));

	c->image = image;
	if (!image)
		return -ENOMEM;
	image->rulesets = calloc(CS_RULESETS_MAX, sizeof(*image->rulesets));
	image->bitmaps = calloc(CS_BITMAPS_MAX, sizeof(*image->bitmaps));
	image->names = calloc(CS_NAMES_MAX, sizeof(*image->names));
	image->identities = calloc(identities, sizeof(*image->identities));
	c->identities = arena_alloc(&c->arena, identities * sizeof(*c->identities));
	c->collected = arena_alloc(&c->arena, identities * sizeof(*c->collected));
	c->identity_of = arena_alloc(&c->arena, c->set->workloads.n * sizeof(*c->identity_of));
	c->name_first = arena_alloc(&c->arena, CS_NAMES_MAX * sizeof(*c->name_first));
	c->name_last = arena_alloc(&c->arena, CS_NAMES_MAX * sizeof(*c->name_last));
	if (!image->rulesets || !image->bitmaps || !image->names || !image->identities ||
	    !c->identities || !c->collected || !c->identity_of || !c->name_first || !c->name_last)
		return -ENOMEM;
	image->n_bitmaps = 1; /* no bit set */
	image->n_names = 1; /* no name */
	image->n_policies = c->set->policies.n;
	return 0;
}

/* Gives back what the image does not need; a smaller place may be another place. */
static void *trim(void *items, size_t n, size_t size)
{
	void *less = realloc(items, MAX(n, (size_t)1) * size);

	return less ? less : items;
}

static void trim_image(struct image *image)
{
	image->rulesets = trim(image->rulesets, image->n_rulesets, sizeof(*image->rulesets));
	image->bitmaps = trim(image->bitmaps, image->n_bitmaps, sizeof(*image->bitmaps));
	image->names = trim(image->names, image->n_names, sizeof(*image->names));
	image->identities =
		trim(image->identities, image->n_identities, sizeof(*image->identities));
	image->workloads = trim(image->workloads, image->n_workloads, sizeof(*image->workloads));
	image->endpoints = trim(image->endpoints, image->n_endpoints, sizeof(*image->endpoints));
}

static void compile_done(struct compile *c)
{
	struct keymap *maps[] = { &c->noise,	    &c->by_record,  &c->by_number, &c->by_name,
				  &c->by_namespace, &c->by_ruleset, &c->by_peers,  &c->by_prefix,
				  &c->by_bits,	    &c->by_address };

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		keymap_done(maps[i]);
	arena_done(&c->arena);
	image_free(c->image);
	free(c);
}
DEFINE_TRIVIAL_CLEANUP(struct compile *, compile_done)

int policy_compile(const struct policy_set *set, const struct policy_options *options,
		   struct rule_ids *ids, struct image **ret, struct policy_errors *errors)
{
	static int (*const steps[])(struct compile * c) = {
		check_options,	  compile_alloc,    compile_identities,
		compile_subjects, compile_rule_ids, compile_rulesets,
		compile_classes,  compile_rows,	    compile_places,
	};
	_cleanup_(compile_donep) struct compile *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->set = set;
	c->options = options;
	c->ids = ids;
	c->errors = errors;
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](c);
	if (r == 0)
		r = rule_ids_names(ids, c->image);
	if (r < 0)
		return r;
	trim_image(c->image);
	*ret = TAKE_PTR(c->image);
	return 0;
}
