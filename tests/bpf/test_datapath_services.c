/* SPDX-License-Identifier: Apache-2.0 */
/* Services in the kernel's tables: made, changed without rewriting, removed, adopted. */
#include "tests/bpf/test_datapath.h"

#include <netinet/in.h>

enum { WEB = 1000, DB = 1001 };

TestSuite(datapath_services, .init = datapath_test_setup, .fini = datapath_test_teardown,
	  .timeout = 60);

/* Service 10.96.0.1:80/TCP with @n backends: WEB:8080, WEB:8081, ... */
static struct image *image_with_service(uint32_t n)
{
	struct image *image = test_image_of(WEB, DB);

	image->services = calloc(1, sizeof(*image->services));
	image->backends = calloc(n + 1, sizeof(*image->backends));
	cr_assert(image->services && image->backends);
	image->n_services = 1;
	image->n_backends = n;
	image->services[0] = (struct image_service){
		.addr = test_addr("10.96.0.1"),
		.port = 80,
		.protocol = IPPROTO_TCP,
		.n = n,
		.namespace = strdup("n"),
		.name = strdup("web"),
	};
	for (uint32_t i = 0; i < n; i++)
		image->backends[i] = (struct image_backend){ .identity = WEB, .port = 8080 + i };
	return image;
}

static int64_t slot_of(uint16_t port, uint8_t protocol)
{
	struct cs_service_key key = {
		.addr = test_addr("10.96.0.1"),
		.port = port,
		.protocol = protocol,
	};

	return datapath_test_slot("cs_services", &key);
}

Test(datapath_services, a_service_and_its_backends)
{
	struct image *image = image_with_service(2);
	const struct cs_service *service;
	int64_t slot;

	datapath_test_open();
	image->backends[1].class_index = test_image_class(image, "10.1.0.0", 16, 1);
	cr_expect_eq(dt.dp->control->services, 0);
	commit_image(image);
	cr_expect_eq(dt.dp->control->services, 1);
	slot = slot_of(80, IPPROTO_TCP);
	cr_assert_gt(slot, 0);
	cr_expect_eq(slot_of(80, IPPROTO_UDP), -ENOENT);
	cr_expect_eq(slot_of(81, IPPROTO_TCP), -ENOENT);
	service = &dt.dp->view.services[slot];
	cr_expect_eq(service->key.port, 80);
	cr_expect_eq(service->n, 2);
	cr_expect_eq(service->identity, WEB);
	cr_expect_eq(service->backend[1].port, 8081);
	cr_expect_eq(service->backend[0].class_, 0);
	cr_expect_gt(service->backend[1].class_, 0);
}

Test(datapath_services, different_backends_have_no_identity_in_common)
{
	struct image *image = image_with_service(2);

	datapath_test_open();
	image->backends[1].identity = DB;
	commit_image(image);
	cr_expect_eq(dt.dp->view.services[slot_of(80, IPPROTO_TCP)].identity, 0);
}

Test(datapath_services, what_changes_gets_another_slot)
{
	int64_t first, second;

	datapath_test_open();
	commit_image(image_with_service(1));
	first = slot_of(80, IPPROTO_TCP);
	commit_image(image_with_service(1));
	cr_expect_eq(slot_of(80, IPPROTO_TCP), first, "the same Service stays");
	commit_image(image_with_service(2));
	second = slot_of(80, IPPROTO_TCP);
	cr_expect_neq(second, first);
	cr_expect_eq(dt.dp->view.services[first].n, 1, "programs may still read it");
	cr_expect_eq(dt.dp->view.services[second].n, 2);
}

/* ---- changes without a commit ---- */

/* What service 0 was, noted as whoever changes it does. */
static struct image_delta begin_change(const struct image *image)
{
	struct image_delta delta = {
		.n_identities = image->n_identities,
		.n_endpoints = image->n_endpoints,
		.n_bitmaps = image->n_bitmaps,
		.n_names = image->n_names,
		.n_services = image->n_services,
		.n_backends = image->n_backends,
		.restricts = true,
	};

	cr_assert_eq(image_delta_service(&delta, image, 0), 0);
	return delta;
}

static struct datapath_update update(const struct image *image, struct image_delta *delta)
{
	struct datapath_update done = { 0 };

	cr_assert_eq(datapath_update(dt.dp, image, delta, &done), 0, "%s", datapath_error(dt.dp));
	image_delta_done(delta);
	return done;
}

