/* SPDX-License-Identifier: Apache-2.0 */
/* Destroying TCP sockets (sock_diag(7), SOCK_DESTROY; CONFIG_INET_DIAG_DESTROY). */
#include "user/datapath/sockdiag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

struct answer {
	struct nlmsghdr header;
	struct nlmsgerr error;
	char rest[512]; /* extended acknowledgement, unused */
};

int sockdiag_open(void)
{
	const int on = 1;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return fd;
}

static void fill_request(struct request *ret, const struct cs_doomed *doomed, uint32_t number)
{
	/* An IPv4 socket's address is the last word of the mapped one. */
	const int first = doomed->family == AF_INET ? 3 : 0;

	*ret = (struct request){
		.header = {
			.nlmsg_len = sizeof(*ret),
			.nlmsg_type = SOCK_DESTROY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			.nlmsg_seq = number,
		},
		.diag = {
			.sdiag_family = doomed->family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0U,
			.id = {
				.idiag_sport = htons(doomed->local_port),
				.idiag_dport = htons(doomed->remote_port),
				.idiag_if = doomed->interface,
				.idiag_cookie = { (uint32_t)doomed->cookie,
						  (uint32_t)(doomed->cookie >> 32) },
			},
		},
	};
	memcpy(ret->diag.id.idiag_src, &doomed->local.word[first], (4 - first) * 4);
	memcpy(ret->diag.id.idiag_dst, &doomed->remote.word[first], (4 - first) * 4);
}

int sockdiag_destroy(int fd, const struct cs_doomed *doomed, uint32_t number)
{
	struct request request;
	struct answer answer;
	ssize_t n;

	if (doomed->family != AF_INET && doomed->family != AF_INET6)
		return -EAFNOSUPPORT;
	fill_request(&request, doomed, number);
	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	do {
		n = recv(fd, &answer, sizeof(answer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n < sizeof(answer.header) + sizeof(answer.error))
			return -EBADMSG;
	} while (n < 0 || answer.header.nlmsg_seq != number);
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EBADMSG;
}
