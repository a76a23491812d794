/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/traffic/traffic.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} verbs[] = {
	{ "connect", run_connect, "connect, exchange bytes, close; one JSON line each time" },
	{ "serve", run_serve, "echo server for TCP or UDP" },
	{ "hold", run_hold, "keep one connection and say when it breaks" },
	{ "capture", run_capture, "watch an interface for tags (raw)" },
	{ "forge", run_forge, "try to get a connection accepted with forged tags (raw)" },
	{ "flood", run_flood, "send SYNs and never answer (raw)" },
	{ "relay", run_relay, "forward between two interfaces, damaging tags (raw)" },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (streq(name, verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	fprintf(stderr, "usage: traffic VERB [OPTIONS] [ADDRESS:PORT]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(stderr, "  %-8s %s\n", verbs[i].name, verbs[i].text);
	return 2;
}
