/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: for each address and port, who is behind it.
 *
 * A Service's port leads to the ports of that name and protocol in its EndpointSlices, and
 * there to the addresses that are ready, of the family of the Service's address. What
 * counts is what such an address stands for, so replicas of one identity are one backend.
 * When two Services have an address and port in common, all backends of both are behind
 * it: nobody knows which the packets reach, and all must be allowed.
 */
#include "user/policy/compile.h"

/* A Service's address and port, before those of one address and port are put together. */
struct front {
	struct cs_addr addr;
	const struct service *service;
	const struct service_port *port;
};

struct fronts {
	struct front *item;
	size_t n;
	size_t capacity;
};

struct backends {
	struct image_backend *item;
	size_t n;
	size_t capacity;
};

static int key_compare(const struct front *x, const struct front *y)
{
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	if (!order)
		order = (int)x->port->port - (int)y->port->port;
	return order ? order : (int)x->port->protocol - (int)y->port->protocol;
}

static int front_compare(const void *a, const void *b)
{
	const struct front *x = a, *y = b;
	int order = key_compare(x, y);

	if (!order)
		order = strcmp(x->service->namespace, y->service->namespace);
	if (!order)
		order = strcmp(x->service->name, y->service->name);
	return order ? order : strcmp(x->port->name, y->port->name);
}

static int backend_compare(const void *a, const void *b)
{
	const struct image_backend *x = a, *y = b;
	int order = (x->identity > y->identity) - (x->identity < y->identity);

	if (!order)
		order = (x->class_index > y->class_index) - (x->class_index < y->class_index);
	return order ? order : (int)x->port - (int)y->port;
}

static int add_fronts(struct compile *c, const struct service *service, struct fronts *fronts)
{
	static const struct limit limit = { "CS_SERVICES_MAX", CS_SERVICES_MAX - 1,
					    "addresses and ports of Services",
					    "leave out Services that no workload here uses" };

	for (size_t a = 0; a < service->n_addresses; a++) {
		for (size_t p = 0; p < service->n_ports; p++) {
			if (fronts->n == limit.max)
				return compile_limit(c, &limit, &service->place);
			if (!GROW(c, fronts))
				return -ENOMEM;
			fronts->item[fronts->n++] = (struct front){ service->addresses[a], service,
								    &service->ports[p] };
		}
	}
	return 0;
}

/* What an address stands for, as the kernel infers it. */
static uint64_t identity_at(const struct compile *c, const struct cs_addr *addr)
{
	const struct image_endpoint *endpoint;
	uint32_t i;

	if (!keymap_get(&c->by_address, addr, sizeof(*addr), &i))
		return compile_is_host(c, addr) ? CS_ENTITY_HOST : CS_ENTITY_WORLD;
	endpoint = &c->image->endpoints[i];
	return endpoint->flags & CS_ENDPOINT_SHARED ? 0 : endpoint->identity;
}

static int add_backend(struct compile *c, const struct front *front,
		       const struct image_backend *backend, struct backends *ret)
{
	static const struct limit limit = {
		"CS_BACKENDS_MAX", CS_BACKENDS_MAX, "different backends of one Service port",
		"let its workloads have the same labels and service "
		"account, and allow them by those rather than by CIDRs"
	};

	for (size_t i = 0; i < ret->n; i++)
		if (backend_compare(&ret->item[i], backend) == 0)
			return 0;
	if (ret->n == limit.max)
		return compile_limit(c, &limit, &front->service->place);
	if (!GROW(c, ret))
		return -ENOMEM;
	ret->item[ret->n++] = *backend;
	return 0;
}

static bool same_family(const struct cs_addr *a, const struct cs_addr *b)
{
	struct cs_cidr x = cidr_of(a->word, ADDRESS_BITS), y = cidr_of(b->word, ADDRESS_BITS);

	return cidr_is_v4(&x) == cidr_is_v4(&y);
}

