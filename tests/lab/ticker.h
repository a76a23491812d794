/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic without pause that notes when its last byte arrived, at both ends. */
#pragma once

#include "tests/lab/lab.h"

struct ticker_spec {
	const char *address; /* of the server, IPv4 */
	uint16_t port;
	bool udp;
	int64_t until_ms; /* CLOCK_REALTIME */
};

/* Both end at until_ms and then write {"last": ms, "count": bytes that arrived}. */
struct lab_process *ticker_serve(struct lab *lab, struct lab_place place,
				 const struct ticker_spec *spec);
struct lab_process *ticker_connect(struct lab *lab, struct lab_place place,
				   const struct ticker_spec *spec);

int64_t ticker_now_ms(void); /* CLOCK_REALTIME */
