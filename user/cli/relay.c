/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input to the agent's socket, its answer to standard output: what runs in the agent's
 * pod when somebody elsewhere asks. It ends with whichever side ends first, so that nothing goes
 * on in the pod when the one who asked is gone.
 */
#include <poll.h>

#include "user/base/file_write.h"
#include "user/cli/client.h"

#define RELAY_CHUNK 65536

/* What is there now. 1: go on; 0: the end; or negative errno. */
static int copy(int from, int to)
{
	char bytes[RELAY_CHUNK];
	ssize_t n = read(from, bytes, sizeof(bytes));
	int r;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : -errno;
	if (n == 0)
		return 0;
	r = file_write_all(to, bytes, (size_t)n);
	return r < 0 ? r : 1;
}

static int pump(int agent)
{
	struct pollfd p[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = agent, .events = POLLIN },
	};
	int r = 1;

	while (r > 0) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		/* The answer first: who has it whole need not be asked for more. */
		if (p[1].revents)
			r = copy(agent, STDOUT_FILENO);
		if (r > 0 && p[0].revents)
			r = copy(STDIN_FILENO, agent);
	}
	return r;
}

static int run(const struct cli *cli, const struct cli_args *args)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	(void)args;
	r = client_connect(cli, &fd);
	if (r != CLI_OK)
		return r;
	r = pump(fd);
	if (r < 0)
		fprintf(cli->err, "countersign relay: %s\n", strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

const struct cli_verb verb_relay = {
	.name = "relay",
	.arguments = "",
	.description =
		"pass a request and its answer between standard input and output and the agent",
	.run = run,
};
