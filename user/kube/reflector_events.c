/* SPDX-License-Identifier: Apache-2.0 */
/* What a watch or a page brings, told to the owner. */
#include "user/kube/reflector_internal.h"

#define INITIAL_EVENTS_END "k8s.io/initial-events-end"

void kube_reflector_trouble(struct kube_reflector *reflector, const char *text)
{
	/* What is missing is said until there is a whole list again. */
	if (reflector->dead || streq(reflector->trouble, text) ||
	    (reflector->left_out && *text == '\0'))
		return;
	snprintf(reflector->trouble, sizeof(reflector->trouble), "%s", text);
	if (reflector->ops->trouble)
		reflector->ops->trouble(reflector->arg, reflector->trouble);
}

void kube_reflector_synced(struct kube_reflector *reflector)
{
	reflector->stats.synced = true;
	reflector->left_out = false;
	if (!reflector->dead)
		reflector->ops->synced(reflector->arg);
	kube_reflector_trouble(reflector, "");
}

__attribute__((format(printf, 3, 4))) static int stop(struct kube_reflector *reflector,
						      enum kube_outcome outcome, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reflector->why, sizeof(reflector->why), format, args);
	va_end(args);
	reflector->outcome = outcome;
	return -ECANCELED;
}

static int malformed(struct kube_reflector *reflector, const char *what)
{
	reflector->stats.malformed++;
	return stop(reflector, KUBE_BROKEN,
		    "what the API server sends for %s is not understood: %s",
		    reflector->resource->plural, what);
}

/*
 * More of it is wanted than may be kept; etcd's own limit is far below. Which object it is, is
 * not known. While one is watched, the others go on and its last good version stays, as with
 * a document that is refused. A list without it would say that it is gone, which could
 * open what its policy closes: such a list never counts as whole.
 */
static int too_large(struct kube_reflector *reflector)
{
	char text[KUBE_ERROR_MAX];

	reflector->stats.too_large++;
	snprintf(text, sizeof(text),
		 "an object of %s has more than %d bytes that matter: its last good version "
		 "stays in force; make it smaller",
		 reflector->resource->plural, KUBE_OBJECT_BYTES_MAX);
	if (reflector->phase != KUBE_WATCHES)
		return stop(reflector, KUBE_BROKEN, "%s", text);
	kube_reflector_trouble(reflector, text);
	reflector->left_out = true;
	return 0;
}

static const json_t *metadata_of(const json_t *object)
{
	return json_object_get(object, "metadata");
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int note_version(struct kube_reflector *reflector, const json_t *object)
{
	const char *version = text_of(metadata_of(object), "resourceVersion");

	if (*version == '\0' || strlen(version) >= sizeof(reflector->version))
		return malformed(reflector, "no resourceVersion");
	/* Before the end of a streaming list this is no place to go on from. */
	snprintf(reflector->phase == KUBE_WATCHES ? reflector->version : reflector->list_version,
		 sizeof(reflector->version), "%s", version);
	return 0;
}

/* The objects of a list do not say what they are; all others do. */
static int name_kind(struct kube_reflector *reflector, json_t *object)
{
	if (*text_of(metadata_of(object), "name") == '\0')
		return malformed(reflector, "an object without a name");
	if (!json_object_get(object, "apiVersion") &&
	    json_object_set_new(object, "apiVersion", json_string(reflector->api_version)) < 0)
		return -ENOMEM;
	if (!json_object_get(object, "kind") &&
	    json_object_set_new(object, "kind", json_string(reflector->resource->kind)) < 0)
		return -ENOMEM;
	return 0;
}

static int on_changed(struct kube_reflector *reflector, json_t *object)
{
	int r = name_kind(reflector, object);

	if (r < 0)
		return r;
	reflector->stats.events++;
	reflector->ops->set(reflector->arg, object);
	return 0;
}

static int on_deleted(struct kube_reflector *reflector, json_t *object)
{
	int r = name_kind(reflector, object);

	if (r < 0)
		return r;
	reflector->stats.events++;
	reflector->ops->gone(reflector->arg, object);
	return 0;
}

static int on_bookmark(struct kube_reflector *reflector, json_t *object)
{
	const json_t *annotations = json_object_get(metadata_of(object), "annotations");

	reflector->stats.bookmarks++;
	if (reflector->phase == KUBE_WATCHES)
		return 0;
	/* A server that knows nothing of streaming lists takes this for a watch from anywhere. */
	if (!streq(text_of(annotations, INITIAL_EVENTS_END), "true"))
		return stop(reflector, KUBE_NO_STREAM, "no streaming list");
	reflector->phase = KUBE_WATCHES;
	snprintf(reflector->version, sizeof(reflector->version), "%s", reflector->list_version);
	kube_reflector_synced(reflector);
	return 0;
}

static int on_error(struct kube_reflector *reflector, json_t *status)
{
	json_int_t code = json_integer_value(json_object_get(status, "code"));
	const char *reason = text_of(status, "reason");

	if (code == 410 || streq(reason, "Expired") || streq(reason, "Gone"))
		return stop(reflector, KUBE_EXPIRED, "%s", text_of(status, "message"));
	return stop(reflector, KUBE_REFUSED, "%s: %s", *reason ? reason : "error",
		    text_of(status, "message"));
}

static int on_event(struct kube_reflector *reflector, const json_t *event)
{
	static const struct {
		const char *type;
		int (*fn)(struct kube_reflector *, json_t *);
		bool versioned;
	} types[] = {
		{ "ADDED", on_changed, true },	 { "MODIFIED", on_changed, true },
		{ "DELETED", on_deleted, true }, { "BOOKMARK", on_bookmark, true },
		{ "ERROR", on_error, false },
	};
	const char *type = text_of(event, "type");
	json_t *object = json_object_get(event, "object");
	int r;

	if (!json_is_object(object))
		return malformed(reflector, "an event without an object");
	reflector->stats.last_event_ms = kube_now_ms();
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!streq(types[i].type, type))
			continue;
		r = types[i].versioned ? note_version(reflector, object) : 0;
		return r < 0 ? r : types[i].fn(reflector, object);
	}
	return malformed(reflector, "an event of a type that is not known");
}

