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

#define GARBAGE_MIN 16384 /* backends of the past that are not worth a compile */

struct backends {
	struct image_backend item[CS_BACKENDS_MAX];
	size_t n;
};

/* One Service's port at a front. */
struct behind {
	const struct service *service;
	const struct service_port *port;
	const struct front *front;
};

static int backend_compare(const void *a, const void *b)
{
	const struct image_backend *x = a, *y = b;
	int order = (x->identity > y->identity) - (x->identity < y->identity);

	if (!order)
		order = (x->class_index > y->class_index) - (x->class_index < y->class_index);
	return order ? order : (int)x->port - (int)y->port;
}

/* What an address stands for, as the kernel infers it. */
static uint64_t identity_at(const struct compile *c, const struct cs_addr *addr)
{
	const struct image_endpoint *endpoint;
	uint32_t i;

	if (!compile_find_endpoint(c, addr, &i) || c->image->endpoints[i].gone)
		return compile_is_host(c, addr) ? CS_ENTITY_HOST : CS_ENTITY_WORLD;
	endpoint = &c->image->endpoints[i];
	return endpoint->flags & CS_ENDPOINT_SHARED ? 0 : endpoint->identity;
}

/* ---- who is behind a front ---- */

static int add_backend(struct compile *c, const struct behind *behind,
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
		return compile_limit(c, &limit, &behind->service->place);
	ret->item[ret->n++] = *backend;
	return 0;
}

static bool same_family(const struct cs_addr *a, const struct cs_addr *b)
{
	struct cs_cidr x = cidr_of(a->word, ADDRESS_BITS), y = cidr_of(b->word, ADDRESS_BITS);

	return cidr_is_v4(&x) == cidr_is_v4(&y);
}

static int add_addresses(struct compile *c, const struct behind *behind,
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

		if (same_family(addr, &behind->front->addr))
			r = add_backend(c, behind, &found, ret);
	}
	return r;
}

static int add_slice(struct compile *c, const struct behind *behind,
		     const struct endpoint_slice *slice, struct backends *ret)
{
	int r = 0;

	for (size_t p = 0; p < slice->n_ports; p++) {
		const struct service_port *port = &slice->ports[p];

		if (port->protocol != behind->port->protocol ||
		    !streq(port->name, behind->port->name))
			continue;
		for (size_t b = 0; b < slice->n_backends && r == 0; b++)
			if (slice->backends[b].ready)
				r = add_addresses(c, behind, &slice->backends[b], port->port, ret);
	}
	return r;
}

static int add_slices(struct compile *c, const struct behind *behind, struct backends *ret)
{
	const struct service *service = behind->service;
	uint32_t hash = hashindex_hash_texts(service->namespace, service->name), i;
	size_t position = 0;
	int r = 0;

	while (r == 0 && hashindex_next(&c->objects->slice_by_service, hash, &position, &i)) {
		const struct endpoint_slice *slice = c->objects->slices.item[i];

		if (streq(slice->namespace, service->namespace) &&
		    streq(slice->service, service->name))
			r = add_slice(c, behind, slice, ret);
	}
	return r;
}

static bool is_before(const struct service *a, const struct service *b)
{
	int order = strcmp(a->namespace, b->namespace);

	return (order ? order : strcmp(a->name, b->name)) < 0;
}

/* The ports of @service that are at @front: its name as that of @first, if it comes first. */
static int add_service(struct compile *c, const struct front *front, const struct service *service,
		       const struct service **first, struct backends *ret)
{
	int r = 0;

	for (size_t a = 0; a < service->n_addresses; a++) {
		for (size_t p = 0; p < service->n_ports && r == 0; p++) {
			const struct front at = front_of(service, a, p);
			const struct behind behind = { service, &service->ports[p], front };

			if (memcmp(&at, front, sizeof(at)) != 0)
				continue;
			if (!*first || is_before(service, *first))
				*first = service;
			r = add_slices(c, &behind, ret);
		}
	}
	return r;
}

/* Whoever is behind @front; *@ret_first is the Service that it is named by, NULL: none. */
static int find_backends(struct compile *c, const struct front *front,
			 const struct service **ret_first, struct backends *ret)
{
	size_t position = 0;
	uint32_t i;
	int r = 0;

	*ret_first = NULL;
	ret->n = 0;
	while (r == 0 &&
	       hashindex_next(&c->objects->service_by_front, front_hash(front), &position, &i))
		r = add_service(c, front, c->objects->services.item[i], ret_first, ret);
	if (ret->n)
		qsort(ret->item, ret->n, sizeof(*ret->item), backend_compare);
	return r;
}

/* ---- the image's Services ---- */

