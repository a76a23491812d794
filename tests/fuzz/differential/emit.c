/* SPDX-License-Identifier: Apache-2.0 */
/* The neutral form as manifests, in YAML's flow style. */
#include <string.h>

#include "tests/fuzz/differential/neutral.h"

static const char *const protocols[] = { "", "TCP", "UDP", "SCTP" };
static const char *const directions[] = { "ingress", "egress" };

static void emit_labels(const struct n_labels *labels, FILE *out)
{
	const char *comma = "";

	fputc('{', out);
	for (size_t i = 0; i < N_KEYS; i++) {
		if (!labels->value[i])
			continue;
		fprintf(out, "%sk%zu: v%u", comma, i, labels->value[i]);
		comma = ", ";
	}
	fputc('}', out);
}

static void emit_expression(const struct n_expression *e, FILE *out)
{
	static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist" };
	const char *comma = "";

	if (e->key == N_KEYS)
		fprintf(out, "{key: kubernetes.io/metadata.name, operator: %s", operators[e->op]);
	else
		fprintf(out, "{key: k%u, operator: %s", e->key, operators[e->op]);
	if (e->op <= OP_NOT_IN) {
		fputs(", values: [", out);
		for (int v = 0; v < N_VALUES; v++) {
			if (!(e->values >> v & 1))
				continue;
			fprintf(out, e->key == N_KEYS ? "%sn%c" : "%sv%c", comma,
				e->key == N_KEYS ? 'a' + v : '1' + v);
			comma = ", ";
		}
		fputc(']', out);
	}
	fputc('}', out);
}

static bool has_labels(const struct n_labels *labels)
{
	return labels->value[0] || labels->value[1] || labels->value[2];
}

static void emit_selector(const struct n_selector *selector, FILE *out)
{
	const char *comma = "";

	fputc('{', out);
	if (has_labels(&selector->match)) {
		fputs("matchLabels: ", out);
		emit_labels(&selector->match, out);
		comma = ", ";
	}
	if (selector->n_expressions) {
		fprintf(out, "%smatchExpressions: [", comma);
		for (size_t i = 0; i < selector->n_expressions; i++) {
			fputs(i ? ", " : "", out);
			emit_expression(&selector->expression[i], out);
		}
		fputc(']', out);
	}
	fputc('}', out);
}

/* "podSelector: {...}, namespaceSelector: {...}", with the kind's name for pods. */
static void emit_selectors(const struct n_peer *peer, const char *pods, FILE *out)
{
	if (peer->has_pods) {
		fprintf(out, "%s: ", pods);
		emit_selector(&peer->pods, out);
	}
	if (peer->has_namespaces) {
		fputs(peer->has_pods ? ", namespaceSelector: " : "namespaceSelector: ", out);
		emit_selector(&peer->namespaces, out);
	}
}

static void emit_block(const struct n_peer *peer, FILE *out)
{
	fprintf(out, "{cidr: \"%s\"", n_cidrs[peer->cidr]);
	if (peer->except)
		fprintf(out, ", except: [\"%s\"]", n_cidrs[peer->except - 1]);
	fputc('}', out);
}

static void emit_np_peer(const struct n_peer *peer, FILE *out)
{
	if (peer->kind == NP_CIDR) {
		fputs("ipBlock: ", out);
		emit_block(peer, out);
	} else {
		emit_selectors(peer, "podSelector", out);
	}
}

static void emit_identity_peer(const struct n_peer *peer, FILE *out)
{
	switch (peer->kind) {
	case NP_CIDR:
		fputs("cidrs: [", out);
		emit_block(peer, out);
		fputc(']', out);
		break;
	case NP_ENTITY:
		fprintf(out, "entities: [%s]", n_entities[peer->entity]);
		break;
	case NP_ACCOUNT:
		fprintf(out, "serviceAccounts: [{namespace: n%c, name: sa%u}]",
			'a' + peer->namespace, peer->account);
		break;
	case NP_SPIFFE:
		fprintf(out, "spiffeIDs: [\"%s\"]", n_patterns[peer->pattern]);
		break;
	default:
		emit_selectors(peer, "selector", out);
	}
}

