/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/compile.h"

#include "user/identity/spiffe.h"
#include "user/policy/names.h"

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
	const struct place place = { .file = "--trust-domain" }, node = { .file = "--node-name" };
	const char *domain = c->options->trust_domain, *name = c->options->node_name;
	const char *problem = name ? node_name_problem(name) : NULL;

	switch (c->options->default_verdict) {
	case CS_VERDICT_ALLOW:
	case CS_VERDICT_DENY:
	case CS_VERDICT_AUDIT:
		break;
	default:
		return -EINVAL;
	}
	if (problem) {
		policy_errors_add(c->errors, &node, "", "\"%.64s\" %s", name, problem);
		return -EBADMSG;
	}
	if (domain && spiffe_trust_domain_valid(domain))
		return 0;
	policy_errors_add(c->errors, &place, "",
			  "\"%.64s\" is no trust domain: expected 1 to 255 of a-z 0-9 . _ -",
			  domain ? domain : "");
	return -EBADMSG;
}

/* Room for the most there can be, so that nothing moves while it is pointed to. */
static size_t wanted_room(const struct compile *c)
{
	size_t room = c->set->workloads.n + CS_IDENTITY_FIRST;

	return c->kept ? MAX(room, (size_t)CS_IDENTITIES_MAX) : room;
}

/* Addresses of all workloads; when more may come, as many as the kernel takes. */
static size_t wanted_endpoints(const struct compile *c)
{
	size_t addresses = compile_entities_max(c) + 1;

	for (size_t i = 0; i < c->set->workloads.n; i++)
		addresses += c->set->workloads.item[i]->n_addresses;
	return c->kept ? MAX(addresses, (size_t)CS_ENDPOINTS_MAX) : addresses;
}

static int alloc_image(struct compile *c)
{
	struct image *image = calloc(1, sizeof(*image));

	c->image = image;
	if (!image)
		return -ENOMEM;
	image->store = image_store_ref(c->store);
	c->room = wanted_room(c);
	c->endpoints_room = wanted_endpoints(c);
	image->rulesets = calloc(compile_rulesets_max(c), sizeof(*image->rulesets));
	image->bitmaps = calloc(compile_bitmaps_max(c), sizeof(*image->bitmaps));
	image->names = calloc(CS_NAMES_MAX, sizeof(*image->names));
	image->identities = calloc(c->room, sizeof(*image->identities));
	image->endpoints = calloc(c->endpoints_room, sizeof(*image->endpoints));
	if (!image->rulesets || !image->bitmaps || !image->names || !image->identities ||
	    !image->endpoints)
		return -ENOMEM;
	image->n_bitmaps = 1; /* no bit set */
	image->n_names = 1; /* no name */
	image->n_policies = c->set->policies.n;
	return 0;
}

static int compile_alloc(struct compile *c)
{
	int r = alloc_image(c);

	if (r == 0)
		r = compile_alloc_placements(c);
	if (r < 0)
		return r;
	c->identities = calloc(c->room, sizeof(*c->identities));
	c->collected = calloc(c->room, sizeof(*c->collected));
	c->claims = calloc(c->endpoints_room, sizeof(*c->claims));
	c->identity_of = arena_alloc(&c->passing, c->set->workloads.n * sizeof(*c->identity_of));
	c->name_first = arena_alloc(&c->arena, CS_NAMES_MAX * sizeof(*c->name_first));
	c->name_last = arena_alloc(&c->arena, CS_NAMES_MAX * sizeof(*c->name_last));
	return c->identities && c->collected && c->claims && c->identity_of && c->name_first &&
			       c->name_last
		       ? 0
		       : -ENOMEM;
}

/* Gives back what the image does not need; a smaller place may be another place. */
static void *trim(void *items, size_t n, size_t size)
{
	void *less = realloc(items, MAX(n, (size_t)1) * size);

	return less ? less : items;
}

static void trim_image(const struct compile *c)
{
	struct image *image = c->image;

	image->workloads = trim(image->workloads, image->n_workloads, sizeof(*image->workloads));
	if (c->kept)
		return; /* what was never touched costs nothing, and more may come */
	image->rulesets = trim(image->rulesets, image->n_rulesets, sizeof(*image->rulesets));
	image->bitmaps = trim(image->bitmaps, image->n_bitmaps, sizeof(*image->bitmaps));
	image->names = trim(image->names, image->n_names, sizeof(*image->names));
	image->identities =
		trim(image->identities, image->n_identities, sizeof(*image->identities));
	image->endpoints = trim(image->endpoints, image->n_endpoints, sizeof(*image->endpoints));
}

/* The maps that tell who is there, in @c's own order; and all the others. */
static void free_maps(struct compile *c)
{
	struct keymap *identities[] = { &c->by_name, &c->by_namespace, &c->by_text };
	struct keymap *others[] = {
		&c->noise,   &c->by_ruleset, &c->by_peers,    &c->by_prefix,
		&c->by_bits, &c->by_subject, &c->revoked_ids, &c->revoked_names
	};

	for (size_t i = 0; i < ARRAY_SIZE(identities) && !c->borrowed; i++)
		keymap_done(identities[i]);
	if (!c->borrowed) {
		hashindex_done(&c->by_record);
		hashindex_done(&c->by_number);
		hashindex_done(&c->by_address);
		hashindex_done(&c->by_placement);
		compile_objects_free(c->objects);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		keymap_done(others[i]);
}

void compile_free(struct compile *c)
{
	if (!c)
		return;
	free_maps(c);
	arena_done(&c->arena);
	arena_done(&c->passing);
	free(c->identities);
	free(c->collected);
	free(c->claims);
	free(c->placement_changed);
	if (!c->given)
		image_free(c->image);
	image_store_unref(c->store);
	free(c);
}

int compile_new(const struct compile_input *input, struct compile **ret)
{
	struct compile *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->set = input->set;
	c->options = input->options;
	c->ids = input->ids;
	c->errors = input->errors;
	c->kept = input->kept;
	*ret = c;
	return 0;
}

static int compile_who(struct compile *c, const struct compile *from)
{
	int r;

	c->store = from ? image_store_ref(from->store) : image_store_new();
	if (!c->store)
		return -ENOMEM;
	r = compile_alloc(c);
	if (r == 0)
		r = compile_noise(c);
	if (r < 0)
		return r;
	c->from = from;
	if (!from)
		r = compile_objects_make(c);
	if (r < 0)
		return r;
	return from ? compile_adopt(c) : compile_identities(c);
}

int compile_run(struct compile *c, const struct compile *from)
{
	static int (*const steps[])(struct compile * c) = {
		compile_subjects, compile_rule_ids, compile_rulesets,
		compile_classes,  compile_rows,	    compile_revocations,
		compile_places,	  compile_services, compile_rule_texts,
	};
	int r = check_options(c);

	if (r == 0)
		r = compile_order(c);
	if (r == 0)
		r = compile_who(c, from);
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](c);
	c->from = NULL;
	if (r < 0)
		return r;
	trim_image(c);
	if (c->kept)
		compile_keep(c);
	return 0;
}

void compile_take_over(struct compile *c, struct compile *from)
{
	c->borrowed = false;
	from->borrowed = true;
}

int policy_compile(const struct policy_set *set, const struct policy_options *options,
		   struct rule_ids *ids, struct image **ret, struct policy_errors *errors)
{
	const struct compile_input input = { set, options, ids, errors, /* kept= */ false };
	_cleanup_(compile_freep) struct compile *c = NULL;
	int r;

	r = compile_new(&input, &c);
	if (r == 0)
		r = compile_run(c, NULL);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c->image);
	return 0;
}
