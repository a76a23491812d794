/* SPDX-License-Identifier: Apache-2.0 */
/* kind: Workload */
#include <netinet/in.h>

#include "user/identity/pod_cgroup.h"
#include "user/identity/spiffe.h"
#include "user/policy/names.h"
#include "user/policy/parse.h"

int parse_protocol(struct parse *p, const struct node *node, void *target)
{
	static const struct choice protocols[] = {
		{ "TCP", IPPROTO_TCP },
		{ "UDP", IPPROTO_UDP },
		{ "SCTP", IPPROTO_SCTP },
		{ 0 },
	};

	return parse_choice(p, node, protocols, target);
}

static int parse_cgroup(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a cgroup path", cgroup_path_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_systemd_unit(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a systemd unit", systemd_unit_problem };

	return parse_checked_text(p, node, &spec, target);
}

static const char *pod_uid_problem(const char *text)
{
	return pod_uid_valid(text) ? NULL : "is no pod's uid: 1 to 63 of a-z 0-9 -";
}

static int parse_pod_uid(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a pod's uid", pod_uid_problem };

	return parse_checked_text(p, node, &spec, target);
}

/* Its name is a segment of the SPIFFE ID. */
static const char *host_unit_problem(const char *text)
{
	const char *problem = systemd_unit_problem(text);

	if (!problem && strpbrk(text, "@:\\"))
		return "cannot be in a SPIFFE ID: units with @, : or \\ are no hostUnit";
	return problem;
}

static int parse_host_unit(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a systemd unit", host_unit_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_port_name(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a port name", port_name_problem };

	return parse_checked_text(p, node, &spec, target);
}

int parse_port_number(struct parse *p, const struct node *node, void *target)
{
	uint32_t number;

	if (parse_number(p, node, 1, CS_PORT_MAX, &number))
		*(uint16_t *)target = (uint16_t)number;
	return 0;
}

static int parse_named_port(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "name", FIELD(struct named_port, name, parse_port_name), .required = true },
		{ "port", FIELD(struct named_port, port, parse_port_number), .required = true },
		{ "protocol", FIELD(struct named_port, protocol, parse_protocol) },
		{ 0 },
	};
	struct named_port *port = target;

	port->protocol = IPPROTO_TCP;
	return parse_fields(p, node, fields, port);
}

/* One name and protocol means one number. */
static int parse_named_ports(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_named_port,
		.size = sizeof(struct named_port),
		.max = MODEL_PORTS_MAX,
		.of = "ports",
	};
	struct named_ports *ports = target;
	size_t before = p->errors->total;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &ports->n);
	ports->item = items;
	if (r < 0 || p->errors->total != before)
		return r;
	qsort(ports->item, ports->n, sizeof(*ports->item), named_port_compare);
	for (size_t i = 1; i < ports->n; i++)
		if (named_port_compare(&ports->item[i - 1], &ports->item[i]) == 0)
			parse_error(p, node, "the name \"%s\" is given twice for one protocol",
				    ports->item[i].name);
	return 0;
}

int parse_address(struct parse *p, const struct node *node, void *target)
{
	const char *text = parse_text_of(p, node, "an IP address"), *problem;
	struct cs_addr addr;

	if (!text)
		return 0;
	problem = address_parse(text, &addr);
	if (!problem)
		problem = address_problem(&addr);
	if (problem)
		parse_error(p, node, "\"%.64s\" %s", text, problem);
	else
		*(struct cs_addr *)target = addr;
	return 0;
}

/* Into a whole struct workload. */
static int parse_addresses(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_address,
		.size = sizeof(struct cs_addr),
		.max = MODEL_ADDRESSES_MAX,
		.of = "addresses",
	};
	struct workload *workload = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &workload->n_addresses);
	workload->addresses = items;
	return r;
}

static const char *trust_domain_problem(const char *text)
{
	return spiffe_trust_domain_valid(text)
		       ? NULL
		       : "is no trust domain: expected 1 to 255 of a-z 0-9 . _ -";
}

static int parse_trust_domain(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a trust domain", trust_domain_problem };

	return parse_checked_text(p, node, &spec, target);
}

static const struct field workload_fields[] = {
	{ "serviceAccount", FIELD(struct workload, service_account, parse_dns_name) },
	{ "cgroup", FIELD(struct workload, cgroup, parse_cgroup) },
	{ "systemdUnit", FIELD(struct workload, systemd_unit, parse_systemd_unit) },
	{ "podUID", FIELD(struct workload, pod_uid, parse_pod_uid) },
	{ "hostUnit", FIELD(struct workload, host_unit, parse_host_unit) },
	{ "addresses", .parse = parse_addresses, .offset = 0 },
	{ "ports", FIELD(struct workload, ports, parse_named_ports) },
	{ "hostNetwork", FIELD(struct workload, host_network, parse_bool) },
	{ "node", FIELD(struct workload, node, parse_node_name) },
	{ "trustDomain", FIELD(struct workload, trust_domain, parse_trust_domain) },
	{ 0 },
};

/* A unit of a node: who that is follows from both names, and it uses the node's addresses. */
static void check_host_unit(struct parse *p, const struct node *spec, struct workload *workload)
{
	if (workload_has_place(workload) || workload->service_account || workload->n_addresses)
		parse_error(
			p, spec,
			"has hostUnit and another of cgroup, systemdUnit, podUID, serviceAccount "
			"and addresses: they follow from it, leave them out");
	if (!workload->node)
		parse_error(p, spec, "has hostUnit and no node: name the unit's node");
	workload->host_network = true;
	workload->service_account = "";
	if (startswith(workload->place.file ?: "", HOST_UNIT_DOCUMENT))
		workload->systemd_unit = workload->host_unit;
}

int parse_workload(struct parse *p, const struct node *spec, const struct meta *meta)
{
	struct workload *workload = arena_alloc(&p->set->arena, sizeof(*workload));
	size_t before = p->errors->total;
	int r;

	if (!workload)
		return -ENOMEM;
	workload->place = meta->place;
	workload->namespace = meta->namespace;
	workload->name = meta->name;
	workload->labels = meta->labels;
	r = spec ? parse_fields(p, spec, workload_fields, workload) : 0;
	if (r < 0)
		return r;
	if (workload->host_unit)
		check_host_unit(p, spec, workload);
	if (!workload->service_account)
		workload->service_account = "default";
	if (!!workload->cgroup + !!workload->systemd_unit + !!workload->pod_uid > 1)
		parse_error(
			p, spec,
			"has several of cgroup, systemdUnit and podUID: a workload has one of them");
	if (workload->host_network && workload->n_addresses)
		parse_error(p, spec,
			    "has hostNetwork and addresses: those are its node's, leave them out");
	return p->errors->total == before ? set_add_workload(p, workload) : 0;
}
