/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server has: documents come, change and go. */
#include <jansson.h>

#include "user/kube/ledger_internal.h"

#define NODE "Node/"

int kube_ledger_new(struct kube_ledger **ret)
{
	struct kube_ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return -ENOMEM;
	for (size_t i = 0; i < KUBE_BUCKETS; i++)
		ledger->history[i].now = 1; /* 0 is no state */
	*ret = ledger;
	return 0;
}

static void policy_free(struct ledger_policy *policy)
{
	free(policy->document);
	free(policy);
}

static void node_free(struct ledger_node *node)
{
	free(node->document);
	free(node);
}

struct kube_ledger *kube_ledger_free(struct kube_ledger *ledger)
{
	if (!ledger)
		return NULL;
	for (size_t i = 0; i < ledger->n_policies; i++)
		policy_free(ledger->policy[i]);
	for (size_t i = 0; i < ledger->n_nodes; i++)
		node_free(ledger->node[i]);
	ledger_refused_done(ledger->refused, ledger->n_refused);
	keymap_done(&ledger->policies);
	keymap_done(&ledger->nodes);
	free(ledger->policy);
	free(ledger->dirty);
	free(ledger->node);
	free(ledger);
	return NULL;
}

/* Room for one more pointer in *@items. */
static int make_room(void *items, size_t n, size_t *room, size_t max)
{
	void **more;

	if (n < *room)
		return 0;
	if (n >= max)
		return -ENOSPC;
	more = reallocarray(*(void **)items, *room * 2 + 16, sizeof(void *));
	if (!more)
		return -ENOMEM;
	*(void **)items = more;
	*room = *room * 2 + 16;
	return 0;
}

static struct ledger_policy *find(const struct kube_ledger *ledger, const char *document)
{
	uint32_t i;

	return keymap_get(&ledger->policies, document, strlen(document), &i) ? ledger->policy[i]
									     : NULL;
}

static struct ledger_node *find_node(const struct kube_ledger *ledger, const char *document)
{
	uint32_t i;

	return keymap_get(&ledger->nodes, document, strlen(document), &i) ? ledger->node[i] : NULL;
}

int ledger_touch(struct kube_ledger *ledger, struct ledger_policy *policy)
{
	int r;

	if (policy->dirty)
		return 0;
	r = make_room(&ledger->dirty, ledger->n_dirty, &ledger->dirty_room, LEDGER_POLICIES_MAX);
	if (r < 0)
		return r;
	ledger->dirty[ledger->n_dirty++] = policy;
	policy->dirty = true;
	return 0;
}

/* The last one takes the place of @policy. */
void ledger_drop(struct kube_ledger *ledger, struct ledger_policy *policy)
{
	struct ledger_policy *last = ledger->policy[ledger->n_policies - 1];
	uint32_t i = 0;

	keymap_get(&ledger->policies, policy->document, strlen(policy->document), &i);
	keymap_remove(&ledger->policies, policy->document, strlen(policy->document));
	ledger->n_policies--;
	if (last != policy) {
		keymap_remove(&ledger->policies, last->document, strlen(last->document));
		ledger->policy[i] = last;
		/* There is room: two were taken out. */
		keymap_put(&ledger->policies, last->document, strlen(last->document), i);
	}
	policy_free(policy);
}

static int add_policy(struct kube_ledger *ledger, const char *document,
		      const struct kube_policy_kind *kind, struct ledger_policy **ret)
{
	struct ledger_policy *policy;
	int r;

	r = make_room(&ledger->policy, ledger->n_policies, &ledger->policies_room,
		      LEDGER_POLICIES_MAX);
	if (r < 0)
		return r;
	policy = calloc(1, sizeof(*policy));
	if (policy)
		policy->document = strdup(document);
	if (!policy || !policy->document) {
		free(policy);
		return -ENOMEM;
	}
	policy->kind = kind;
	r = keymap_put(&ledger->policies, policy->document, strlen(document),
		       (uint32_t)ledger->n_policies);
	if (r < 0) {
		policy_free(policy);
		return r;
	}
	ledger->policy[ledger->n_policies++] = *ret = policy;
	return 0;
}

/* What is wanted is another version now: the bucket is in its next state. */
static int want(struct kube_ledger *ledger, struct ledger_policy *policy,
		const struct kube_version *version)
{
	const char *uid = *version->uid ? version->uid : policy->wanted.uid;
	unsigned int bucket = kube_bucket_of(uid);
	struct ledger_history *history = &ledger->history[bucket];
	int r;

	if (kube_version_equal(&policy->wanted, version))
		return 0;
	r = ledger_touch(ledger, policy);
	if (r < 0)
		return r;
	ledger->n_wanted += (*version->uid ? 1 : 0) - (*policy->wanted.uid ? 1 : 0);
	kube_buckets_remove(&ledger->wanted, &policy->wanted);
	kube_buckets_add(&ledger->wanted, version);
	if (*policy->wanted.uid && kube_bucket_of(policy->wanted.uid) != bucket) {
		/* Recreated under its name: the old one's bucket moves, too. */
		unsigned int old = kube_bucket_of(policy->wanted.uid);
		struct ledger_history *other = &ledger->history[old];

		other->sum[++other->now % LEDGER_HISTORY] = ledger->wanted.sum[old];
	}
	history->sum[++history->now % LEDGER_HISTORY] = ledger->wanted.sum[bucket];
	policy->since = history->now;
	policy->wanted = *version;
	return 0;
}

