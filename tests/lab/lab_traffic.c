/* SPDX-License-Identifier: Apache-2.0 */
/* Starting build/traffic and reading what it says. */
#include "tests/lab/lab_internal.h"

static struct lab_process *lab_traffic_verb(struct lab *lab, struct lab_place place,
					    const char *verb, va_list args)
{
	const char *argv[LAB_ARGS_MAX] = { lab_program(lab, "traffic"), verb };
	struct lab_spawn spec = { .place = place, .argv = argv };

	lab_args(argv, verb ? 2 : 1, args);
	return lab_spawn(lab, &spec);
}

struct lab_process *lab_traffic(struct lab *lab, struct lab_place place, ...)
{
	struct lab_process *p;
	va_list args;

	va_start(args, place);
	p = lab_traffic_verb(lab, place, NULL, args);
	va_end(args);
	return p;
}

struct lab_process *lab_serve(struct lab *lab, struct lab_place place, ...)
{
	struct lab_process *p;
	va_list args;

	va_start(args, place);
	p = lab_traffic_verb(lab, place, "serve", args);
	va_end(args);
	lab_check(lab, lab_read(p, LAB_WAIT_MS), "traffic serve does not listen");
	return p;
}

json_t *lab_connect(struct lab *lab, struct lab_place place, ...)
{
	struct lab_process *p;
	json_t *reply;
	va_list args;

	va_start(args, place);
	p = lab_traffic_verb(lab, place, "connect", args);
	va_end(args);
	reply = lab_read(p, LAB_WAIT_MS);
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
