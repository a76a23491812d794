/* SPDX-License-Identifier: Apache-2.0 */
/* Starting build/traffic and reading what it says. */
#include "tests/lab/lab_internal.h"

struct lab_process *lab_traffic_argv(struct lab *lab, struct lab_place place,
				     const char *const *args)
{
	const char *argv[LAB_ARGS_MAX] = { lab_program(lab, "traffic") };

	lab_args(argv, 1, args);
	return lab_spawn(lab, &(struct lab_spawn){ .place = place, .argv = argv });
}

struct lab_process *lab_serve_argv(struct lab *lab, struct lab_place place, const char *const *args)
{
	struct lab_process *p = lab_traffic_argv(lab, place, args);

	lab_check(lab, lab_read(p, LAB_WAIT_MS), "traffic serve does not listen");
	return p;
}

json_t *lab_connect_argv(struct lab *lab, struct lab_place place, const char *const *args)
{
	struct lab_process *p = lab_traffic_argv(lab, place, args);
	json_t *reply = lab_read(p, LAB_WAIT_MS);

	lab_check(lab, reply, "traffic connect says nothing");
	lab_kill(p);
	return reply;
}

/* The value at a dotted path, or NULL. */
static const json_t *lab_at(const json_t *json, const char *path)
{
	char key[64];
	size_t n;

	while (json && *path) {
		n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		json = json_object_get(json, key);
		path += n + (path[n] == '.');
	}
	return json;
}

const char *lab_str(const json_t *json, const char *path)
{
	const char *text = json_string_value(lab_at(json, path));

	return text ? text : "";
}

json_int_t lab_int(const json_t *json, const char *path)
{
	return json_integer_value(lab_at(json, path));
}

double lab_real(const json_t *json, const char *path)
{
	return json_number_value(lab_at(json, path));
}

bool lab_bool(const json_t *json, const char *path)
{
	return json_is_true(lab_at(json, path));
}
