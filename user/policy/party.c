/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/party.h"

#include "user/identity/identity.h"
#include "user/policy/address.h"

static const struct image_identity *find_identity(const struct image *image, uint64_t number)
{
	for (size_t i = 0; i < image->n_identities; i++)
		if (image->identities[i].identity == number && !image->identities[i].gone)
			return &image->identities[i];
	return NULL;
}

static bool is_v4(const struct cs_addr *addr)
{
	struct cs_cidr host = cidr_of(addr->word, ADDRESS_BITS);

	return cidr_is_v4(&host);
}

/* The class of the longest prefix; 1 + index, 0: none. */
static uint32_t find_class(const struct image *image, const struct cs_addr *addr)
{
	struct cs_cidr host = cidr_of(addr->word, ADDRESS_BITS);
	uint32_t best = 0;

	for (size_t i = 0; i < image->n_classes; i++) {
		const struct cs_cidr *prefix = &image->classes[i].prefix;

		if (cidr_covers(prefix, &host) &&
		    (!best || prefix->prefixlen > image->classes[best - 1].prefix.prefixlen))
			best = (uint32_t)i + 1;
	}
	return best;
}

static const struct image_endpoint *find_endpoint(const struct image *image,
						  const struct cs_addr *addr)
{
	for (size_t i = 0; i < image->n_endpoints; i++)
		if (!image->endpoints[i].gone &&
		    memcmp(&image->endpoints[i].addr, addr, sizeof(*addr)) == 0)
			return &image->endpoints[i];
	return NULL;
}

/* Who has an address that is no endpoint's: 0 stands for anybody on the host. */
static uint64_t entity_at(const struct image *image, const struct cs_addr *addr, uint32_t class)
{
	if (address_is_loopback(addr))
		return 0;
	return class && image->classes[class - 1].flags & CS_CLASS_HOST ? CS_ENTITY_HOST
									: CS_ENTITY_WORLD;
}

bool policy_revokes(bool subject, bool peer, struct cs_result *ret)
{
	if (!subject && !peer)
		return false;
	*ret = (struct cs_result){ .verdict = CS_VERDICT_DENY, .reason = CS_REASON_REVOKED };
	return true;
}

bool party_is_revoked(const struct image *image, const struct image_workload *workload,
		      uint64_t identity)
{
	uint32_t index = workload ? (uint32_t)(workload - image->workloads) + 1 : 0;
	bool revoked = workload && workload->revoked;

	if (!image->revocations.n_notes)
		return false;
	for (size_t i = 0; i < image->n_endpoints && !revoked; i++) {
		const struct image_endpoint *endpoint = &image->endpoints[i];

		revoked = !endpoint->gone && endpoint->flags & CS_ENDPOINT_REVOKED &&
			  (workload ? endpoint->workload_index == index
				    : endpoint->identity == identity);
	}
	for (size_t i = 0; i < image->n_placements && !revoked && !workload; i++)
		revoked = image->placements[i].identity == identity && !image->placements[i].gone &&
			  image->placements[i].revoked;
	return revoked;
}

/* An address: what can be inferred from it, as the kernel does. */
static int party_by_address(const struct image *image, const char *text, struct party *ret)
{
	const struct image_endpoint *endpoint;
	struct cs_addr addr;

	if (address_parse(text, &addr))
		return -ENOENT;
	ret->class_index = find_class(image, &addr);
	endpoint = find_endpoint(image, &addr);
	if (!endpoint) {
		ret->identity = find_identity(image, entity_at(image, &addr, ret->class_index));
		return 0;
	}
	ret->revoked = endpoint->flags & CS_ENDPOINT_REVOKED;
	if (endpoint->flags & CS_ENDPOINT_SHARED)
		return 0; /* nothing may be inferred */
	if (endpoint->workload_index)
		ret->workload = &image->workloads[endpoint->workload_index - 1];
	ret->identity = find_identity(image, endpoint->identity);
	return 0;
}

