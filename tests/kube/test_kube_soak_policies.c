/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of all kinds from one small description, which a plain rule judges, too. */
#include "tests/kube/test_kube_soak.h"

#define UPSTREAM "policy.networking.k8s.io/v1alpha"
#define OURS "countersign.dev/v1alpha1"
#define MANAGER "?fieldManager=soak&force=true" /* server-side apply */
#define WRONG_NS "shop"
#define PRIORITY_FIRST 100

static const char *text(const char *prefix, int i)
{
	static char texts[4][32]; /* as many as one call needs at once */
	static unsigned int next;
	char *ret = texts[next++ % ARRAY_SIZE(texts)];

	snprintf(ret, sizeof(texts[0]), "%s-%d", prefix, i);
	return ret;
}

static json_t *app(int i)
{
	return json_pack("{s:{s:s}}", "matchLabels", "app", text("app", i));
}

static json_t *team(int i)
{
	return json_pack("{s:{s:s}}", "matchLabels", "team", text("team", i));
}

/* ---- what each kind makes of the description ---- */

static json_t *network_spec(const struct soak_policy *p, const char *action)
{
	(void)action;
	return json_pack("{s:o, s:[s], s:[{s:[{s:o, s:o}], s:[{s:i}]}]}", "podSelector",
			 app(p->app), "policyTypes", "Ingress", "ingress", "from", "podSelector",
			 app(p->from), "namespaceSelector", team(p->team), "ports", "port",
			 SOAK_PORT);
}

static json_t *identity_spec(const struct soak_policy *p, const char *action)
{
	return json_pack("{s:{s:o}, s:[{s:s, s:s, s:[{s:o, s:o}], s:[{s:i}]}]}", "subject",
			 "selector", app(p->app), "ingress", "name", "one", "action", action,
			 "from", "selector", app(p->from), "namespaceSelector", team(p->team),
			 "ports", "port", SOAK_PORT);
}

/* Pods of an app in any namespace, as administrators' policies have it. */
static json_t *rule_of(const struct soak_policy *p, const char *action)
{
	return json_pack("{s:s, s:s, s:[{s:{s:{}, s:o}}]}", "name", "one", "action", action, "from",
			 "pods", "namespaceSelector", "podSelector", app(p->from));
}

static json_t *cluster_network_spec(const struct soak_policy *p, const char *action)
{
	return json_pack("{s:s, s:i, s:{s:o}, s:[o]}", "tier", "Admin", "priority", p->priority,
			 "subject", "namespaces", team(p->team), "ingress", rule_of(p, action));
}

static json_t *admin_network_spec(const struct soak_policy *p, const char *action)
{
	return json_pack("{s:i, s:{s:o}, s:[o]}", "priority", p->priority, "subject", "namespaces",
			 team(p->team), "ingress", rule_of(p, action));
}

static json_t *baseline_spec(const struct soak_policy *p, const char *action)
{
	return json_pack("{s:{s:o}, s:[o]}", "subject", "namespaces", team(p->team), "ingress",
			 rule_of(p, action));
}

static const struct {
	const char *version, *kind, *plural;
	const char *action[SOAK_ACTIONS];
	json_t *(*spec)(const struct soak_policy *policy, const char *action);
	bool namespaced;
} kinds[SOAK_KINDS] = {
	[SOAK_NETWORK] = { "networking.k8s.io/v1",
			   "NetworkPolicy",
			   "networkpolicies",
			   { "Allow" },
			   network_spec,
			   true },
	[SOAK_IDENTITY] = { OURS,
			    "IdentityPolicy",
			    "identitypolicies",
			    { "Allow", "Deny" },
			    identity_spec,
			    true },
	[SOAK_CLUSTER_IDENTITY] = { OURS,
				    "ClusterIdentityPolicy",
				    "clusteridentitypolicies",
				    { "Allow", "Deny" },
				    identity_spec,
				    false },
	[SOAK_CLUSTER_NETWORK] = { UPSTREAM "2",
				   "ClusterNetworkPolicy",
				   "clusternetworkpolicies",
				   { "Accept", "Deny", "Pass" },
				   cluster_network_spec,
				   false },
	[SOAK_ADMIN_NETWORK] = { UPSTREAM "1",
				 "AdminNetworkPolicy",
				 "adminnetworkpolicies",
				 { "Allow", "Deny", "Pass" },
				 admin_network_spec,
				 false },
	[SOAK_BASELINE] = { UPSTREAM "1",
			    "BaselineAdminNetworkPolicy",
			    "baselineadminnetworkpolicies",
			    { "Allow", "Deny" },
			    baseline_spec,
			    false },
};

/* ---- to the API server ---- */

static const char *path_of(struct soak *soak, enum soak_kind kind, const char *ns, const char *name)
{
	return lab_printf(soak->cluster.lab, "/apis/%s/%s%s%s%s/%s", kinds[kind].version,
			  kinds[kind].namespaced ? "namespaces/" : "",
			  kinds[kind].namespaced ? ns : "", kinds[kind].namespaced ? "/" : "",
			  kinds[kind].plural, name);
}

static const char *name_of(const struct soak_policy *policy)
{
	/* There can be one of that kind only. */
	return policy->kind == SOAK_BASELINE ? "default" : text("random", policy->priority);
}

static void put(struct soak *soak, enum soak_kind kind, const char *path, const char *name,
		json_t *spec)
{
	json_t *object = json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", kinds[kind].version,
				   "kind", kinds[kind].kind, "metadata", "name", name, "spec",
				   spec);

	lab_keep(soak->cluster.lab, object);
	kube_call(soak->cluster.kube, "PATCH", lab_printf(soak->cluster.lab, "%s" MANAGER, path),
		  object, NULL);
}

