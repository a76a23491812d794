/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lab's network: each host is a namespace with one interface, eth0, whose other end is
 * a port of the bridge in the hub namespace. A namespace lives as long as its holder
 * process, so it goes when the test goes.
 */
#include "tests/lab/lab_internal.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static void lab_holder(struct lab *lab, int ready)
{
	char byte = unshare(CLONE_NEWNET) == 0 ? 0 : errno;

	lab_child_prepare(lab, ready);
	if (write(ready, &byte, 1) != 1)
		_exit(1);
	close(ready);
	for (;;)
		pause();
}

static void lab_host_make(struct lab *lab, struct lab_host *host, const char *name)
{
	char path[64];
	char error = EIO;
	int fds[2];

	snprintf(host->name, sizeof(host->name), "%s", name);
	host->lab = lab;
	host->netns = -EBADF;
	lab_check(lab, pipe2(fds, O_CLOEXEC) == 0, "no pipe for host %s", name);
	host->holder = fork();
	if (host->holder == 0)
		lab_holder(lab, fds[1]);
	close(fds[1]);
	lab_check(lab, host->holder > 0 && read(fds[0], &error, 1) == 1 && error == 0,
		  "cannot make a network namespace for %s: %s", name, strerror(error));
	close(fds[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", host->holder);
	host->netns = open(path, O_RDONLY | O_CLOEXEC);
	lab_check(lab, host->netns >= 0, "cannot open %s: %s", path, strerror(errno));
}

struct lab_feed {
	struct lab_host *host;
	const char *const *argv;
	const char *input;
};

/* Runs a program inside a host's namespace with @input on its standard input. */
static int lab_feed_child(void *arg)
{
	struct lab_feed *feed = arg;
	int fds[2];

	/* The whole input fits a pipe: it is bounded by lab_feed(). */
	if (pipe(fds) < 0 || write(fds[1], feed->input, strlen(feed->input)) < 0)
		return 1;
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	close(fds[1]);
	execvp(feed->argv[0], (char *const *)feed->argv);
	return 127;
}

static void lab_feed(struct lab *lab, struct lab_host *host, const char *const *argv,
		     const char *input)
{
	struct lab_feed feed = { host, argv, input };
	struct lab_spawn spec = {
		.place = { .host = host }, .fn = lab_feed_child, .arg = &feed, .log = argv[0]
	};
	int code;

	lab_check(lab, strlen(input) < 60000, "too many commands for %s at once", argv[0]);
	code = lab_wait(lab_spawn(lab, &spec), LAB_WAIT_MS);
	lab_check(lab, code == 0, "%s failed in host %s (exit code %d):\n%s", argv[0],
		  host ? host->name : "-", code, input);
}

void lab_ip(struct lab *lab, struct lab_host *host, const char *commands)
{
	lab_feed(lab, host, LAB_ARGV("ip", "-batch", "-"), commands);
}

void lab_nft(struct lab *lab, struct lab_host *host, const char *ruleset)
{
	lab_feed(lab, host, LAB_ARGV("nft", "-f", "-"), ruleset);
}

struct lab_sysctl {
	const char *path;
	const char *value;
};

/* /proc/sys/net shows the namespace of whoever opens it. */
static int lab_sysctl_child(void *arg)
{
	struct lab_sysctl *set = arg;
	ssize_t n = strlen(set->value);
	int fd = open(set->path, O_WRONLY);

	return fd >= 0 && write(fd, set->value, n) == n ? 0 : 1;
}

void lab_sysctl(struct lab *lab, struct lab_host *host, const char *path, const char *value)
{
	struct lab_sysctl set = { lab_printf(lab, "/proc/sys/%s", path), value };
	struct lab_spawn spec = {
		.place = { .host = host }, .fn = lab_sysctl_child, .arg = &set, .log = "sysctl"
	};

	lab_check(lab, lab_wait(lab_spawn(lab, &spec), LAB_WAIT_MS) == 0,
		  "cannot set %s to %s in host %s", path, value, host->name);
}

static void lab_host_quiet_ipv6(struct lab *lab, struct lab_host *host)
{
	lab_sysctl(lab, host, "net/ipv6/conf/default/accept_dad", "0");
	lab_sysctl(lab, host, "net/ipv6/conf/default/accept_ra", "0");
	lab_sysctl(lab, host, "net/ipv6/conf/default/autoconf", "0");
}

struct lab_host *lab_hub(struct lab *lab)
{
	if (lab->hub.holder)
		return &lab->hub;
	lab_host_make(lab, &lab->hub, "hub");
	lab_host_quiet_ipv6(lab, &lab->hub);
	lab_ip(lab, &lab->hub,
	       "link set lo up\n"
	       "link add br0 type bridge mcast_snooping 0\n"
	       "link set br0 up\n");
	return &lab->hub;
}

struct lab_host *lab_host(struct lab *lab, const char *name, const char *addr4, const char *addr6)
{
	struct lab_host *hub = lab_hub(lab);
	struct lab_host *host;
	char *commands;

	lab_check(lab, lab->n_hosts < LAB_HOSTS_MAX, "at most %d hosts", LAB_HOSTS_MAX);
	lab_check(lab, strlen(name) <= 12, "host name %s is too long for an interface", name);
	host = &lab->hosts[lab->n_hosts++];
	lab_host_make(lab, host, name);
	snprintf(host->mac, sizeof(host->mac), "02:00:00:00:77:%02x", (int)lab->n_hosts);
	lab_host_quiet_ipv6(lab, host);
	lab_ip(lab, hub,
	       lab_printf(lab,
			  "link add p-%s type veth peer name eth0 address %s netns %d\n"
			  "link set p-%s master br0\n"
			  "link set p-%s up\n",
			  name, host->mac, host->holder, name, name));
	commands = lab_printf(lab, "link set lo up\nlink set eth0 up\n%s%s%s%s%s%s",
			      addr4 ? "addr add " : "", addr4 ? addr4 : "",
			      addr4 ? "/24 dev eth0\n" : "", addr6 ? "addr add " : "",
			      addr6 ? addr6 : "", addr6 ? "/64 dev eth0 nodad\n" : "");
	lab_ip(lab, host, commands);
	return host;
}

void lab_cable(struct lab *lab, struct lab_host *a, const char *addr_a, struct lab_host *b,
	       const char *addr_b)
{
	lab_ip(lab, a,
	       lab_printf(lab,
			  "link add wire type veth peer name wire netns %d\n"
			  "addr add %s/24 dev wire\nlink set wire up\n",
			  b->holder, addr_a));
	lab_ip(lab, b, lab_printf(lab, "addr add %s/24 dev wire\nlink set wire up\n", addr_b));
}

int lab_host_netns(const struct lab_host *host)
{
	return host->netns;
}

const char *lab_host_mac(const struct lab_host *host)
{
	return host->mac;
}

static void lab_host_remove(struct lab_host *host)
{
	if (host->holder <= 0)
		return;
	kill(host->holder, SIGKILL);
	waitpid(host->holder, NULL, 0);
	close(host->netns);
	host->holder = 0;
}

void lab_net_teardown(struct lab *lab)
{
	for (size_t i = lab->n_hosts; i-- > 0;)
		lab_host_remove(&lab->hosts[i]);
	lab_host_remove(&lab->hub);
}
