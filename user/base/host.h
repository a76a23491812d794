/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of this host. */
#pragma once

#define HOST_ADDRESSES_MAX 1024

/*
 * The addresses of the caller's network namespace as prefixes ("10.0.0.5/32",
 * "fd00::5/128"), without loopback and link-local ones, NULL-terminated. Returns 0 or a
 * negative errno; -E2BIG past HOST_ADDRESSES_MAX. Free with host_addresses_free().
 */
int host_addresses(char ***ret);
void host_addresses_freep(char ***addresses);
