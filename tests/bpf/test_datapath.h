/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the datapath tests share: a cgroup, a bpffs and images of their own. Each test is
 * a process with a mount namespace of its own, so its pins go when it goes.
 */
#pragma once

#include <criterion/criterion.h>

#include "user/datapath/internal.h"

struct datapath_test {
	char cgroup[4096]; /* the guarded cgroup root */
	char dir[64]; /* a scratch directory */
	char bpffs[80]; /* below it; not there yet */
	struct datapath_options options;
	struct datapath *dp;
};

extern struct datapath_test dt;

/* For TestSuite(): makes the above, and removes what a crashed test left. */
void datapath_test_setup(void);
void datapath_test_teardown(void);

/* Opens dt.dp; the test fails when that fails. */
void datapath_test_open(void);
/* Closes and opens it again, as a restarted agent does. */
void datapath_test_reopen(void);
/* A cgroup below the root; its id. */
uint64_t datapath_test_cgroup(const char *name);
/* Moves this process into the cgroup ("" for the root, ".." for outside). */
void datapath_test_enter(const char *name);
/* The slot that a pinned map has for a key, or -errno. */
int64_t datapath_test_slot(const char *map, const void *key);
/* A descriptor of a pinned map. */
int datapath_test_map(const char *name);

/* ---- images: rulesets 0 allows, 1 denies; bitmap row 0 is empty, row 1 has every bit ---- */

enum { ALLOW = 0, DENY = 1 };

struct image *test_image(void);
/* With identities @first to @last. */
struct image *test_image_of(uint64_t first, uint64_t last);
uint32_t test_image_name(struct image *image, const char *name);
size_t test_image_workload(struct image *image, const char *name, uint64_t identity,
			   uint32_t ruleset);
void test_image_identity(struct image *image, uint64_t identity, uint32_t row);
/* Returns 1 + index. @address: of either family. */
uint32_t test_image_class(struct image *image, const char *address, uint32_t length, uint32_t row);
void test_image_endpoint(struct image *image, const char *address, uint64_t identity,
			 uint32_t class_index);
/* IPv4 as mapped. */
struct cs_addr test_addr(const char *address);
struct cs_cidr test_cidr(const char *address, uint32_t length);

/* Commits and frees @image; the test fails when that fails. */
void commit_image(struct image *image);
/* Commits and frees @image, which must be refused; returns the error. */
int refuse_image(struct image *image);