static void emit_cluster_peer(const struct n_peer *peer, FILE *out)
{
	static const struct n_selector all;

	switch (peer->kind) {
	case NP_CIDR:
		fprintf(out, "networks: [\"%s\"]", n_cidrs[peer->cidr]);
		break;
	case NP_NODES:
		fputs("nodes: ", out);
		emit_selector(&peer->pods, out);
		break;
	case NP_UNKNOWN:
		fputs("constellations: {}", out);
		break;
	default:
		if (!peer->has_pods) {
			fputs("namespaces: ", out);
			emit_selector(&peer->namespaces, out);
			break;
		}
		fputs("pods: {namespaceSelector: ", out);
		emit_selector(peer->has_namespaces ? &peer->namespaces : &all, out);
		fputs(", podSelector: ", out);
		emit_selector(&peer->pods, out);
		fputc('}', out);
	}
}

static void emit_peer(const struct n_policy *policy, const struct n_peer *peer, FILE *out)
{
	static void (*const emitters[KIND_MAX])(const struct n_peer *peer, FILE *out) = {
		[KIND_NP] = emit_np_peer,	 [KIND_IP] = emit_identity_peer,
		[KIND_CIP] = emit_identity_peer, [KIND_CNP] = emit_cluster_peer,
		[KIND_ANP] = emit_cluster_peer,	 [KIND_BANP] = emit_cluster_peer,
	};

	fputc('{', out);
	emitters[policy->kind](peer, out);
	fputc('}', out);
}

static bool is_whole(const struct n_port *port)
{
	return !port->name && port->min == 0 && port->max == UINT16_MAX;
}

/* NetworkPolicy, IdentityPolicy: {protocol, port, endPort}. */
static void emit_plain_port(const struct n_port *port, FILE *out)
{
	fprintf(out, "{protocol: %s", protocols[port->protocol]);
	if (port->name)
		fprintf(out, ", port: pn%d", port->name - 1);
	else if (!is_whole(port))
		fprintf(out, ", port: %u", port->min);
	if (!port->name && !is_whole(port) && port->max != port->min)
		fprintf(out, ", endPort: %u", port->max);
	fputc('}', out);
}

static void emit_cnp_port(const struct n_port *port, FILE *out)
{
	static const char *const lower[] = { "", "tcp", "udp", "sctp" };

	if (port->name)
		fprintf(out, "{destinationNamedPort: pn%d}", port->name - 1);
	else if (is_whole(port))
		fprintf(out, "{%s: {}}", lower[port->protocol]);
	else if (port->min == port->max)
		fprintf(out, "{%s: {destinationPort: {number: %u}}}", lower[port->protocol],
			port->min);
	else
		fprintf(out, "{%s: {destinationPort: {range: {start: %u, end: %u}}}}",
			lower[port->protocol], port->min, port->max);
}

static void emit_anp_port(const struct n_port *port, FILE *out)
{
	if (port->name)
		fprintf(out, "{namedPort: pn%d}", port->name - 1);
	else if (port->min == port->max)
		fprintf(out, "{portNumber: {protocol: %s, port: %u}}", protocols[port->protocol],
			port->min);
	else
		fprintf(out, "{portRange: {protocol: %s, start: %u, end: %u}}",
			protocols[port->protocol], port->min, port->max);
}

static void emit_ports(const struct n_policy *policy, const struct n_rule *rule, FILE *out)
{
	if (!rule->n_ports)
		return;
	fputs(policy->kind == KIND_CNP ? ", protocols: [" : ", ports: [", out);
	for (size_t i = 0; i < rule->n_ports; i++) {
		fputs(i ? ", " : "", out);
		if (policy->kind == KIND_CNP)
			emit_cnp_port(&rule->port[i], out);
		else if (policy->kind == KIND_ANP || policy->kind == KIND_BANP)
			emit_anp_port(&rule->port[i], out);
		else
			emit_plain_port(&rule->port[i], out);
	}
	fputc(']', out);
}

