/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set as the compiler sees it: every list in the order of names. Objects come in the
 * order of files and documents, which must mean nothing; the image would show it in which
 * workload has which number.
 */
#include "user/policy/compile.h"

static int compare_names(const char *namespace_a, const char *a, const char *namespace_b,
			 const char *b)
{
	int order = strcmp(namespace_a, namespace_b);

	return order ? order : strcmp(a, b);
}

static int workload_compare(const void *a, const void *b)
{
	const struct workload *x = *(struct workload *const *)a, *y = *(struct workload *const *)b;

	return compare_names(x->namespace, x->name, y->namespace, y->name);
}

static int node_compare(const void *a, const void *b)
{
	const struct node_object *x = *(struct node_object *const *)a;
	const struct node_object *y = *(struct node_object *const *)b;

	return strcmp(x->name, y->name);
}

static int service_compare(const void *a, const void *b)
{
	const struct service *x = *(struct service *const *)a, *y = *(struct service *const *)b;

	return compare_names(x->namespace, x->name, y->namespace, y->name);
}

/* By the Service that they are of, so that they are found by it. */
static int slice_compare(const void *a, const void *b)
{
	const struct endpoint_slice *x = *(struct endpoint_slice *const *)a;
	const struct endpoint_slice *y = *(struct endpoint_slice *const *)b;
	int order = compare_names(x->namespace, x->service, y->namespace, y->service);

	return order ? order : strcmp(x->name, y->name);
}

static int revocation_compare(const void *a, const void *b)
{
	const struct revocation *x = *(struct revocation *const *)a;
	const struct revocation *y = *(struct revocation *const *)b;

	return strcmp(x->name, y->name);
}

/* A list of pointers, sorted: a copy, as the set is not ours. */
static int sort(struct compile *c, void *items, size_t n,
		int (*compare)(const void *, const void *), void **ret)
{
	*ret = arena_alloc(&c->passing, n * sizeof(void *));
	if (!*ret)
		return -ENOMEM;
	if (n == 0)
		return 0;
	memcpy(*ret, items, n * sizeof(void *));
	qsort(*ret, n, sizeof(void *), compare);
	return 0;
}

#define SORT(c, list, compare)                                                    \
	({                                                                        \
		void *_sorted = NULL;                                             \
		int _r = sort((c), (list)->item, (list)->n, (compare), &_sorted); \
		(list)->item = _sorted;                                           \
		_r;                                                               \
	})

int compile_order(struct compile *c)
{
	struct policy_set *set = arena_alloc(&c->passing, sizeof(*set));
	int r;

	if (!set)
		return -ENOMEM;
	*set = *c->set; /* but for namespaces and policies the tables of names no longer hold */
	r = SORT(c, &set->workloads, workload_compare);
	if (r == 0)
		r = SORT(c, &set->nodes, node_compare);
	if (r == 0)
		r = SORT(c, &set->services, service_compare);
	if (r == 0)
		r = SORT(c, &set->slices, slice_compare);
	if (r == 0)
		r = SORT(c, &set->revocations, revocation_compare);
	c->set = set;
	return r;
}