static int party_by_entity(const struct image *image, uint8_t entity, struct party *ret)
{
	ret->identity = find_identity(image, entity);
	ret->unmanaged = entity == CS_ENTITY_UNMANAGED;
	return 0;
}

/* Whether "ns/name" is @text. */
static bool is_named(const char *text, const char *namespace, const char *name)
{
	size_t n = strlen(namespace);

	return n && strncmp(text, namespace, n) == 0 && text[n] == '/' && streq(text + n + 1, name);
}

static bool is_of_party(const struct image *image, const struct party *party,
			const struct image_endpoint *endpoint)
{
	if (!party->workload)
		return endpoint->identity == party->identity->identity;
	return endpoint->workload_index &&
	       &image->workloads[endpoint->workload_index - 1] == party->workload;
}

/* The class of the address of that family, as CIDRs are meant for networks. */
static uint32_t class_of_workload(const struct image *image, const struct party *party,
				  uint8_t family)
{
	for (size_t i = 0; i < image->n_endpoints; i++) {
		const struct image_endpoint *endpoint = &image->endpoints[i];

		if (!endpoint->gone && is_of_party(image, party, endpoint) &&
		    (!family || (family == 4) == is_v4(&endpoint->addr)))
			return endpoint->class_index;
	}
	return 0;
}

static int name_compare(const void *text, const void *workload)
{
	const struct image_workload *w = workload;
	size_t n = strcspn(text, "/");
	int order = strncmp(text, w->namespace, n);

	if (!order && w->namespace[n])
		order = -1;
	return order ? order : strcmp((const char *)text + n + 1, w->name);
}

/* Mostly they are in the order of names; when they are not, one may have to be looked for. */
static const struct image_workload *find_workload(const struct image *image, const char *text)
{
	const struct image_workload *found = NULL;

	if (image->n_workloads)
		found = bsearch(text, image->workloads, image->n_workloads,
				sizeof(*image->workloads), name_compare);
	for (size_t i = 0; i < image->n_workloads && !found; i++)
		if (is_named(text, image->workloads[i].namespace, image->workloads[i].name))
			found = &image->workloads[i];
	return found;
}

/* A workload that is judged here, or another one whose identity is known. */
static int party_by_name(const struct image *image, const char *text, uint8_t family,
			 struct party *ret)
{
	ret->workload = find_workload(image, text);
	if (ret->workload)
		ret->identity = find_identity(image, ret->workload->identity);
	for (size_t i = 0; i < image->n_identities && !ret->identity; i++)
		if (!image->identities[i].gone &&
		    is_named(text, image->identities[i].namespace, image->identities[i].workload))
			ret->identity = &image->identities[i];
	if (!ret->identity)
		return -ENOENT;
	ret->class_index = class_of_workload(image, ret, family);
	ret->revoked = party_is_revoked(image, ret->workload, ret->identity->identity);
	return 0;
}

int party_find(const struct image *image, const char *text, uint8_t family, struct party *ret)
{
	uint8_t entity = entity_by_name(text);

	*ret = (struct party){ 0 };
	if (entity)
		return party_by_entity(image, entity, ret);
	return strchr(text, '/') ? party_by_name(image, text, family, ret)
				 : party_by_address(image, text, ret);
}

const struct image_service *party_service(const struct image *image, const struct policy_flow *flow)
{
	struct cs_addr addr;

	if (image->n_services == 0 || address_parse(flow->to, &addr))
		return NULL;
	for (size_t i = 0; i < image->n_services; i++) {
		const struct image_service *service = &image->services[i];

		if (!service->gone && service->port == flow->port &&
		    service->protocol == flow->protocol &&
		    memcmp(&service->addr, &addr, sizeof(addr)) == 0)
			return service;
	}
	return NULL;
}

struct party party_of_backend(const struct image *image, const struct image_backend *backend)
{
	return (struct party){
		.identity = find_identity(image, backend->identity),
		.class_index = backend->class_index,
		.revoked = party_is_revoked(image, NULL, backend->identity),
		.by_service = true,
	};
}