static int add_addresses(struct compile *c, const struct front *front,
			 const struct backend *backend, uint16_t port, struct backends *ret)
{
	int r = 0;

	for (size_t i = 0; i < backend->n_addresses && r == 0; i++) {
		const struct cs_addr *addr = &backend->addresses[i];
		const struct image_backend found = {
			.identity = identity_at(c, addr),
			.class_index = compile_class_of(c, addr),
			.port = port,
		};

		if (same_family(addr, &front->addr))
			r = add_backend(c, front, &found, ret);
	}
	return r;
}

static int add_slice(struct compile *c, const struct front *front,
		     const struct endpoint_slice *slice, struct backends *ret)
{
	int r = 0;

	for (size_t p = 0; p < slice->n_ports; p++) {
		const struct service_port *port = &slice->ports[p];

		if (port->protocol != front->port->protocol ||
		    !streq(port->name, front->port->name))
			continue;
		for (size_t b = 0; b < slice->n_backends && r == 0; b++)
			if (slice->backends[b].ready)
				r = add_addresses(c, front, &slice->backends[b], port->port, ret);
	}
	return r;
}

static int compare_slice(const struct endpoint_slice *slice, const struct service *service)
{
	int order = strcmp(slice->namespace, service->namespace);

	return order ? order : strcmp(slice->service, service->name);
}

/* compile_order() put the slices of a Service side by side. */
static size_t first_slice(const struct compile *c, const struct service *service)
{
	size_t low = 0, high = c->set->slices.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_slice(c->set->slices.item[middle], service) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_slices(struct compile *c, const struct front *front, struct backends *ret)
{
	int r = 0;

	for (size_t i = first_slice(c, front->service); i < c->set->slices.n && r == 0; i++) {
		if (compare_slice(c->set->slices.item[i], front->service) != 0)
			return 0;
		r = add_slice(c, front, c->set->slices.item[i], ret);
	}
	return r;
}

/* Puts the fronts [@first, @end), of one address and port, into the image. */
static int add_service(struct compile *c, const struct front *first, size_t n, struct backends *all)
{
	struct image_service *service = &c->image->services[c->image->n_services++];
	struct backends backends = { 0 };
	int r = 0;

	*service = (struct image_service){
		.addr = first->addr,
		.port = first->port->port,
		.protocol = first->port->protocol,
		.first = (uint32_t)all->n,
		.namespace = strdup(first->service->namespace),
		.name = strdup(first->service->name),
	};
	if (!service->namespace || !service->name)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_slices(c, &first[i], &backends);
	if (r < 0 || backends.n == 0)
		return r;
	qsort(backends.item, backends.n, sizeof(*backends.item), backend_compare);
	service->n = (uint32_t)backends.n;
	for (size_t i = 0; i < backends.n; i++) {
		if (!GROW(c, all))
			return -ENOMEM;
		all->item[all->n++] = backends.item[i];
	}
	return 0;
}

static int add_services(struct compile *c, const struct fronts *fronts, struct backends *all)
{
	size_t end;
	int r = 0;

	for (size_t i = 0; i < fronts->n && r == 0; i = end) {
		end = i + 1;
		while (end < fronts->n && key_compare(&fronts->item[i], &fronts->item[end]) == 0)
			end++;
		r = add_service(c, &fronts->item[i], end - i, all);
	}
	return r;
}

int compile_services(struct compile *c)
{
	struct image *image = c->image;
	struct fronts fronts = { 0 };
	struct backends all = { 0 };
	int r = 0;

	for (size_t i = 0; i < c->set->services.n && r == 0; i++)
		r = add_fronts(c, c->set->services.item[i], &fronts);
	if (r < 0)
		return r;
	if (fronts.n)
		qsort(fronts.item, fronts.n, sizeof(*fronts.item), front_compare);
	image->services = calloc(fronts.n + 1, sizeof(*image->services));
	if (!image->services)
		return -ENOMEM;
	r = add_services(c, &fronts, &all);
	if (r < 0)
		return r;
	image->backends = calloc(all.n + 1, sizeof(*image->backends));
	if (!image->backends)
		return -ENOMEM;
	if (all.n)
		memcpy(image->backends, all.item, all.n * sizeof(*all.item));
	image->n_backends = all.n;
	return 0;
}
