/* SPDX-License-Identifier: Apache-2.0 */
#include "user/flow/endpoint.h"

static const struct {
	uint64_t identity;
	const char *label; /* Cilium's, without "reserved:" */
} labels[] = {
	{ CS_ENTITY_HOST, "host" },	      { CS_ENTITY_REMOTE_NODE, "remote-node" },
	{ CS_ENTITY_WORLD, "world" },	      { CS_ENTITY_KUBE_APISERVER, "kube-apiserver" },
	{ CS_ENTITY_UNMANAGED, "unmanaged" },
};

#define X(num, name, text) +1
_Static_assert(ARRAY_SIZE(labels) == CS_ENTITIES(X), "an entity has no label");
#undef X

static const char *entity_label(uint64_t identity)
{
	if (identity == 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		if (labels[i].identity == identity)
			return labels[i].label;
	return NULL;
}

/* As policies and explain name it. */
static const char *entity_text(uint64_t identity)
{
	static const char *const texts[CS_IDENTITY_FIRST] = {
#define X(num, name, text) [num] = (text),
		CS_ENTITIES(X)
#undef X
	};

	return identity < CS_IDENTITY_FIRST && texts[identity] ? texts[identity] : "";
}

static struct endpoint endpoint_find(const struct image *image, uint64_t identity,
				     const struct cs_addr *addr)
{
	const struct name_index *index = name_index_get(image);

	return (struct endpoint){
		.identity = identity,
		.image = image,
		.index = index,
		.known = name_index_identity(index, identity),
		.workload = name_index_address(index, addr, identity),
		.entity = entity_label(identity),
	};
}

struct endpoints endpoints_of(const struct cs_event *event, const struct image *image)
{
	bool ingress = event->direction == CS_INGRESS;
	uint64_t peer = cs_tag_identity(event->peer);
	uint64_t client = ingress ? peer : event->identity;
	uint64_t server = ingress ? event->identity : peer;
	struct endpoints sides = {
		.source = endpoint_find(image, client, &event->source),
		.destination = endpoint_find(image, server, &event->destination),
	};

	*(ingress ? &sides.destination.slot : &sides.source.slot) = event->workload;
	return sides;
}

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

/* Several workloads may share an identity; the address singles one out where it can. */
static const char *workload_name(const struct endpoint *e)
{
	if (e->entity)
		return "";
	if (e->workload)
		return text_or_empty(e->workload->name);
	return e->known ? text_or_empty(e->known->workload) : "";
}

static const char *workload_namespace(const struct endpoint *e)
{
	if (e->entity)
		return "";
	if (e->workload)
		return text_or_empty(e->workload->namespace);
	return e->known ? text_or_empty(e->known->namespace) : "";
}

bool endpoint_is(const struct endpoint *e, const char *wanted)
{
	const char *namespace = workload_namespace(e), *slash = strchr(wanted, '/');
	size_t first = 0, n, length = strlen(namespace);

	if (e->entity || !slash || length == 0 || (size_t)(slash - wanted) != length ||
	    strncmp(namespace, wanted, length) != 0)
		return false;
	n = e->workload ? 0 : name_index_workloads(e->index, e->identity, &first);
	for (size_t i = 0; i < n; i++)
		if (streq(text_or_empty(name_index_workload(e->index, first + i)->name), slash + 1))
			return true;
	return n == 0 && streq(workload_name(e), slash + 1);
}

bool endpoint_is_in(const struct endpoint *e, const char *namespace)
{
	return !e->entity && *namespace && streq(workload_namespace(e), namespace);
}

/* "app=checkout,stage=prod" -> ["k8s:app=checkout", "k8s:stage=prod"] */
static json_t *labels_to_json(const struct endpoint *e)
{
	const char *label = e->known && !e->entity ? text_or_empty(e->known->labels) : "";
	json_t *array = json_array();

	if (e->entity)
		json_array_append_new(array, json_sprintf("reserved:%s", e->entity));
	for (size_t n = 0; *label && n < ENDPOINT_LABELS_MAX; n++) {
		int length = (int)strcspn(label, ",");

		if (length > 0)
			json_array_append_new(array, json_sprintf("k8s:%.*s", length, label));
		label += length;
		if (*label == ',')
			label++;
	}
	return array;
}

static void append_workload(json_t *array, const char *name)
{
	if (*text_or_empty(name))
		json_array_append_new(array,
				      json_pack("{s:s, s:s}", "name", name, "kind", "Workload"));
}

/* The one workload when its address says which, else all candidates on this node. */
static json_t *workloads_to_json(const struct endpoint *e)
{
	json_t *array = json_array();
	size_t first = 0, n;

	if (e->entity)
		return array;
	n = e->workload ? 0 : name_index_workloads(e->index, e->identity, &first);
	for (size_t i = 0; i < MIN(n, (size_t)ENDPOINT_WORKLOADS_MAX); i++)
		append_workload(array, name_index_workload(e->index, first + i)->name);
	if (n == 0)
		append_workload(array, workload_name(e));
	return array;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(object, key, json_string(text));
}

json_t *endpoint_to_json(const struct endpoint *e)
{
	json_t *object = json_object();
	json_t *workloads = workloads_to_json(e);

	if (e->slot)
		json_object_set_new(object, "ID", json_integer(e->slot));
	json_object_set_new(object, "identity", json_integer((json_int_t)e->identity));
	set_text(object, "namespace", workload_namespace(e));
	json_object_set_new(object, "labels", labels_to_json(e));
	set_text(object, "pod_name", workload_name(e));
	if (json_array_size(workloads) > 0)
		json_object_set(object, "workloads", workloads);
	json_decref(workloads);
	return object;
}

static const char *spiffe_id(const struct endpoint *e)
{
	uint32_t name = e->known ? e->known->name_index : 0;

	return name && e->image && name < e->image->n_names ? e->image->names[name] : "";
}

json_t *endpoint_to_extension(const struct endpoint *e)
{
	json_t *object = json_object();

	json_object_set_new(object, "identity", json_integer((json_int_t)e->identity));
	set_text(object, "spiffe_id", spiffe_id(e));
	set_text(object, "entity", entity_text(e->identity));
	if (*workload_name(e))
		json_object_set_new(object, "workload",
				    json_sprintf("%s/%s", workload_namespace(e), workload_name(e)));
	return object;
}