static struct front front_of_image(const struct image_service *service)
{
	return (struct front){ service->addr, service->port, service->protocol, { 0 } };
}

static bool find_image_service(const struct compile *c, const struct front *front, uint32_t *ret)
{
	size_t position = 0;

	while (hashindex_next(&c->objects->front, front_hash(front), &position, ret)) {
		const struct front at = front_of_image(&c->image->services[*ret]);

		if (memcmp(&at, front, sizeof(at)) == 0)
			return true;
	}
	return false;
}

static int take_service(struct compile *c, const struct service *by, uint32_t *ret)
{
	static const struct limit limit = { "CS_SERVICES_MAX", CS_SERVICES_MAX - 1,
					    "addresses and ports of Services",
					    "leave out Services that no workload here uses" };
	uint32_t *free = c->free_services.item;

	if (c->n_free_services_ready) {
		*ret = free[--c->n_free_services_ready];
		free[c->n_free_services_ready] = free[--c->free_services.n];
		return 0;
	}
	if (c->image->n_services >= MIN(c->services_room, (size_t)limit.max))
		return compile_limit(c, &limit, &by->place);
	*ret = (uint32_t)c->image->n_services++;
	c->image->services[*ret] = (struct image_service){ .gone = true };
	return 0;
}

static bool is_named(const struct image_service *service, const struct service *by)
{
	return service->name && streq(service->name, by->name) &&
	       streq(service->namespace, by->namespace);
}

static int name_service(struct compile *c, const struct service *by, struct image_service *ret)
{
	if (is_named(ret, by))
		return 0;
	ret->namespace = arena_strdup(&c->store->arena, by->namespace);
	ret->name = arena_strdup(&c->store->arena, by->name);
	return ret->namespace && ret->name ? 0 : -ENOMEM;
}

/* Backends behind those that there are; the old ones stay readable where they are. */
static int put_backends(struct compile *c, const struct backends *backends,
			struct image_service *ret)
{
	struct image *image = c->image;
	size_t room = MAX(2 * c->backends_room, (size_t)CS_BACKENDS_MAX);
	void *more;

	ret->n = (uint32_t)backends->n;
	if (image->n_backends + backends->n > c->backends_room) {
		more = reallocarray(image->backends, room, sizeof(*image->backends));
		if (!more)
			return -ENOMEM;
		image->backends = more;
		c->backends_room = room;
	}
	ret->first = (uint32_t)image->n_backends;
	if (backends->n)
		memcpy(image->backends + image->n_backends, backends->item,
		       backends->n * sizeof(*backends->item));
	image->n_backends += backends->n;
	return 0;
}

static bool has_backends(const struct image *image, const struct image_service *service,
			 const struct backends *backends)
{
	return service->n == backends->n &&
	       (!service->n || memcmp(image->backends + service->first, backends->item,
				      backends->n * sizeof(*backends->item)) == 0);
}

static int set_service(struct compile *c, uint32_t i, const struct service *by,
		       const struct backends *backends, struct image_delta *delta)
{
	struct image_service *service = &c->image->services[i];
	bool same = !service->gone && has_backends(c->image, service, backends);
	int r = 0;

	if (same && is_named(service, by))
		return 0;
	if (delta)
		r = image_delta_service(delta, c->image, i);
	if (r == 0)
		r = name_service(c, by, service);
	if (r == 0 && !same)
		r = put_backends(c, backends, service);
	service->gone = false;
	if (delta && !same)
		delta->restricts = true; /* who was not behind the Service may not be allowed */
	return r;
}

static int remove_service(struct compile *c, uint32_t i, struct image_delta *delta)
{
	struct image_service *service = &c->image->services[i];
	const struct front front = front_of_image(service);
	int r = delta ? image_delta_service(delta, c->image, i) : 0;

	if (r < 0 || !GROW(c, &c->free_services))
		return -ENOMEM;
	hashindex_remove(&c->objects->front, front_hash(&front), i);
	c->free_services.item[c->free_services.n++] = i;
	service->gone = true;
	if (delta)
		delta->restricts = true;
	return 0;
}

int compile_service_at(struct compile *c, const struct front *front, struct image_delta *delta)
{
	struct backends backends;
	const struct service *first;
	bool known;
	uint32_t i;
	int r = find_backends(c, front, &first, &backends);

	if (r < 0)
		return r;
	known = find_image_service(c, front, &i);
	if (!first)
		return known ? remove_service(c, i, delta) : 0;
	if (!known) {
		r = take_service(c, first, &i);
		if (r == 0)
			r = hashindex_add(&c->objects->front, front_hash(front), i);
		if (r < 0)
			return r;
		c->image->services[i].addr = front->addr;
		c->image->services[i].port = front->port;
		c->image->services[i].protocol = front->protocol;
	}
	return set_service(c, i, first, &backends, delta);
}

