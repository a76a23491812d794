/* SPDX-License-Identifier: Apache-2.0 */
#include "user/base/host.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "user/base/util.h"

DEFINE_TRIVIAL_CLEANUP(struct ifaddrs *, freeifaddrs)

void host_addresses_freep(char ***addresses)
{
	for (char **a = *addresses; a && *a; a++)
		free(*a);
	free(*addresses);
}

/* The address as a prefix of its full length; NULL when it says nothing about the host. */
static char *prefix_of(const struct ifaddrs *entry)
{
	char text[INET6_ADDRSTRLEN], *prefix;
	const void *address;
	int family;

	if (!entry->ifa_addr || entry->ifa_flags & IFF_LOOPBACK)
		return NULL;
	family = entry->ifa_addr->sa_family;
	if (family == AF_INET) {
		address = &((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
	} else if (family == AF_INET6) {
		address = &((const struct sockaddr_in6 *)(const void *)entry->ifa_addr)->sin6_addr;
		if (IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)address))
			return NULL;
	} else {
		return NULL;
	}
	if (!inet_ntop(family, address, text, sizeof(text)) ||
	    asprintf(&prefix, "%s/%d", text, family == AF_INET ? 32 : 128) < 0)
		return NULL;
	return prefix;
}

int host_addresses(char ***ret)
{
	_cleanup_(host_addresses_freep) char **list = calloc(HOST_ADDRESSES_MAX + 1, sizeof(*list));
	_cleanup_(freeifaddrsp) struct ifaddrs *all = NULL;
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *entry = all; entry; entry = entry->ifa_next) {
		char *prefix = prefix_of(entry);

		if (!prefix)
			continue;
		if (n == HOST_ADDRESSES_MAX) {
			free(prefix);
			return -E2BIG;
		}
		list[n++] = prefix;
	}
	*ret = TAKE_PTR(list);
	return 0;
}
