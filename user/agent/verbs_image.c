/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {"verb":"image"}: who is who, as this node's kernel knows it: {"entries":N}, then a line each
 * for identities ({"identity":N,"spiffe_id":...,"namespace":...,"labels":...}) and addresses
 * ({"address":...,"identity":N}). The same on all nodes that have heard the same, so two lists
 * that differ say where to look.
 */
#include <arpa/inet.h>

#include "user/agent/json_text.h"
#include "user/agent/list_stream.h"
#include "user/agent/verbs.h"

static json_t *identity_json(const struct image *image, const struct image_identity *identity)
{
	bool named = identity->name_index < image->n_names;

	return json_pack("{s:I, s:s, s:o, s:o, s:o}", "identity", (json_int_t)identity->identity,
			 "spiffe_id", named ? image->names[identity->name_index] : "", "namespace",
			 json_text(identity->namespace ?: ""), "service_account",
			 json_text(identity->service_account ?: ""), "labels",
			 json_text(identity->labels ?: ""));
}

static json_t *endpoint_json(const struct image_endpoint *endpoint)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr addr;

	_Static_assert(sizeof(addr) == sizeof(endpoint->addr), "one 16-byte address type");
	memcpy(&addr, &endpoint->addr, sizeof(addr));
	if (IN6_IS_ADDR_V4MAPPED(&addr))
		inet_ntop(AF_INET, &addr.s6_addr[12], text, sizeof(text));
	else
		inet_ntop(AF_INET6, &addr, text, sizeof(text));
	return json_pack("{s:s, s:I, s:b}", "address", text, "identity",
			 (json_int_t)endpoint->identity, "shared",
			 (endpoint->flags & CS_ENDPOINT_SHARED) != 0);
}

void serve_image(struct agent *agent, struct client *client, const json_t *request)
{
	static const struct image none = { 0 };
	const struct image *image = epochs_current(&agent->epochs) ?: &none;
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < image->n_identities; i++)
		if (!image->identities[i].gone)
			json_array_append_new(list, identity_json(image, &image->identities[i]));
	for (size_t i = 0; i < image->n_endpoints; i++)
		if (!image->endpoints[i].gone)
			json_array_append_new(list, endpoint_json(&image->endpoints[i]));
	list_stream_send(client, json_pack("{s:I}", "entries", (json_int_t)json_array_size(list)),
			 list);
}