static void emit_rule_head(const struct n_policy *policy, const struct n_rule *rule, FILE *out)
{
	static const char *const actions[] = { "Allow", "Deny", "Pass" };
	const char *action = actions[rule->action];

	if (policy->kind == KIND_CNP && rule->action == ACT_ALLOW)
		action = "Accept";
	if (policy->kind != KIND_NP)
		fprintf(out, "action: %s, ", action);
	if (rule->audit)
		fputs("mode: Audit, ", out);
	if (rule->authenticated)
		fputs("authentication: Required, ", out);
	if (rule->expires_s)
		fprintf(out, "expires: \"1970-01-01T00:%02u:%02uZ\", reason: for a while, ",
			rule->expires_s / 60, rule->expires_s % 60);
}

static void emit_rule(const struct n_policy *policy, enum n_direction direction,
		      const struct n_rule *rule, FILE *out)
{
	fputs("  - {", out);
	emit_rule_head(policy, rule, out);
	fprintf(out, "%s: [", direction == N_INGRESS ? "from" : "to");
	for (size_t i = 0; i < rule->n_peers; i++) {
		fputs(i ? ", " : "", out);
		emit_peer(policy, &rule->peer[i], out);
	}
	fputc(']', out);
	emit_ports(policy, rule, out);
	fputs("}\n", out);
}

static void emit_rules(const struct n_policy *policy, FILE *out)
{
	for (int d = 0; d < 2; d++) {
		if (!policy->present[d])
			continue;
		fprintf(out, "  %s:%s\n", directions[d], policy->n_rules[d] ? "" : " []");
		for (size_t i = 0; i < policy->n_rules[d]; i++)
			emit_rule(policy, d, &policy->rule[d][i], out);
	}
}

/* What comes before the rules. */
static void emit_spec_head(const struct n_policy *policy, FILE *out)
{
	static const char *const tiers[] = { "Admin", "Default", "Baseline" };
	const struct n_peer *subject = &policy->subject[0];

	switch (policy->kind) {
	case KIND_NP:
		fputs("  podSelector: ", out);
		emit_selector(&subject->pods, out);
		fprintf(out, "\n  policyTypes: [%s%s%s]\n",
			policy->present[N_INGRESS] ? "Ingress" : "",
			policy->present[N_INGRESS] && policy->present[N_EGRESS] ? ", " : "",
			policy->present[N_EGRESS] ? "Egress" : "");
		return;
	case KIND_IP:
	case KIND_CIP:
		fputs("  subject: {", out);
		emit_selectors(subject, "selector", out);
		fprintf(out, "}\n  tier: %s\n  priority: %u\n", tiers[policy->tier],
			policy->priority);
		if (policy->audit)
			fputs("  mode: Audit\n", out);
		if (policy->rollout_none)
			fputs("  rollout: {percent: 0}\n", out);
		return;
	case KIND_CNP:
		fprintf(out, "  tier: %s\n", tiers[policy->tier]);
		break;
	}
	if (policy->kind != KIND_BANP)
		fprintf(out, "  priority: %u\n", policy->priority);
	fputs("  subject: {", out);
	emit_cluster_peer(subject, out);
	fputs("}\n", out);
}

static void emit_policy(const struct n_policy *policy, FILE *out)
{
	static const char *const heads[KIND_MAX] = {
		[KIND_NP] = "networking.k8s.io/v1\nkind: NetworkPolicy",
		[KIND_IP] = "countersign.dev/v1alpha1\nkind: IdentityPolicy",
		[KIND_CIP] = "countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy",
		[KIND_CNP] = "policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy",
		[KIND_ANP] = "policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy",
		[KIND_BANP] = "policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy",
	};

	fprintf(out, "---\napiVersion: %s\nmetadata: {name: ", heads[policy->kind]);
	if (policy->kind == KIND_BANP)
		fputs("default", out);
	else
		fprintf(out, "p%u", policy->name);
	if (policy->kind == KIND_NP || policy->kind == KIND_IP)
		fprintf(out, ", namespace: n%c", 'a' + policy->namespace);
	fputs("}\nspec:\n", out);
	emit_spec_head(policy, out);
	emit_rules(policy, out);
}

