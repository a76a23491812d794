/* SPDX-License-Identifier: Apache-2.0 */
#include "test_policy_same.h"

static const struct image_identity *live_identity(const struct image *image, uint64_t number)
{
	for (size_t i = 0; i < image->n_identities; i++)
		if (image->identities[i].identity == number && !image->identities[i].gone)
			return &image->identities[i];
	return NULL;
}

static const struct image_endpoint *live_endpoint(const struct image *image,
						  const struct cs_addr *addr)
{
	for (size_t i = 0; i < image->n_endpoints; i++)
		if (!image->endpoints[i].gone &&
		    memcmp(&image->endpoints[i].addr, addr, sizeof(*addr)) == 0)
			return &image->endpoints[i];
	return NULL;
}

static size_t count_live(const struct image *image, size_t *ret_endpoints)
{
	size_t n = 0;

	*ret_endpoints = 0;
	for (size_t i = 0; i < image->n_identities; i++)
		n += !image->identities[i].gone;
	for (size_t i = 0; i < image->n_endpoints; i++)
		*ret_endpoints += !image->endpoints[i].gone;
	return n;
}

/* One question to one image: about a local workload, with rows for peer and address. */
static void answer(const struct image *image, const char *name, unsigned int question,
		   const uint32_t row[static 2], char ret[static 256])
{
	static const uint16_t ports[] = { 80, 8080, 8081, 53, 8082, 8083, 1, 2 };
	const struct image_workload *workload = image_workload(image, name);
	struct cs_result result = { 0 };

	cs_evaluate(&image->rulesets[workload->ruleset[question % 2]],
		    &(struct cs_query){
			    .identity = &image->bitmaps[row[0]],
			    .address = &image->bitmaps[row[1]],
			    .now_ns = 1,
			    .port = ports[question / 4],
			    .protocol = IPPROTO_TCP,
			    .authenticated = question / 2 % 2,
		    },
		    &result);
	result_text(image, &result, ret, 256);
}

static void compare_answers(const struct image *a, const struct image *b, const uint32_t *row_a,
			    const uint32_t *row_b, unsigned int step)
{
	char name[256], x[256], y[256];

	for (size_t i = 0; i < a->n_workloads; i++) {
		snprintf(name, sizeof(name), "%s/%s", a->workloads[i].namespace,
			 a->workloads[i].name);
		for (unsigned int question = 0; question < 32; question++) {
			answer(a, name, question, row_a, x);
			answer(b, name, question, row_b, y);
			cr_assert_str_eq(x, y, "step %u, %s, question %u: %s, should be %s", step,
					 name, question, x, y);
		}
	}
}

static void compare_identities(const struct image *a, const struct image *b, unsigned int step)
{
	for (size_t i = 0; i < b->n_identities; i++) {
		const struct image_identity *y = &b->identities[i];
		const struct image_identity *x = live_identity(a, y->identity);

		cr_assert_not_null(x, "step %u: no identity of %s/%s", step, y->namespace,
				   y->workload);
		cr_assert_str_eq(x->namespace, y->namespace);
		cr_assert_str_eq(x->service_account, y->service_account);
		cr_assert_str_eq(x->labels, y->labels);
		cr_assert_str_eq(a->names[x->name_index], b->names[y->name_index]);
		compare_answers(a, b, (uint32_t[]){ x->row, 0 }, (uint32_t[]){ y->row, 0 }, step);
	}
}

static uint32_t class_row(const struct image *image, const struct image_endpoint *endpoint)
{
	return endpoint->class_index ? image->classes[endpoint->class_index - 1].row : 0;
}

static void compare_endpoints(const struct image *a, const struct image *b, unsigned int step)
{
	for (size_t i = 0; i < b->n_endpoints; i++) {
		const struct image_endpoint *y = &b->endpoints[i];
		const struct image_endpoint *x = live_endpoint(a, &y->addr);

		if (y->gone)
			continue;
		cr_assert_not_null(x, "step %u: an address is missing", step);
		cr_assert_eq(x->flags, y->flags, "step %u", step);
		cr_assert_eq(!x->workload_index, !y->workload_index);
		if (x->workload_index)
			cr_assert_str_eq(a->workloads[x->workload_index - 1].name,
					 b->workloads[y->workload_index - 1].name);
		if (!(x->flags & CS_ENDPOINT_SHARED))
			cr_assert_eq(x->identity, y->identity, "step %u", step);
		compare_answers(a, b, (uint32_t[]){ 0, class_row(a, x) },
				(uint32_t[]){ 0, class_row(b, y) }, step);
	}
}

static const struct image_placement *live_placement(const struct image *image,
						    const struct image_placement *like)
{
	const struct image_placement *found = NULL;

	for (size_t i = 0; i < image->n_placements; i++) {
		const struct image_placement *p = &image->placements[i];

		if (p->gone || p->identity != like->identity || !streq(p->node, like->node) ||
		    !streq(p->trust_domain, like->trust_domain))
			continue;
		cr_assert_null(found, "a pair is there twice");
		found = p;
	}
	return found;
}

static void compare_placements(const struct image *a, const struct image *b, unsigned int step,
			       struct same_seen *seen)
{
	size_t live = 0;

