/* SPDX-License-Identifier: Apache-2.0 */
/* What a flow's packet said: addresses, ports, flags. Private to this room. */
#pragma once

#include <jansson.h>

#include <countersign/abi.h>

/* Hubble's IP: source, destination, ipVersion. */
json_t *packet_ip(const struct cs_event *event);

/* {"TCP":{"source_port":..,...}}, or NULL for a protocol that Hubble has no field for. */
json_t *packet_l4(const struct cs_event *event);

/* "TCP Flags: SYN, ACK", "UDP", "IP protocol 47" */
json_t *packet_summary(const struct cs_event *event);

/* "10.0.0.1:80" as the application named it, or NULL when that was not recorded. */
json_t *packet_original_destination(const struct cs_event *event);
