/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/pin.h"

#include <jansson.h>

#include "user/agent/json_text.h"
#include "user/agent/sealed.h"

#define PIN_NAME "pinned"
#define PIN_PREPARED "pinning"
#define PIN_BYTES_MAX 4096

static int decode(const char *text, size_t length, struct pin *ret)
{
	json_auto_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
	struct pin pin = { 0 };
	json_int_t revision, time_ns;
	const char *author, *note;

	if (!object || json_unpack(object, "{s:I, s:I, s:s, s:s}", "revision", &revision, "time_ns",
				   &time_ns, "author", &author, "note", &note) < 0)
		return -EBADMSG;
	if (revision < 1 || revision > UINT32_MAX || strlen(author) > ORIGIN_AUTHOR_MAX ||
	    strlen(note) > NOTE_MAX)
		return -EBADMSG;
	pin.revision = revision;
	pin.realtime_ns = time_ns;
	strcpy(pin.origin.author, author);
	strcpy(pin.origin.note, note);
	*ret = pin;
	return 0;
}

int pin_read(int dir, struct pin *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	int r;

	r = sealed_read(dir, PIN_NAME, PIN_BYTES_MAX, &text, &length);
	if (r == -ENOENT) {
		*ret = (struct pin){ 0 };
		return 0;
	}
	return r < 0 ? r : decode(text, length, ret);
}

int pin_prepare(int dir, const struct pin *pin)
{
	json_auto_t *object =
		json_pack("{s:I, s:I, s:o, s:o}", "revision", (json_int_t)pin->revision, "time_ns",
			  (json_int_t)pin->realtime_ns, "author", json_text(pin->origin.author),
			  "note", json_text(pin->origin.note));
	_cleanup_free_ char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	return text ? sealed_write(dir, PIN_PREPARED, text, strlen(text)) : -ENOMEM;
}

int pin_settle(int dir)
{
	if (renameat(dir, PIN_PREPARED, dir, PIN_NAME) < 0)
		return -errno;
	return ret_errno(fsync(dir));
}

void pin_abandon(int dir)
{
	sealed_remove(dir, PIN_PREPARED);
}

int pin_remove(int dir)
{
	pin_abandon(dir);
	return sealed_remove(dir, PIN_NAME);
}