static void emit_workload(const struct n_set *set, uint8_t index, FILE *out)
{
	const struct n_workload *w = &set->workload[index];
	const char *comma = "";
	char text[64];

	fprintf(out,
		"---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
		"metadata: {name: w%u, namespace: n%c, labels: ",
		index, 'a' + w->namespace);
	emit_labels(&w->labels, out);
	fprintf(out, "}\nspec:\n  serviceAccount: sa%u\n  addresses: [", w->account);
	for (uint8_t f = 0; f < 2; f++) {
		if (!n_workload_address(set, index, f, text))
			continue;
		fprintf(out, "%s\"%s\"", comma, text);
		comma = ", ";
	}
	fputs("]\n  ports: [", out);
	comma = "";
	for (size_t n = 0; n < N_PORT_NAMES; n++) {
		for (size_t p = 0; p < 3; p++) {
			if (!w->port[n][p])
				continue;
			fprintf(out, "%s{name: pn%zu, port: %u, protocol: %s}", comma, n,
				w->port[n][p], protocols[p + 1]);
			comma = ", ";
		}
	}
	fprintf(out, "]\n%s", w->host_network ? "  hostNetwork: true\n" : "");
}

static void emit_node(const struct n_set *set, uint8_t index, FILE *out)
{
	fprintf(out, "---\napiVersion: v1\nkind: Node\nmetadata: {name: node%u, labels: ", index);
	emit_labels(&set->nodes[index], out);
	fputs("}\nstatus: {addresses: [", out);
	for (size_t i = 0, n = 0; i < n_addresses_count; i++)
		if (n_addresses[i].node == index + 1)
			fprintf(out, "%s{type: InternalIP, address: \"%s\"}", n++ ? ", " : "",
				n_addresses[i].text);
	fputs("]}\n", out);
}

/* The API server is whoever is behind default/kubernetes. */
static const char api_server[] =
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: kubernetes, namespace: default}\n"
	"spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443}]}\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	"metadata: {name: kubernetes, namespace: default,"
	" labels: {kubernetes.io/service-name: kubernetes}}\n"
	"addressType: IPv4\nports: [{name: https, port: 6443, protocol: TCP}]\n"
	"endpoints: [{addresses: [192.0.2.50], conditions: {ready: true}}]\n";

void n_emit(const struct n_set *set, FILE *out)
{
	for (uint8_t i = 0; i < N_NAMESPACES; i++) {
		if (!set->has_namespace[i])
			continue;
		fprintf(out, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n%c, labels: ",
			'a' + i);
		emit_labels(&set->namespaces[i], out);
		fputs("}\n", out);
	}
	for (uint8_t i = 0; i < N_NODES; i++)
		emit_node(set, i, out);
	fputs(api_server, out);
	for (uint8_t i = 0; i < N_WORKLOADS; i++)
		emit_workload(set, i, out);
	for (uint8_t i = 0; i < set->n_policies; i++)
		emit_policy(&set->policy[i], out);
}

void n_end_text(const struct n_set *set, const struct n_end *end, char ret[static 64])
{
	if (end->kind == END_WORKLOAD)
		snprintf(ret, 64, "n%c/w%u", 'a' + set->workload[end->index].namespace, end->index);
	else
		snprintf(ret, 64, "%s",
			 end->kind == END_ENTITY ? n_entities[end->index]
						 : n_addresses[end->index].text);
}

void n_flow_text(const struct n_set *set, const struct n_flow *flow, FILE *out)
{
	char from[64], to[64];

	n_end_text(set, &flow->from, from);
	n_end_text(set, &flow->to, to);
	fprintf(out, "%s > %s %s/%u IPv%d%s at %u s", from, to, protocols[flow->protocol],
		flow->port, flow->family ? 6 : 4, flow->authenticated ? " verified" : "",
		flow->boottime_s);
}
