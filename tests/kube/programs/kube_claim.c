/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-claim KUBECONFIG N: N nodes, each a process and all of them with names that ask for the
 * same number first, claim numbers at the same moment. Prints "<name> <number>", a line each.
 * The names are the same every time, so a second run finds the numbers of the first.
 */
#include <sys/wait.h>

#include "user/agent/claim.h"
#include "user/agent/node_numbers.h"
#include "user/base/loop.h"

#define TRUST_DOMAIN "cluster.local"
#define NAME_MAX_BYTES 32
#define NODES_MAX 64
#define TRIES_MAX 20

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "kube-claim: %s\n", what);
	exit(1);
}

static void make_client(const char *path, struct event_base *base, struct kube_client **ret)
{
	const struct kube_config_options options = { .kubeconfig = path };
	struct kube_config *config = NULL;
	struct kube_error error = { "" };
	int r = kube_config_new(&options, &config, &error);

	if (r == 0)
		r = kube_client_new(base, config, "kube-claim", ret, &error);
	need(r == 0, error.text);
}

/* One node: waits until all are ready, which is when nobody holds the pipe open any more. */
static void claim(const char *path, const char *name, int barrier)
{
	_cleanup_(event_base_freep) struct event_base *base = event_base_new();
	struct kube_client *client = NULL;
	struct kube_error error = { "" };
	uint16_t number = 0;
	int r = -EAGAIN;
	char byte;

	make_client(path, base, &client);
	need(read(barrier, &byte, 1) == 0, "the pipe");
	for (int i = 0; i < TRIES_MAX && r == -EAGAIN; i++)
		r = claim_number(&(struct claim_options){ client, TRUST_DOMAIN, name }, &number,
				 &error);
	need(r == 0, error.text);
	printf("%s %u\n", name, number);
	fflush(stdout);
	kube_client_free(client);
}

static void name_nodes(char (*names)[NAME_MAX_BYTES], size_t n)
{
	uint16_t first = node_numbers_try("node-0", 0);
	size_t found = 0;

	for (unsigned long i = 0; found < n; i++) {
		snprintf(names[found], NAME_MAX_BYTES, "node-%lu", i);
		found += node_numbers_try(names[found], 0) == first;
	}
}

int main(int argc, char **argv)
{
	static char names[NODES_MAX][NAME_MAX_BYTES];
	size_t n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int barrier[2], status, failed = 0;

	need(n > 0 && n <= NODES_MAX && pipe(barrier) == 0, "usage: kube-claim KUBECONFIG N");
	name_nodes(names, n);
	for (size_t i = 0; i < n; i++) {
		if (fork() != 0)
			continue;
		close(barrier[1]);
		claim(argv[1], names[i], barrier[0]);
		exit(0);
	}
	sleep(1); /* until all have their clients */
	close(barrier[1]);
	while (wait(&status) > 0)
		failed |= status;
	return failed ? 1 : 0;
}