Test(datapath_services, a_service_changes_and_goes_while_policy_stays)
{
	struct image *image = image_with_service(2);
	struct datapath_update done;
	struct image_delta delta;
	uint32_t epoch, stamp;
	int64_t first, second;

	datapath_test_open();
	image->backends[1].class_index = test_image_class(image, "10.1.0.0", 16, 1);
	cr_assert_eq(datapath_commit(dt.dp, image), 0, "%s", datapath_error(dt.dp));
	first = slot_of(80, IPPROTO_TCP);
	epoch = dt.dp->control->epoch;
	stamp = dt.dp->control->stamp;
	delta = begin_change(image);
	image->services[0].first = 1;
	image->services[0].n = 1;
	done = update(image, &delta);
	second = slot_of(80, IPPROTO_TCP);
	cr_expect_eq(done.service_writes, 1);
	cr_expect_neq(second, first);
	cr_expect_eq(dt.dp->view.services[first].n, 2, "programs may still read it");
	cr_expect_eq(dt.dp->view.services[second].n, 1);
	cr_expect_gt(dt.dp->view.services[second].backend[0].class_, 0);
	cr_expect_eq(dt.dp->control->epoch, epoch);
	cr_expect_neq(dt.dp->control->stamp, stamp);
	delta = begin_change(image);
	cr_expect_eq(update(image, &delta).service_writes, 0, "it is as it was");
	delta = begin_change(image);
	image->services[0].gone = true;
	cr_expect_eq(update(image, &delta).removals, 1);
	cr_expect_eq(slot_of(80, IPPROTO_TCP), -ENOENT);
	image_free(image);
}

Test(datapath_services, the_first_service_takes_a_commit)
{
	struct image *image = test_image_of(WEB, DB);
	struct image *with = image_with_service(1);
	struct datapath_update done;
	struct image_delta delta;

	datapath_test_open();
	cr_assert_eq(datapath_commit(dt.dp, image), 0, "%s", datapath_error(dt.dp));
	delta = begin_change(with);
	cr_expect_eq(datapath_update(dt.dp, with, &delta, &done), -ESTALE);
	cr_expect_eq(slot_of(80, IPPROTO_TCP), -ENOENT);
	image_delta_done(&delta);
	image_free(image);
	image_free(with);
}

Test(datapath_services, what_is_gone_is_removed)
{
	datapath_test_open();
	commit_image(image_with_service(1));
	commit_image(test_image_of(WEB, DB));
	cr_expect_eq(slot_of(80, IPPROTO_TCP), -ENOENT);
	cr_expect_eq(dt.dp->control->services, 0);
	cr_expect_eq(dt.dp->tables[TABLE_SERVICES].slots.bound, 0);
}

Test(datapath_services, a_restarted_agent_takes_them_over)
{
	int64_t slot;

	datapath_test_open();
	commit_image(image_with_service(3));
	slot = slot_of(80, IPPROTO_TCP);
	datapath_test_reopen();
	cr_expect_eq(dt.dp->tables[TABLE_SERVICES].slots.bound, 1);
	commit_image(image_with_service(3));
	cr_expect_eq(slot_of(80, IPPROTO_TCP), slot);
}

Test(datapath_services, as_many_backends_as_fit)
{
	datapath_test_open();
	commit_image(image_with_service(CS_BACKENDS_MAX));
	cr_expect_eq(dt.dp->view.services[slot_of(80, IPPROTO_TCP)].n, CS_BACKENDS_MAX);
	cr_expect_eq(refuse_image(image_with_service(CS_BACKENDS_MAX + 1)), -ENOSPC);
	cr_expect(strstr(datapath_error(dt.dp), "CS_BACKENDS_MAX"), "%s", datapath_error(dt.dp));
	cr_expect(strstr(datapath_error(dt.dp), "n/web"), "%s", datapath_error(dt.dp));
}

Test(datapath_services, backends_that_are_not_there_are_refused)
{
	struct image *image = image_with_service(2);

	datapath_test_open();
	image->services[0].first = 1;
	cr_expect_eq(refuse_image(image), -EINVAL);
	image = image_with_service(2);
	image->backends[0].class_index = 1;
	cr_expect_eq(refuse_image(image), -EINVAL);
}

Test(datapath_services, a_refused_commit_leaves_no_service)
{
	struct image *image = image_with_service(1);

	datapath_test_open();
	commit_image(test_image_of(WEB, DB));
	image->n_services = 2;
	image->services = reallocarray(image->services, 2, sizeof(*image->services));
	image->services[1] = image->services[0];
	image->services[1].namespace = strdup("n");
	image->services[1].name = strdup("twin");
	cr_expect_eq(refuse_image(image), -EINVAL);
	cr_expect(strstr(datapath_error(dt.dp), "n/twin"), "%s", datapath_error(dt.dp));
	cr_expect_eq(slot_of(80, IPPROTO_TCP), -ENOENT);
}