	for (size_t i = 0; i < a->n_placements; i++) {
		cr_assert_eq(a->placements[i].gone, !a->placements[i].workloads);
		live += !a->placements[i].gone;
	}
	cr_assert_eq(live, b->n_placements, "step %u: %zu placements, should be %zu", step, live,
		     b->n_placements);
	for (size_t i = 0; i < b->n_placements; i++) {
		const struct image_placement *y = &b->placements[i];
		const struct image_placement *x = live_placement(a, y);

		cr_assert_not_null(x, "step %u: nobody on %s", step, y->node);
		cr_assert_eq(x->workloads, y->workloads, "step %u", step);
		cr_assert_eq(x->revoked, y->revoked, "step %u", step);
		seen->n[SAME_PLACEMENTS]++;
		seen->n[SAME_REVOKED_PLACEMENTS] += y->revoked > 0;
	}
	for (size_t i = 0; i < b->n_endpoints; i++)
		seen->n[SAME_REVOKED_ADDRESSES] += !!(b->endpoints[i].flags & CS_ENDPOINT_REVOKED);
}

static void compare_revocations(const struct image *a, const struct image *b)
{
	cr_assert_eq(a->revocations.n_nodes, b->revocations.n_nodes);
	cr_assert_eq(a->revocations.n_notes, b->revocations.n_notes);
	cr_assert_eq(a->revocations.n_spiffe_ids, b->revocations.n_spiffe_ids);
	for (size_t i = 0; i < a->revocations.n_spiffe_ids; i++)
		cr_assert_str_eq(a->revocations.spiffe_ids[i], b->revocations.spiffe_ids[i]);
	for (size_t i = 0; i < a->n_workloads; i++) {
		char name[256];

		snprintf(name, sizeof(name), "%s/%s", b->workloads[i].namespace,
			 b->workloads[i].name);
		cr_assert_eq(image_workload(a, name)->revoked, b->workloads[i].revoked, "%s", name);
	}
}

/* What is gone, too, must be something that a commit can look at. */
static void expect_in_range(const struct image *image, unsigned int step)
{
	for (size_t i = 0; i < image->n_identities; i++)
		cr_assert_lt(image->identities[i].row, image->n_bitmaps, "step %u", step);
	for (size_t i = 0; i < image->n_endpoints; i++) {
		cr_assert_leq(image->endpoints[i].class_index, image->n_classes, "step %u", step);
		cr_assert_leq(image->endpoints[i].workload_index, image->n_workloads, "step %u",
			      step);
	}
}

static const struct image_service *live_service(const struct image *image,
						const struct image_service *like)
{
	const struct image_service *found = NULL;

	for (size_t i = 0; i < image->n_services; i++) {
		const struct image_service *s = &image->services[i];

		if (s->gone || s->port != like->port || s->protocol != like->protocol ||
		    memcmp(&s->addr, &like->addr, sizeof(s->addr)) != 0)
			continue;
		cr_assert_null(found, "a Service is there twice");
		found = s;
	}
	return found;
}

static const struct cs_cidr *backend_prefix(const struct image *image,
					    const struct image_backend *backend)
{
	static const struct cs_cidr none;

	return backend->class_index ? &image->classes[backend->class_index - 1].prefix : &none;
}

static bool has_backend(const struct image *a, const struct image_service *in,
			const struct image *b, const struct image_backend *like)
{
	for (uint32_t i = in->first; i < in->first + in->n; i++)
		if (a->backends[i].identity == like->identity &&
		    a->backends[i].port == like->port &&
		    memcmp(backend_prefix(a, &a->backends[i]), backend_prefix(b, like),
			   sizeof(struct cs_cidr)) == 0)
			return true;
	return false;
}

static void compare_services(const struct image *a, const struct image *b, unsigned int step,
			     struct same_seen *seen)
{
	size_t live = 0;

	for (size_t i = 0; i < a->n_services; i++)
		live += !a->services[i].gone;
	cr_assert_eq(live, b->n_services, "step %u: %zu Services, should be %zu", step, live,
		     b->n_services);
	for (size_t i = 0; i < b->n_services; i++) {
		const struct image_service *y = &b->services[i], *x = live_service(a, y);

		cr_assert_not_null(x, "step %u: no Service %s/%s", step, y->namespace, y->name);
		cr_assert_str_eq(x->name, y->name, "step %u", step);
		cr_assert_str_eq(x->namespace, y->namespace, "step %u", step);
		cr_assert_eq(x->n, y->n, "step %u, %s/%s: %u backends, should be %u", step,
			     y->namespace, y->name, x->n, y->n);
		for (uint32_t k = y->first; k < y->first + y->n; k++)
			cr_assert(has_backend(a, x, b, &b->backends[k]), "step %u, %s/%s", step,
				  y->namespace, y->name);
		seen->n[SAME_SERVICES]++;
		seen->n[SAME_BACKENDS] += y->n;
	}
}

void same_images(const struct image *a, const struct image *b, unsigned int step,
		 struct same_seen *seen)
{
	size_t endpoints, fresh_endpoints;

	cr_assert_eq(a->n_workloads, b->n_workloads, "step %u", step);
	cr_assert_eq(count_live(a, &endpoints), count_live(b, &fresh_endpoints), "step %u", step);
	cr_assert_eq(endpoints, fresh_endpoints, "step %u", step);
	expect_in_range(a, step);
	compare_identities(a, b, step);
	compare_endpoints(a, b, step);
	compare_placements(a, b, step, seen);
	compare_revocations(a, b);
	compare_services(a, b, step, seen);
}
