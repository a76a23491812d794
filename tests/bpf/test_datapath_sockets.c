/* SPDX-License-Identifier: Apache-2.0 */
/* Live sockets: sweeping, adopting, destroying, and what the programs report of them. */
#include "tests/bpf/test_datapath.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "user/datapath/sockdiag.h"

static int home, lab; /* network namespaces: where the test came from, where it is */

static void setup(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	datapath_test_setup();
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	lab = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	datapath_test_cgroup("client");
	datapath_test_cgroup("server");
}

TestSuite(datapath_sockets, .init = setup, .fini = datapath_test_teardown, .timeout = 60);

/* ---- connections over loopback ---- */

struct connection {
	int listener, client, server;
};

static struct sockaddr_in6 address_of(int fd)
{
	struct sockaddr_in6 address;
	socklen_t length = sizeof(address);

	cr_assert_eq(getsockname(fd, (void *)&address, &length), 0);
	return address;
}

/* Sockets belong to the cgroup that makes them: one process can be both workloads. */
static int listen_in(const char *cgroup, int family)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct sockaddr_in any4 = { .sin_family = AF_INET };
	const struct sockaddr *address = family == AF_INET ? (void *)&any4 : (void *)&any;
	int fd;

	datapath_test_enter(cgroup);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, address, family == AF_INET ? sizeof(any4) : sizeof(any)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