int compile_tidy_backends(struct compile *c)
{
	struct image *image = c->image;
	size_t n = 0;
	struct image_backend *tidy;

	if (image->n_backends <= c->backends_most)
		return 0;
	for (size_t i = 0; i < image->n_services; i++)
		n += image->services[i].gone ? 0 : image->services[i].n;
	tidy = calloc(n + CS_BACKENDS_MAX, sizeof(*tidy));
	if (!tidy)
		return -ENOMEM;
	c->backends_room = n + CS_BACKENDS_MAX;
	n = 0;
	for (size_t i = 0; i < image->n_services; i++) {
		struct image_service *service = &image->services[i];

		if (service->gone)
			service->n = 0;
		if (service->n)
			memcpy(tidy + n, image->backends + service->first,
			       service->n * sizeof(*tidy));
		service->first = (uint32_t)n;
		n += service->n;
	}
	free(image->backends);
	image->backends = tidy;
	image->n_backends = n;
	c->backends_most = 2 * n + GARBAGE_MIN;
	return 0;
}

/* ---- what a change touches ---- */

int compile_touch_service(struct compile *c, const struct service *service,
			  struct image_delta *delta)
{
	int r = 0;

	for (size_t a = 0; a < service->n_addresses; a++) {
		for (size_t p = 0; p < service->n_ports && r == 0; p++) {
			const struct front front = front_of(service, a, p);

			r = compile_service_at(c, &front, delta);
		}
	}
	return r;
}

int compile_touch_slice(struct compile *c, const struct endpoint_slice *slice,
			struct image_delta *delta)
{
	uint32_t hash = hashindex_hash_texts(slice->namespace, slice->service), i;
	size_t position = 0;
	int r = 0;

	while (r == 0 && hashindex_next(&c->objects->service_by_name, hash, &position, &i)) {
		const struct service *service = c->objects->services.item[i];

		if (c->objects->services.mark[i] == c->update ||
		    !streq(slice->namespace, service->namespace) ||
		    !streq(slice->service, service->name))
			continue;
		c->objects->services.mark[i] = c->update;
		r = compile_touch_service(c, service, delta);
	}
	return r;
}

int compile_touch_backend(struct compile *c, const struct cs_addr *addr, struct image_delta *delta)
{
	uint32_t hash = hashindex_hash(addr, sizeof(*addr)), i;
	size_t position = 0;
	int r = 0;

	while (r == 0 && hashindex_next(&c->objects->slice_by_address, hash, &position, &i))
		r = compile_touch_slice(c, c->objects->slices.item[i], delta);
	return r;
}

/* ---- all of them ---- */

static int alloc_services(struct compile *c)
{
	size_t fronts = 1;

	for (size_t i = 0; i < c->set->services.n; i++)
		fronts += c->set->services.item[i]->n_addresses * c->set->services.item[i]->n_ports;
	c->services_room = c->kept ? CS_SERVICES_MAX : MIN(fronts, (size_t)CS_SERVICES_MAX);
	c->image->services = calloc(c->services_room, sizeof(*c->image->services));
	return c->image->services ? 0 : -ENOMEM;
}

/* Those of the image before; what their backends are in may be other classes by now. */
static int adopt_services(struct compile *c)
{
	const struct image *from = c->from->image;
	struct image *image = c->image;
	int r = 0;

	memcpy(image->services, from->services, from->n_services * sizeof(*image->services));
	image->n_services = from->n_services;
	if (!ADOPT(c, free_services))
		return -ENOMEM;
	for (size_t i = 0; i < image->n_services && r == 0; i++) {
		struct image_service *service = &image->services[i];
		const struct front front = front_of_image(service);
		struct backends backends = { .n = service->n };

		if (service->gone)
			continue;
		if (!c->same_prefixes) {
			service->n = CS_BACKENDS_MAX + 1; /* as none has: they are found anew */
			r = compile_service_at(c, &front, NULL);
			continue;
		}
		if (service->n)
			memcpy(backends.item, from->backends + service->first,
			       service->n * sizeof(*backends.item));
		r = put_backends(c, &backends, service);
	}
	return r;
}

int compile_services(struct compile *c)
{
	int r = alloc_services(c);

	if (r == 0 && c->from)
		r = adopt_services(c);
	for (size_t i = 0; i < c->set->services.n && r == 0 && !c->from; i++)
		r = compile_touch_service(c, c->set->services.item[i], NULL);
	c->backends_most = 2 * c->image->n_backends + GARBAGE_MIN;
	return r;
}