static int copy_page_end(struct kube_reflector *reflector, const json_t *list)
{
	const json_t *metadata = metadata_of(list);
	const char *next = text_of(metadata, "continue");

	if (strlen(next) > KUBE_CONTINUE_MAX)
		return malformed(reflector, "a continue token that is too long");
	free(reflector->next_page);
	reflector->next_page = *next ? strdup(next) : NULL;
	if (*next && !reflector->next_page)
		return -ENOMEM;
	return note_version(reflector, list);
}

static int on_text(void *arg, bool item, const char *text, size_t length)
{
	struct kube_reflector *reflector = arg;
	_cleanup_(json_decrefp) json_t *root = NULL;

	if (reflector->dead)
		return -ECANCELED;
	if (!text)
		return too_large(reflector);
	root = json_loadb(text, length, 0, NULL);
	if (!json_is_object(root))
		return malformed(reflector, "no JSON");
	if (reflector->phase != KUBE_PAGES)
		return on_event(reflector, root);
	return item ? on_changed(reflector, root) : copy_page_end(reflector, root);
}

int kube_reflector_pruner(struct kube_reflector *reflector)
{
	const struct kube_field *fields = reflector->phase == KUBE_PAGES ? reflector->list_fields
									 : reflector->event_fields;

	reflector->pruner = kube_pruner_free(reflector->pruner);
	return kube_pruner_new(fields, KUBE_OBJECT_BYTES_MAX, on_text, reflector,
			       &reflector->pruner);
}

int kube_reflector_data(struct kube_reflector *reflector, const char *data, size_t length)
{
	int r;

	reflector->page_bytes += length;
	if (reflector->phase == KUBE_PAGES && reflector->page_bytes > KUBE_RESPONSE_BYTES_MAX)
		return stop(reflector, KUBE_TOO_MUCH, "a page of %s has more than %d bytes",
			    reflector->resource->plural, KUBE_RESPONSE_BYTES_MAX);
	r = kube_pruner_feed(reflector->pruner, data, length);
	if (r == -EBADMSG && reflector->outcome == KUBE_NOTHING)
		return malformed(reflector, "it is no JSON, or nested too deep");
	return r;
}

int kube_reflector_page_end(struct kube_reflector *reflector)
{
	if (!kube_pruner_idle(reflector->pruner) || reflector->list_version[0] == '\0')
		return malformed(reflector, "a page without an end");
	return reflector->next_page != NULL;
}
