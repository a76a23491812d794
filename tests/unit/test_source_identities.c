/* SPDX-License-Identifier: Apache-2.0 */
/* NodeIdentity objects as node records, and the file that keeps them. */
#include <criterion/criterion.h>
#include <fcntl.h>

#include "test_node.h"
#include "user/base/file.h"
#include "user/credential/secret.h"
#include "user/source/kept_records.h"
#include "user/source/node_identity_document.h"

static char *record_text(void)
{
	struct node_record *record = node_record_make("example.org");
	struct node_ca ca;
	struct svid *svid;
	char *text;

	cr_assert_eq(secret_init(NULL), 0);
	node_ca_make("example.org", &ca);
	svid = node_svid_make(&ca, "host-a", &(struct node_svid_options){ 0 });
	text = node_record_signed_text(record, svid);
	svid_free(svid);
	node_record_free(record);
	node_ca_done(&ca);
	return text;
}

/* What an API server and newer versions add is not the record's, which stays good. */
Test(source_identities, are_records_without_what_was_added)
{
	_cleanup_free_ char *text = record_text(), *plain = NULL, *more = NULL;
	json_auto_t *object = json_loads(text, 0, NULL);
	json_t *metadata = json_object_get(object, "metadata"),
	       *spec = json_object_get(object, "spec");
	_cleanup_(node_record_freep) struct node_record *record = NULL;
	struct credential_error error = { "" };
	char name[NODE_IDENTITY_NAME_MAX];

	cr_assert_eq(node_identity_document(object, name, &plain), 0);
	cr_expect_str_eq(name, "7.json");
	json_object_set_new(metadata, "resourceVersion", json_string("17"));
	json_object_set_new(metadata, "managedFields", json_pack("[{s:s}]", "manager", "x"));
	json_object_set_new(metadata, "ownerReferences", json_array());
	json_object_set_new(metadata, "finalizers", json_array());
	json_object_set_new(object, "status", json_object());
	json_object_set_new(spec, "later", json_true());
	json_object_set_new(json_array_get(json_object_get(spec, "keys"), 0), "later", json_true());
	cr_assert_eq(node_identity_document(object, name, &more), 0);
	cr_expect_str_eq(more, plain, "the same text for the same record");
	cr_expect_eq(node_record_parse(more, strlen(more), &record, &error), NODE_FLAW_NONE, "%s",
		     error.text);
}

Test(source_identities, malformed)
{
	static const struct {
		const char *text;
		int error;
	} objects[] = {
		{ "{}", -EINVAL },
		{ "[]", -EINVAL },
		{ "{\"metadata\":{\"name\":7},\"spec\":{\"signature\":\"x\"}}", -EINVAL },
		{ "{\"metadata\":{\"name\":\"\"},\"spec\":{\"signature\":\"x\"}}", -EINVAL },
		{ "{\"metadata\":{\"name\":\"7a\"},\"spec\":{\"signature\":\"x\"}}", -EINVAL },
		{ "{\"metadata\":{\"name\":\"../7\"},\"spec\":{\"signature\":\"x\"}}", -EINVAL },
		{ "{\"metadata\":{\"name\":\"655351\"},\"spec\":{\"signature\":\"x\"}}", -EINVAL },
		{ "{\"metadata\":{\"name\":\"7\"}}", -ENODATA },
		{ "{\"metadata\":{\"name\":\"7\"},\"spec\":[]}", -ENODATA },
		{ "{\"metadata\":{\"name\":\"7\"},\"spec\":{\"node\":\"host-a\",\"number\":7}}",
		  -ENODATA },
	};
	/* Told, as they claim to be records: the table refuses them and says why. */
	static const char *const told[] = {
		"{\"metadata\":{\"name\":\"7\"},\"spec\":{\"signature\":\"x\"}}",
		"{\"metadata\":{\"name\":\"7\"},\"spec\":{\"signature\":\"x\",\"keys\":{}}}",
		"{\"metadata\":{\"name\":\"7\"},\"spec\":{\"signature\":[],\"keys\":[1,[],{}]}}",
		"{\"apiVersion\":7,\"metadata\":{\"name\":\"0\"},\"spec\":{\"signature\":null}}",
	};
	char name[NODE_IDENTITY_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		json_auto_t *object = json_loads(objects[i].text, 0, NULL);
		char *text = NULL;

		cr_assert_not_null(object);
		cr_expect_eq(node_identity_document(object, name, &text), objects[i].error, "%s",
			     objects[i].text);
		cr_expect_null(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		_cleanup_(node_record_freep) struct node_record *record = NULL;
		json_auto_t *object = json_loads(told[i], 0, NULL);
		_cleanup_free_ char *text = NULL;

		cr_assert_eq(node_identity_document(object, name, &text), 0, "%s", told[i]);
		cr_expect_eq(node_record_parse(text, strlen(text), &record, NULL),
			     NODE_FLAW_MALFORMED, "%s", text);
	}
}

/* ---- kept ---- */

static const char *const lines[] = { "{\"a\":1}", "{\"b\":2}", "{\"c\":3}" };

static int line(void *arg, size_t i, const char **ret_text, size_t *ret_length)
{
	size_t *n = arg;

	if (i >= *n)
		return -ENOENT;
	*ret_text = lines[i];
	*ret_length = strlen(lines[i]);
	return 0;
}

static int count(void *arg, const json_t *object)
{
	*(size_t *)arg += json_is_object(object);
	return 0;
}

Test(source_identities, are_kept_in_a_file)
{
	char directory[] = "/tmp/countersign-kept.XXXXXX", path[64];
	static const char torn[] = "{\"a\":1}\nrubbish\n{\"b\":\n\n{\"c\":3}";
	size_t n, found = 0;
	FILE *f;

	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/kept", directory);
	cr_expect_eq(kept_records_read(path, count, &found), -ENOENT);
	for (n = 0; n <= ARRAY_SIZE(lines); n++) {
		cr_assert_eq(kept_records_write(path, line, &n), 0);
		found = 0;
		cr_assert_eq(kept_records_read(path, count, &found), 0);
		cr_expect_eq(found, n);
	}
	f = fopen(path, "w");
	cr_assert(f && fwrite(torn, 1, strlen(torn), f) == strlen(torn) && fclose(f) == 0);
	found = 0;
	cr_expect_eq(kept_records_read(path, count, &found), 0);
	cr_expect_eq(found, 2u, "what is no object is left out");
	unlink(path);
	rmdir(directory);
	n = 1;
	cr_expect_eq(kept_records_write(path, line, &n), -ENOENT);
}