static int read_version(const json_t *metadata, struct kube_version *ret)
{
	const char *uid = json_string_value(json_object_get(metadata, "uid"));
	struct kube_version version = { .generation = json_integer_value(
						json_object_get(metadata, "generation")) };

	if (!uid || !*uid || strlen(uid) >= sizeof(version.uid))
		return -EINVAL;
	strcpy(version.uid, uid);
	*ret = version;
	return 0;
}

static int set_policy(struct kube_ledger *ledger, const char *document, const json_t *metadata)
{
	struct ledger_policy *policy = find(ledger, document);
	struct kube_version version = { 0 };
	int r = 0;

	if (metadata && read_version(metadata, &version) < 0)
		return 0;
	if (!policy && !metadata)
		return 0;
	if (!policy)
		r = add_policy(ledger, document, policy_kind_of(document), &policy);
	if (r < 0)
		return r;
	policy->mark = ledger->mark;
	return want(ledger, policy, &version);
}

static void drop_node(struct kube_ledger *ledger, struct ledger_node *node)
{
	struct ledger_node *last = ledger->node[ledger->n_nodes - 1];
	uint32_t i = 0;

	keymap_get(&ledger->nodes, node->document, strlen(node->document), &i);
	keymap_remove(&ledger->nodes, node->document, strlen(node->document));
	ledger->n_nodes--;
	if (last != node) {
		keymap_remove(&ledger->nodes, last->document, strlen(last->document));
		ledger->node[i] = last;
		keymap_put(&ledger->nodes, last->document, strlen(last->document), i);
	}
	node_free(node);
}

static int add_node(struct kube_ledger *ledger, const char *document, struct ledger_node **ret)
{
	struct ledger_node *node;
	int r;

	r = make_room(&ledger->node, ledger->n_nodes, &ledger->nodes_room, LEDGER_NODES_MAX);
	if (r < 0)
		return r;
	node = calloc(1, sizeof(*node));
	if (node)
		node->document = strdup(document);
	if (!node || !node->document) {
		free(node);
		return -ENOMEM;
	}
	node->name = node->document + strlen(NODE);
	r = keymap_put(&ledger->nodes, node->document, strlen(document), (uint32_t)ledger->n_nodes);
	if (r < 0) {
		node_free(node);
		return r;
	}
	ledger->node[ledger->n_nodes++] = *ret = node;
	return 0;
}

static int set_node(struct kube_ledger *ledger, const char *document, const json_t *metadata)
{
	struct ledger_node *node = find_node(ledger, document);
	struct kube_version version = { 0 };
	const char *label;
	int r = 0;

	if (node && !metadata)
		drop_node(ledger, node);
	if (!metadata || read_version(metadata, &version) < 0)
		return 0;
	if (!node)
		r = add_node(ledger, document, &node);
	if (r < 0)
		return r;
	label = json_string_value(
		json_object_get(json_object_get(metadata, "labels"), LEDGER_AGENT_LABEL));
	node->exempt = label && streq(label, "none");
	node->mark = ledger->mark;
	strcpy(node->uid, version.uid);
	return 0;
}

int kube_ledger_set(struct kube_ledger *ledger, const char *document, const char *text,
		    size_t length)
{
	bool node = startswith(document, NODE);
	json_auto_t *object = NULL;
	const json_t *metadata = NULL;

	if (!node && !policy_kind_of(document))
		return 0;
	if (text) {
		object = json_loadb(text, length, 0, NULL);
		metadata = json_object_get(object, "metadata");
		if (!metadata)
			return 0; /* YAML, from a file: nobody reports on it */
	}
	return node ? set_node(ledger, document, metadata) : set_policy(ledger, document, metadata);
}

void kube_ledger_begin(struct kube_ledger *ledger)
{
	ledger->mark++;
}

void kube_ledger_keep(struct kube_ledger *ledger, const char *document)
{
	struct ledger_policy *policy = find(ledger, document);
	struct ledger_node *node = find_node(ledger, document);

	if (policy)
		policy->mark = ledger->mark;
	if (node)
		node->mark = ledger->mark;
}

void kube_ledger_end(struct kube_ledger *ledger)
{
	static const struct kube_version none = { 0 };

	/* Without memory a policy stays wanted: nothing is claimed that is not so. */
	for (size_t i = 0; i < ledger->n_policies; i++)
		if (ledger->policy[i]->mark != ledger->mark)
			want(ledger, ledger->policy[i], &none);
	for (size_t i = ledger->n_nodes; i-- > 0;)
		if (ledger->node[i]->mark != ledger->mark)
			drop_node(ledger, ledger->node[i]);
}

const struct ledger_policy *kube_ledger_find(const struct kube_ledger *ledger, const char *document)
{
	return find(ledger, document);
}

const struct ledger_node *kube_ledger_find_node(const struct kube_ledger *ledger, const char *name)
{
	_cleanup_free_ char *document = NULL;

	if (asprintf(&document, NODE "%s", name) < 0) {
		document = NULL;
		return NULL;
	}
	return find_node(ledger, document);
}
