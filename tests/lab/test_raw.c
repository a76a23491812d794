/* SPDX-License-Identifier: Apache-2.0 */
/* What has no ports, and what a workload writes by hand: raw sockets inside the guard. */
#include "tests/lab/test_common.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#define PROTOCOL 200 /* nobody's */
#define ANSWER_MS 700

static struct world w;

static void setup(void)
{
	world_new(&w, "raw");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(raw, .init = setup, .fini = teardown, .timeout = 60);

/* One packet of a protocol to payments; what came back, in the exit code. */
struct probe {
	int protocol;
	const void *bytes;
	size_t length;
};

enum outcome { ANSWERED = 10, SILENT = 11, REFUSED = 12 };

static int send_probe(void *arg)
{
	struct probe *probe = arg;
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_RAW, probe->protocol);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	inet_pton(AF_INET, SERVER4, &to.sin_addr);
	if (sendto(fd, probe->bytes, probe->length, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return REFUSED;
	return poll(&p, 1, ANSWER_MS) > 0 ? ANSWERED : SILENT;
}

static int probe(struct lab_place from, int protocol, const void *bytes, size_t length)
{
	struct probe arg = { protocol, bytes, length };
	struct lab_spawn spec = { .place = from, .fn = send_probe, .arg = &arg };

	return lab_wait(lab_spawn(w.lab, &spec), LAB_WAIT_MS);
}

/* Receives one packet of PROTOCOL; says {} first. */
static int receive_probe(void *arg)
{
	int fd = socket(AF_INET, SOCK_RAW, PROTOCOL);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	(void)arg;
	printf("{}\n");
	fflush(stdout);
	return poll(&p, 1, 2000) > 0 ? ANSWERED : SILENT;
}

static uint16_t checksum(const void *bytes, size_t length)
{
	const uint16_t *p = bytes;
	uint32_t sum = 0;

	for (; length > 1; length -= 2)
		sum += *p++;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

Test(raw, echo_requests_are_answered_under_isolation)
{
	struct icmphdr echo = { .type = ICMP_ECHO };

	echo.checksum = checksum(&echo, sizeof(echo));
	cr_assert_eq(probe(w.client, IPPROTO_ICMP, &echo, sizeof(echo)), ANSWERED);
	cr_assert_eq(probe(w.other, IPPROTO_ICMP, &echo, sizeof(echo)), ANSWERED);
}

/* Both ends are guarded; the receiver is isolated, and no rule can name this protocol. */
Test(raw, an_unknown_protocol_is_refused_under_isolation)
{
	struct lab_spawn spec = { .place = w.server, .fn = receive_probe };
	struct lab_process *receiver = lab_spawn(w.lab, &spec);
	uint64_t before = lab_counter(w.lab, "deny", "PROTOCOL");

	cr_assert(lab_read(receiver, LAB_WAIT_MS));
	probe(w.client, PROTOCOL, "hello", 5);
	cr_assert_eq(lab_wait(receiver, LAB_WAIT_MS), SILENT, "the packet was received");
	cr_assert_gt(lab_counter(w.lab, "deny", "PROTOCOL"), before);
}

Test(raw, an_unknown_protocol_passes_where_nothing_isolates)
{
	struct lab_spawn spec = { .place = w.other, .fn = receive_probe };
	struct lab_process *receiver;

	spec.place.host = w.server.host; /* shop/other, at the address that is probed */
	receiver = lab_spawn(w.lab, &spec);
	cr_assert(lab_read(receiver, LAB_WAIT_MS));
	probe(w.client, PROTOCOL, "hello", 5);
	cr_assert_eq(lab_wait(receiver, LAB_WAIT_MS), ANSWERED);
}

/* checkout may connect; but not by writing segments itself, tag and all. */
Test(raw, a_tcp_segment_from_a_raw_socket_is_refused)
{
	struct tcphdr syn = { .source = htons(5555),
			      .dest = htons(8080),
			      .doff = 5,
			      .syn = 1,
			      .window = htons(1000) };
	uint64_t before = lab_counter(w.lab, "deny", "RAW_SOCKET");

	probe(w.client, IPPROTO_TCP, &syn, sizeof(syn));
	cr_assert_gt(lab_counter(w.lab, "deny", "RAW_SOCKET"), before);
}