static int connect_from(const char *cgroup, int family, int listener)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	int fd, r;

	to.sin6_port = to4.sin_port = address_of(listener).sin6_port;
	to4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	datapath_test_enter(cgroup);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = family == AF_INET ? connect(fd, (void *)&to4, sizeof(to4))
			      : connect(fd, (void *)&to, sizeof(to));
	if (r == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* @from, @to: families of the client and of the listener. */
static struct connection make_connection(int from, int to)
{
	struct connection c = { .listener = listen_in("server", to) };

	c.client = connect_from("client", from, c.listener);
	cr_assert_geq(c.client, 0, "connect: %s", strerror(-c.client));
	c.server = accept4(c.listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(c.server, 0);
	return c;
}

/* What a read says: bytes, 0 at the end, -EAGAIN when there is nothing. */
static int look(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	poll(&p, 1, 1000);
	return ret_errno(recv(fd, &byte, 1, MSG_DONTWAIT));
}

static void expect_alive(const struct connection *c)
{
	cr_assert_eq(send(c->client, "x", 1, MSG_NOSIGNAL), 1);
	cr_expect_eq(look(c->server), 1);
}

static void close_connection(const struct connection *c)
{
	close(c->client);
	close(c->server);
	close(c->listener);
}

/* ---- policies ---- */

static struct image *policy(uint32_t client, uint32_t server)
{
	struct image *image = test_image();

	test_image_workload(image, "client", 1000, client);
	test_image_workload(image, "server", 1001, server);
	test_image_identity(image, 1000, 1);
	test_image_identity(image, 1001, 1);
	return image;
}

static void open_with(uint32_t client, uint32_t server)
{
	datapath_test_open();
	commit_image(policy(client, server));
	cr_assert_eq(datapath_set_cgroup(dt.dp, 0, datapath_test_cgroup("client")), 0);
	cr_assert_eq(datapath_set_cgroup(dt.dp, 1, datapath_test_cgroup("server")), 0);
}

static unsigned int sweep(int netns)
{
	unsigned int cut = 0;
	int r = datapath_sweep(dt.dp, netns, &cut);

	cr_assert_eq(r, 0, "sweep: %d %s", r, datapath_error(dt.dp));
	return cut;
}

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino;
}

/* ---- sweeping ---- */

static const int family_pairs[][2] = {
	{ AF_INET, AF_INET },
	{ AF_INET6, AF_INET6 },
	{ AF_INET, AF_INET6 }, /* the server's addresses are mapped ones */
};

Test(datapath_sockets, sweep_cuts_what_is_denied_now)
{
	open_with(ALLOW, ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(family_pairs); i++) {
		struct connection c = make_connection(family_pairs[i][0], family_pairs[i][1]);

		expect_alive(&c);
		cr_expect_eq(sweep(lab), 0, "what is allowed stays");
		expect_alive(&c);
		commit_image(policy(ALLOW, DENY));
		cr_expect_eq(sweep(lab), 1, "the server's socket, families %zu", i);
		cr_expect_eq(look(c.server), -ECONNABORTED);
		commit_image(policy(DENY, DENY));
		sweep(lab);
		cr_expect_lt(look(c.client), 0, "the client's application learns it too");
		cr_expect_neq(look(c.client), -EAGAIN);
		commit_image(policy(ALLOW, ALLOW));
		close_connection(&c);
	}
}

Test(datapath_sockets, sweep_stays_within_its_namespace)
{
	struct connection c;

	open_with(ALLOW, ALLOW);
	c = make_connection(AF_INET, AF_INET);
	expect_alive(&c);
	commit_image(policy(DENY, DENY));
	cr_expect_eq(sweep(home), 0, "these sockets are not in that one");
	cr_expect(same_file(lab, "/proc/thread-self/ns/net"), "the caller never leaves its own");
	cr_expect_geq(sweep(lab), 1); /* the first one's reset may end the second one */
	cr_expect(look(c.client) < 0 && look(c.server) < 0);
	close_connection(&c);
}

Test(datapath_sockets, sweep_of_no_namespace)
{
	unsigned int cut = 3;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	open_with(ALLOW, ALLOW);
	cr_expect_eq(datapath_sweep(dt.dp, fd, &cut), -EINVAL);
	cr_expect_not_null(strstr(datapath_error(dt.dp), "namespace"), "%s", datapath_error(dt.dp));
	cr_expect_eq(cut, 3);
	close(fd);
}

Test(datapath_sockets, sweep_of_many)
{
	enum { MANY = 600 }; /* more than one read of the iterator gives */
	struct connection c = { 0 };
	int clients[MANY], servers[MANY];

	open_with(ALLOW, ALLOW);
	c.listener = listen_in("server", AF_INET);
	for (int i = 0; i < MANY; i++) {
		clients[i] = connect_from("client", AF_INET, c.listener);
		cr_assert_geq(clients[i], 0);
		servers[i] = accept4(c.listener, NULL, NULL, SOCK_CLOEXEC);
		cr_assert_geq(servers[i], 0);
	}
	commit_image(policy(DENY, ALLOW));
	cr_expect_eq(sweep(lab), MANY);
	for (int i = 0; i < MANY; i++) {
		close(clients[i]);
		close(servers[i]);
	}
	close(c.listener);
}

/* ---- destroying ---- */

static struct cs_doomed doomed_of(int fd)
{
	struct sockaddr_in6 ends[2];
	struct cs_doomed d = { 0 };
	socklen_t length = sizeof(ends[1]);

	ends[0] = address_of(fd);
	cr_assert_eq(getpeername(fd, (void *)&ends[1], &length), 0);
	length = sizeof(d.cookie);
	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &d.cookie, &length), 0);
	d.family = ends[0].sin6_family;
	d.local_port = ntohs(ends[0].sin6_port);
	d.remote_port = ntohs(ends[1].sin6_port);
	for (int i = 0; i < 2; i++) {
		struct cs_addr *to = i ? &d.remote : &d.local;

		if (d.family == AF_INET6) {
			memcpy(to, &ends[i].sin6_addr, sizeof(*to));
			continue;
		}
		*to = test_addr("0.0.0.0");
		to->word[3] = ((struct sockaddr_in *)&ends[i])->sin_addr.s_addr;
	}
	return d;
}

Test(datapath_sockets, destroy_by_cookie)
{
	int fd = sockdiag_open();

	cr_assert_geq(fd, 0);
	for (size_t i = 0; i < ARRAY_SIZE(family_pairs); i++) {
		struct connection c = make_connection(family_pairs[i][0], family_pairs[i][1]);
		struct cs_doomed doomed = doomed_of(c.server), other = doomed;

		other.cookie++;
		cr_expect_eq(sockdiag_destroy(fd, &other, 1), -ENOENT, "another cookie");
		expect_alive(&c);
		cr_expect_eq(sockdiag_destroy(fd, &doomed, 2), 0);
		cr_expect_eq(look(c.server), -ECONNABORTED);
		cr_expect_eq(sockdiag_destroy(fd, &doomed, 3), -ENOENT, "it is gone");
		close_connection(&c);
	}
	close(fd);
}

Test(datapath_sockets, destroy_of_an_odd_family)
{
	struct cs_doomed doomed = { .family = AF_UNIX };
	int fd = sockdiag_open();

	cr_expect_eq(sockdiag_destroy(fd, &doomed, 1), -EAFNOSUPPORT);
	close(fd);
}

/* ---- adopting ---- */

