/* SPDX-License-Identifier: Apache-2.0 */
/* libcountersign: what it makes of the kernel's answer, and of none. */
#include <countersign/peer.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "user/base/util.h"

/* What the "kernel" answers at our level; other calls, and all without it, go to the kernel. */
static struct {
	bool on;
	int error;
	socklen_t length;
	struct countersign_peer peer;
	int fd, calls;
	socklen_t room;
} answer;

/* Takes the place of libc's. */
int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
	if (level != COUNTERSIGN_SOL || option != COUNTERSIGN_PEER || !answer.on)
		return (int)syscall(SYS_getsockopt, fd, level, option, value, length);
	answer.calls++;
	answer.fd = fd;
	answer.room = *length;
	if (answer.error) {
		errno = answer.error;
		return -1;
	}
	memcpy(value, &answer.peer, MIN(*length, (socklen_t)sizeof(answer.peer)));
	*length = answer.length;
	return 0;
}

static void answer_verified(void)
{
	answer.on = true;
	answer.length = sizeof(answer.peer);
	answer.peer = (struct countersign_peer){
		.size = sizeof(answer.peer),
		.authentication = COUNTERSIGN_VERIFIED,
		.identity = 70368744177663,
		.node = 9,
		.spiffe_id = "spiffe://example.org/ns/shop/sa/checkout",
	};
}

static struct countersign_peer untouched(void)
{
	struct countersign_peer peer;

	memset(&peer, 0xa5, sizeof(peer));
	return peer;
}

static void expect_failure(int fd, int error)
{
	struct countersign_peer peer = untouched(), before = peer;

	cr_expect_eq(countersign_peer(fd, &peer), error, "%d", countersign_peer(fd, &peer));
	cr_expect_arr_eq(&peer, &before, sizeof(peer), "touched on failure");
}

Test(sdk_peer, verified)
{
	struct countersign_peer peer = untouched();

	answer_verified();
	cr_assert_eq(countersign_peer(7, &peer), 0);
	cr_expect_eq(answer.fd, 7);
	cr_expect_eq(answer.room, 248);
	cr_expect_eq(answer.calls, 1);
	cr_expect_eq(peer.authentication, COUNTERSIGN_VERIFIED);
	cr_expect_eq(peer.identity, 70368744177663);
	cr_expect_eq(peer.node, 9);
	cr_expect_eq(peer.size, 248);
	cr_expect_str_eq(peer.spiffe_id, "spiffe://example.org/ns/shop/sa/checkout");
}

Test(sdk_peer, entity_without_name)
{
	struct countersign_peer peer;

	answer_verified();
	answer.peer =
		(struct countersign_peer){ .authentication = COUNTERSIGN_INFERRED, .identity = 3 };
	cr_assert_eq(countersign_peer(7, &peer), 0);
	cr_expect_eq(peer.authentication, COUNTERSIGN_INFERRED);
	cr_expect_str_empty(peer.spiffe_id);
}

Test(sdk_peer, name_is_always_ended)
{
	struct countersign_peer peer;

	answer_verified();
	memset(answer.peer.spiffe_id, 'x', sizeof(answer.peer.spiffe_id));
	cr_assert_eq(countersign_peer(7, &peer), 0);
	cr_expect_eq(strlen(peer.spiffe_id), sizeof(peer.spiffe_id) - 1);
}

Test(sdk_peer, short_answer_is_filled_with_zeros)
{
	struct countersign_peer peer = untouched();

	answer_verified();
	memset(answer.peer.spiffe_id, 0, sizeof(answer.peer.spiffe_id));
	answer.length = offsetof(struct countersign_peer, spiffe_id);
	cr_assert_eq(countersign_peer(7, &peer), 0);
	cr_expect_eq(peer.size, 24);
	cr_expect_str_empty(peer.spiffe_id);
}

struct strange {
	socklen_t length;
	uint32_t authentication;
};

ParameterizedTestParameters(sdk_peer, strange_answers)
{
	static struct strange cases[] = {
		{ 0, COUNTERSIGN_VERIFIED },
		{ 4, COUNTERSIGN_VERIFIED },
		{ 23, COUNTERSIGN_VERIFIED },
		{ 249, COUNTERSIGN_VERIFIED },
		{ 4096, COUNTERSIGN_VERIFIED },
		{ 248, 3 },
		{ 248, UINT32_MAX },
	};

	return cr_make_param_array(struct strange, cases, ARRAY_SIZE(cases));
}

/* Another's option of the same number must not be taken for an identity. */
ParameterizedTest(struct strange *c, sdk_peer, strange_answers)
{
	answer_verified();
	answer.length = c->length;
	answer.peer.authentication = c->authentication;
	expect_failure(7, -ENOPROTOOPT);
}

struct failure {
	int error;
	int want;
};

ParameterizedTestParameters(sdk_peer, failures)
{
	static struct failure cases[] = {
		{ ENOTCONN, -ENOTCONN },
		{ ENOPROTOOPT, -ENOPROTOOPT },
		{ EOPNOTSUPP, -ENOPROTOOPT },
		{ EFAULT, -EFAULT },
	};

	return cr_make_param_array(struct failure, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct failure *c, sdk_peer, failures)
{
	answer_verified();
	answer.error = c->error;
	expect_failure(7, c->want);
}

/* From here on the real kernel answers; no agent guards the test's own cgroup. */
struct family {
	int domain, type;
	int want;
};

ParameterizedTestParameters(sdk_peer, unguarded_sockets)
{
	static struct family cases[] = {
		{ AF_INET, SOCK_STREAM, -ENOPROTOOPT },
		{ AF_INET6, SOCK_STREAM, -ENOPROTOOPT },
		{ AF_INET, SOCK_DGRAM, -ENOPROTOOPT },
		{ AF_UNIX, SOCK_STREAM, -ENOPROTOOPT },
	};

	return cr_make_param_array(struct family, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct family *c, sdk_peer, unguarded_sockets)
{
	_cleanup_close_ int fd = socket(c->domain, c->type | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	expect_failure(fd, c->want);
}

Test(sdk_peer, no_descriptor)
{
	expect_failure(-1, -EBADF);
}

Test(sdk_peer, no_socket)
{
	int pipes[2];

	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	expect_failure(pipes[0], -ENOTSOCK);
	close(pipes[0]);
	close(pipes[1]);
}

Test(sdk_peer, layout_is_what_the_python_example_unpacks)
{
	cr_expect_eq(sizeof(struct countersign_peer), 248);
	cr_expect_eq(offsetof(struct countersign_peer, authentication), 4);
	cr_expect_eq(offsetof(struct countersign_peer, identity), 8);
	cr_expect_eq(offsetof(struct countersign_peer, node), 16);
	cr_expect_eq(offsetof(struct countersign_peer, spiffe_id), 24);
}
