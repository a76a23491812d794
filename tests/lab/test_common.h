/* SPDX-License-Identifier: Apache-2.0 */
/* What every end-to-end test starts from: a lab with three hosts and the usual workloads. */
#pragma once

#include <criterion/criterion.h>

#include "tests/lab/lab.h"

#define SPIFFE(name) "spiffe://example.org/ns/shop/sa/" name

#define CLIENT4 "10.77.0.1"
#define SERVER4 "10.77.0.2"
#define OTHER4 "10.77.0.3"
#define CLIENT6 "fd77::1"
#define SERVER6 "fd77::2"
#define OTHER6 "fd77::3"

struct world {
	struct lab *lab;
	struct lab_place client; /* shop/checkout at 10.77.0.1 */
	struct lab_place server; /* shop/payments at 10.77.0.2 */
	struct lab_place other; /* shop/other at 10.77.0.3 */
	struct lab_place stranger; /* a cgroup without identity on the client's host */
	struct lab_place thief; /* shop/other on the client's host, so from its addresses */
	struct lab_place outside; /* the client's host, outside the guarded cgroups */
};

/* Hosts and places, the three Workloads as manifests; no policy and no agent yet. */
void world_new(struct world *world, const char *name);
void world_free(struct world *world);

/* IdentityPolicy shop/<name> for payments: the text of spec below `subject`. */
void world_policy(struct world *world, const char *name, const char *spec);

/* Starts the agent and the usual servers: an echo server of payments on 8080, v4 and v6. */
void world_start(struct world *world);

/* One TCP connection with a byte each way; 1.5 s time limit. */
json_t *world_connect(struct world *world, struct lab_place from, const char *address);
void must_answer(const json_t *reply);
void must_time_out(const json_t *reply); /* at connect(), silently */
/* The application was told who its peer is: "verified" or "inferred", and the SPIFFE ID. */
void must_know_peer(const json_t *reply, const char *authentication, const char *spiffe_id);

/* payments accepts checkout on 8080-8090, tagged; checkout may go anywhere. */
void world_usual_policy(struct world *world);