Test(datapath_sockets, listeners_older_than_the_programs)
{
	int listener = listen_in("server", AF_INET), other = listen_in("", AF_INET);
	struct datapath_status s;
	unsigned int not_adopted = 5;

	open_with(ALLOW, ALLOW);
	cr_assert_eq(datapath_adopt(dt.dp, lab, &not_adopted), 0, "%s", datapath_error(dt.dp));
	cr_assert_eq(datapath_status(dt.dp, &s), 0);
	cr_expect_eq(s.stats[CS_STAT_ADOPTED] + not_adopted - 5, 1, "the workload's one only");
	cr_assert_eq(datapath_adopt(dt.dp, lab, &not_adopted), 0);
	cr_assert_eq(datapath_status(dt.dp, &s), 0);
	cr_expect_eq(s.stats[CS_STAT_ADOPTED] + not_adopted - 5, 1, "and only once");
	close(listener);
	close(other);
}

/* ---- what the programs report ---- */

struct seen {
	unsigned int events;
	struct cs_event last_denied;
};

static void see(const struct cs_event *event, void *arg)
{
	struct seen *seen = arg;

	seen->events++;
	if (event->verdict == CS_VERDICT_DENY)
		seen->last_denied = *event;
}

static uint64_t denied_at(const struct datapath_status *s, enum cs_direction direction)
{
	uint64_t n = 0;

	for (int reason = 0; reason < CS_REASON_MAX; reason++)
		n += s->counters[CS_COUNTER(CS_VERDICT_DENY, reason, direction)];
	return n;
}

Test(datapath_sockets, events_and_counters)
{
	struct datapath_status before, after;
	struct seen seen = { 0 };
	int listener, r;

	open_with(DENY, ALLOW);
	cr_assert_geq(datapath_event_fd(dt.dp), 0);
	cr_assert_eq(datapath_status(dt.dp, &before), 0);
	listener = listen_in("server", AF_INET);
	r = connect_from("client", AF_INET, listener);
	cr_expect_eq(r, -EPERM, "reject mode: %d", r);
	cr_expect_geq(datapath_consume(dt.dp, see, &seen), 1);
	cr_expect_geq(seen.events, 1);
	cr_expect_eq(seen.last_denied.direction, CS_EGRESS);
	cr_expect_eq(seen.last_denied.identity, 1000);
	cr_expect_eq(seen.last_denied.epoch, 1);
	cr_expect_eq(seen.last_denied.cgroup_id, datapath_test_cgroup("client"));
	cr_assert_eq(datapath_status(dt.dp, &after), 0);
	cr_expect_gt(denied_at(&after, CS_EGRESS), denied_at(&before, CS_EGRESS));
	cr_expect_eq(datapath_consume(dt.dp, see, &seen), 0, "each event once");
	close(listener);
}

Test(datapath_sockets, rule_hits)
{
	struct image *image = policy(ALLOW, ALLOW);
	uint64_t hits[8] = { 0 }, *all = calloc(CS_RULE_IDS_MAX, sizeof(*all));
	int listener, fd;

	image->rulesets[ALLOW].count = 1;
	image->rulesets[ALLOW].rules[0] = (struct cs_rule){
		.id = 5,
		.selector = CS_SELECTOR_ANY,
		.port_max = CS_PORT_MAX,
		.action = CS_ACTION_ALLOW,
	};
	datapath_test_open();
	commit_image(image);
	cr_assert_eq(datapath_set_cgroup(dt.dp, 0, datapath_test_cgroup("client")), 0);
	cr_assert_eq(datapath_set_cgroup(dt.dp, 1, datapath_test_cgroup("server")), 0);
	listener = listen_in("server", AF_INET);
	fd = connect_from("client", AF_INET, listener);
	cr_assert_geq(fd, 0);
	cr_assert_eq(datapath_rule_hits(dt.dp, hits, ARRAY_SIZE(hits)), 0);
	cr_expect_gt(hits[5], 0);
	cr_expect_eq(hits[4], 0);
	cr_expect_eq(hits[6], 0);
	cr_assert_eq(datapath_rule_hits(dt.dp, all, CS_RULE_IDS_MAX), 0, "%s",
		     datapath_error(dt.dp));
	cr_expect_geq(all[5], hits[5]);
	cr_expect_eq(all[CS_RULE_IDS_MAX - 1], 0);
	cr_expect_eq(datapath_rule_hits(dt.dp, all, CS_RULE_IDS_MAX + 1), -EINVAL);
	free(all);
	close(fd);
	close(listener);
}
