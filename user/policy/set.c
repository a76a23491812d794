/* SPDX-License-Identifier: Apache-2.0 */
/* The set of parsed objects, and what may not be in it twice. */
#include "user/policy/parse.h"

int policy_set_new(struct policy_set **ret)
{
	struct policy_set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	*ret = set;
	return 0;
}

struct policy_set *policy_set_free(struct policy_set *set)
{
	if (!set)
		return NULL;
	keymap_done(&set->workloads.names);
	keymap_done(&set->policies.names);
	keymap_done(&set->namespaces.names);
	keymap_done(&set->nodes.names);
	keymap_done(&set->services.names);
	keymap_done(&set->slices.names);
	keymap_done(&set->tests.names);
	keymap_done(&set->revocations.names);
	keymap_done(&set->cgroups);
	keymap_done(&set->units);
	keymap_done(&set->pods);
	arena_done(&set->arena);
	free(set);
	return NULL;
}

/* Something that only one object may have. */
struct claim {
	struct keymap *names;
	const char *field; /* where it was written */
	const char *what; /* "workload shop/checkout", for the message */
	const void *key;
	size_t length;
	uint32_t value; /* index of the object that claims it */
};

/* 0; or -EEXIST, with the index of the first one in *@ret_first. */
static int set_claim(const struct claim *claim, uint32_t *ret_first)
{
	int r;

	r = keymap_put(claim->names, claim->key, claim->length, claim->value);
	if (r == -EEXIST)
		keymap_get(claim->names, claim->key, claim->length, ret_first);
	return r;
}

static void set_twice(struct parse *p, const struct place *second, const struct place *first,
		      const struct claim *claim)
{
	policy_errors_add(p->errors, second, claim->field, "%s is given twice, first at %s:%u: %s",
			  claim->what, first->file, first->line, "remove or rename one");
}

/* "namespace/name": no name has a slash. */
static char *full_name(struct arena *arena, const char *namespace, const char *name)
{
	size_t n = strlen(namespace), m = strlen(name);
	char *full = arena_alloc(arena, n + m + 2);

	if (full)
		sprintf(full, "%s/%s", namespace, name);
	return full;
}

/*
 * Nodes may share a directory of manifests, and each has its own cgroups: "node//place". No
 * node's name has a slash, and no cgroup or unit begins with one. NULL: there is no place, or
 * no memory.
 */
static char *place_key(struct arena *arena, const struct workload *workload, const char *place)
{
	char *key = NULL;

	if (!place)
		return NULL;
	if (!workload->node)
		return arena_strdup(arena, place);
	key = arena_alloc(arena, strlen(workload->node) + strlen(place) + 3);
	if (key)
		sprintf(key, "%s//%s", workload->node, place);
	return key;
}

static int set_claim_workload(struct parse *p, const struct workload *workload,
			      const struct claim *claim)
{
	struct policy_set *set = p->set;
	uint32_t first;
	int r;

	if (!claim->key)
		return 0;
	r = set_claim(claim, &first);
	if (r == -EEXIST)
		set_twice(p, &workload->place, &set->workloads.item[first]->place, claim);
	return r == -EEXIST ? 0 : r;
}

int set_add_workload(struct parse *p, struct workload *workload)
{
	struct policy_set *set = p->set;
	char *full = full_name(&set->arena, workload->namespace, workload->name);
	char *cgroup = place_key(&set->arena, workload, workload->cgroup);
	char *unit = place_key(&set->arena, workload, workload->systemd_unit);
	char *pod = place_key(&set->arena, workload, workload->pod_uid);
	const struct claim claims[] = {
		{ &set->workloads.names, "metadata.name", "this Workload", full,
		  full ? strlen(full) : 0, (uint32_t)set->workloads.n },
		{ &set->cgroups, "spec.cgroup", "this cgroup", cgroup, cgroup ? strlen(cgroup) : 0,
		  (uint32_t)set->workloads.n },
		{ &set->units, "spec.systemdUnit", "this unit", unit, unit ? strlen(unit) : 0,
		  (uint32_t)set->workloads.n },
		{ &set->pods, "spec.podUID", "this pod", pod, pod ? strlen(pod) : 0,
		  (uint32_t)set->workloads.n },
	};
	void *item;
	int r;

	item = arena_grow(&set->arena, set->workloads.item, set->workloads.n,
			  &set->workloads.capacity, sizeof(workload));
	if (!full || !item || (workload->cgroup && !cgroup) || (workload->systemd_unit && !unit) ||
	    (workload->pod_uid && !pod))
		return -ENOMEM;
	set->workloads.item = item;
	set->workloads.item[set->workloads.n] = workload;
	for (size_t i = 0; i < ARRAY_SIZE(claims); i++) {
		r = set_claim_workload(p, workload, &claims[i]);
		if (r < 0)
			return r;
	}
	set->workloads.n++;
	return 0;
}

/*
 * @object behind the others of its kind, unless one of them has its key: then that is
 * reported. 0 also after the report.
 */
#define SET_ADD(p, list, object, kind, full)                                                    \
	({                                                                                      \
		const struct claim _claim = {                                                   \
			&(list).names, "metadata.name",		  (kind),                       \
			(full),	       (full) ? strlen(full) : 0, (uint32_t)(list).n            \
		};                                                                              \
		void *_items = arena_grow(&(p)->set->arena, (list).item, (list).n,              \
					  &(list).capacity, sizeof(object));                    \
		uint32_t _first = 0;                                                            \
		int _r = -ENOMEM;                                                               \
                                                                                                \
		if (_items && _claim.key) {                                                     \
			(list).item = _items;                                                   \
			_r = set_claim(&_claim, &_first);                                       \
		}                                                                               \
		if (_r == 0)                                                                    \
			(list).item[(list).n++] = (object);                                     \
		if (_r == -EEXIST)                                                              \
			set_twice((p), &(object)->place, &(list).item[_first]->place, &_claim); \
		_r == -EEXIST ? 0 : _r;                                                         \
	})

/* Policies of two kinds may share a name. */
int set_add_policy(struct parse *p, struct policy *policy)
{
	struct arena *arena = &p->set->arena;
	char *full = full_name(arena, policy->namespace, policy->name);
	char *what = arena_alloc(arena, strlen("this ") + strlen(policy->kind) + 1);

	full = full ? full_name(arena, policy->kind, full) : NULL;
	if (!what)
		return -ENOMEM;
	sprintf(what, "this %s", policy->kind);
	return SET_ADD(p, p->set->policies, policy, what, full);
}

int set_add_namespace(struct parse *p, struct namespace *namespace)
{
	return SET_ADD(p, p->set->namespaces, namespace, "this Namespace", namespace->name);
}

int set_add_node(struct parse *p, struct node_object *node)
{
	return SET_ADD(p, p->set->nodes, node, "this Node", node->name);
}

int set_add_service(struct parse *p, struct service *service)
{
	char *full = full_name(&p->set->arena, service->namespace, service->name);

	return SET_ADD(p, p->set->services, service, "this Service", full);
}

int set_add_slice(struct parse *p, struct endpoint_slice *slice)
{
	char *full = full_name(&p->set->arena, slice->namespace, slice->name);

	return SET_ADD(p, p->set->slices, slice, "this EndpointSlice", full);
}

int set_add_test(struct parse *p, struct policy_test *test)
{
	char *full = full_name(&p->set->arena, test->namespace, test->name);

	return SET_ADD(p, p->set->tests, test, "this PolicyTest", full);
}

int set_add_revocation(struct parse *p, struct revocation *revocation)
{
	return SET_ADD(p, p->set->revocations, revocation, "this Revocation", revocation->name);
}
