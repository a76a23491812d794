/* SPDX-License-Identifier: Apache-2.0 */
/* A source with a journal in a directory of its own, for the tests of one. */
#pragma once

#include "test_source_kubernetes.h"
#include "user/source/journal_internal.h"

#define JOURNAL_CLUSTER "https://10.96.0.1:443"

struct journal_test {
	char root[64], path[96];
	struct kubernetes *k;
	struct reader reader;
};
extern struct journal_test journal_test;

void journal_test_begin(void);
void journal_test_end(void);

void open_source(void);
void close_source(void);
/* The next agent, while the server is away. */
void restart(void);

/* source_kubernetes_journal_trouble() */
const char *trouble(void);
void expect_trouble(const char *text);

void begin_pods(void);
void end_pods(void);
/* All kinds, and the pods shop/web-1 to web-3, of versions 1 to 3. */
void list_three(void);
/* Whether there is something to put in force. */
bool knows_anything(void);