/* The place in the list says of which kind it is: all are there in equal numbers but the last. */
static enum soak_kind kind_of(int i)
{
	return i == 0 ? SOAK_BASELINE : (enum soak_kind)(i % SOAK_BASELINE);
}

bool soak_policy_put(struct soak *soak)
{
	int i = soak_random(SOAK_POLICIES);
	struct soak_policy *p = &soak->policy[i];
	const char *action;

	*p = (struct soak_policy){
		.there = true,
		.kind = kind_of(i),
		.ns = i % SOAK_NAMESPACES, /* part of its name, so always the same */
		.app = soak_random(SOAK_APPS),
		.team = soak_random(SOAK_TEAMS),
		.from = soak_random(SOAK_APPS),
		.priority = PRIORITY_FIRST + i,
	};
	do {
		p->action = (enum soak_action)soak_random(SOAK_ACTIONS);
		action = kinds[p->kind].action[p->action];
	} while (!action);
	put(soak, p->kind, path_of(soak, p->kind, soak_namespaces[p->ns], name_of(p)), name_of(p),
	    kinds[p->kind].spec(p, action));
	return true;
}

bool soak_policy_delete(struct soak *soak)
{
	struct soak_policy *p = &soak->policy[soak_random(SOAK_POLICIES)];

	if (!p->there)
		return false;
	kube_call(soak->cluster.kube, "DELETE",
		  path_of(soak, p->kind, soak_namespaces[p->ns], name_of(p)), NULL, NULL);
	p->there = false;
	return true;
}

/* The API server takes it, as its schema knows nothing of host bits. */
bool soak_wrong_put(struct soak *soak)
{
	int i = soak_random(SOAK_WRONG);
	const char *name = text("wrong", i);
	json_t *spec = json_pack("{s:{s:o}, s:[{s:s, s:[{s:[{s:s}]}]}]}", "subject", "selector",
				 app(soak_random(SOAK_APPS)), "ingress", "name", "one", "from",
				 "cidrs", "cidr", "10.0.0.1/8");

	put(soak, SOAK_IDENTITY, path_of(soak, SOAK_IDENTITY, WRONG_NS, name), name, spec);
	soak->wrong[i] = true;
	return true;
}

bool soak_wrong_delete(struct soak *soak)
{
	int i = soak_random(SOAK_WRONG);

	if (!soak->wrong[i])
		return false;
	kube_call(soak->cluster.kube, "DELETE",
		  path_of(soak, SOAK_IDENTITY, WRONG_NS, text("wrong", i)), NULL, NULL);
	soak->wrong[i] = false;
	return true;
}

/* ---- the plain rule ---- */

struct pair {
	const struct soak *soak;
	const struct soak_pod *from, *to;
};

static bool protects(const struct pair *pair, const struct soak_policy *p)
{
	if (p->kind >= SOAK_CLUSTER_NETWORK)
		return pair->soak->team[pair->to->ns] == p->team;
	return pair->to->app == p->app && (!kinds[p->kind].namespaced || pair->to->ns == p->ns);
}

static bool names_sender(const struct pair *pair, const struct soak_policy *p)
{
	return pair->from->app == p->from &&
	       (p->kind >= SOAK_CLUSTER_NETWORK || pair->soak->team[pair->from->ns] == p->team);
}

enum verdict { UNDECIDED, ALLOWED, DENIED };

/* The first that says something; places in the list are priorities. */
static enum verdict admin_tier(const struct pair *pair)
{
	static const enum verdict verdicts[] = {
		[SOAK_ALLOW] = ALLOWED,
		[SOAK_DENY] = DENIED,
		[SOAK_PASS] = UNDECIDED,
	};

	for (int i = 0; i < SOAK_POLICIES; i++) {
		const struct soak_policy *p = &pair->soak->policy[i];

		if (p->there &&
		    (p->kind == SOAK_CLUSTER_NETWORK || p->kind == SOAK_ADMIN_NETWORK) &&
		    protects(pair, p) && names_sender(pair, p))
			return verdicts[p->action];
	}
	return UNDECIDED;
}

/* Denials first; then what is allowed; then, once anybody protects it, nothing. */
static enum verdict default_tier(const struct pair *pair)
{
	enum verdict verdict = UNDECIDED;
	bool isolated = false;

	for (int i = 0; i < SOAK_POLICIES; i++) {
		const struct soak_policy *p = &pair->soak->policy[i];

		if (!p->there || p->kind > SOAK_CLUSTER_IDENTITY || !protects(pair, p))
			continue;
		isolated = true;
		if (!names_sender(pair, p))
			continue;
		if (p->action == SOAK_DENY)
			return DENIED;
		verdict = ALLOWED;
	}
	return verdict == UNDECIDED && isolated ? DENIED : verdict;
}

static enum verdict baseline_tier(const struct pair *pair)
{
	const struct soak_policy *p = &pair->soak->policy[0];

	if (!p->there || !protects(pair, p) || !names_sender(pair, p))
		return UNDECIDED;
	return p->action == SOAK_DENY ? DENIED : ALLOWED;
}

bool soak_allows(const struct soak *soak, const struct soak_pod *from, const struct soak_pod *to)
{
	const struct pair pair = { soak, from, to };
	enum verdict verdict = admin_tier(&pair);

	if (verdict == UNDECIDED)
		verdict = default_tier(&pair);
	if (verdict == UNDECIDED)
		verdict = baseline_tier(&pair);
	return verdict != DENIED;
}
