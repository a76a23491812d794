/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic: every kind of connection that the tests need, and a few that nobody should
 * make. It speaks JSON, one object per line, on standard output.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <countersign/peer.h>

#include "user/base/util.h"

/* One socket address, either family. */
struct address {
	struct sockaddr_storage sa;
	socklen_t length;
};

struct options {
	struct address target; /* what connect dials, serve listens on */
	struct address bind;
	bool udp, unconnected, mptcp, fastopen, reuseport, banner, report, summary, reset;
	int count; /* 0: until a signal */
	int interval_ms;
	int timeout_ms;
	int size; /* bytes each way */
	int defer_s;
	int backlog;
	int queue; /* Fast Open requests that may wait, 0: none */
	int fd; /* inherited listener, -1: none */
	int linger_ms; /* how long a connection stays open after its exchange */
	const char *give; /* Unix socket over which the listener is given away */
	const char *take; /* ... over which it is taken */
	const char *iface; /* raw verbs: interface */
	const char *other; /* relay: the second interface */
	const char *mode; /* forge, relay: what to do with the tag */
	const char *claim; /* forge, flood: option of the SYN, as hex */
	const char *tag; /* forge: option of the ACK, as hex */
	const char *key; /* forge: a node's own key, as hex */
	const char *shape; /* forge: how the ACK's option is spoilt */
	const char *mac; /* forge, flood: link address of the target */
	int isn; /* forge: initial sequence number to replay, 0: random */
	const char *before; /* file whose appearance lets the exchange begin */
};

/* Reads `--name[=value]...` and at most one address into @ret; exits on a wrong one. */
void options_parse(int argc, char **argv, struct options *ret);

/* "10.0.0.1:80", "[fd77::1]:80"; false when it is neither. */
bool address_parse(const char *text, struct address *ret);
void address_text(const struct address *address, char *text, size_t size);

/* Milliseconds of a clock that only goes forward. */
double now_ms(void);
/* Whether a signal asked to end; set up by stop_on_signals(). */
bool stopped(void);
void stop_on_signals(void);

/* A socket of the kind that the options name; exits when there is none. */
int open_socket(const struct options *o);
/* Waits for @events; 0 or -ETIMEDOUT. */
int wait_for(int fd, short events, int timeout_ms);

/* Prints `"peer":{...}` or `"peer_errno":N` for a socket. */
void print_peer(int fd);

/* SCM_RIGHTS over a Unix stream socket at @path. Return the descriptor or exit. */
void give_descriptor(const char *path, int fd);
int take_descriptor(const char *path);

/* Verbs: arguments start behind the verb. They return the exit code. */
int run_connect(int argc, char **argv);
int run_serve(int argc, char **argv);
int run_hold(int argc, char **argv);
int run_capture(int argc, char **argv);
int run_forge(int argc, char **argv);
int run_flood(int argc, char **argv);
int run_relay(int argc, char **argv);
