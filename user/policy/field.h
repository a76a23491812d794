/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From YAML trees to structs, by tables: a table names a mapping's fields and says where
 * each value goes. Errors are collected, not fatal: one load reports all it can find.
 *
 * Functions return 0, also after a reported error, or -ENOMEM.
 */
#pragma once

#include "user/policy/errors.h"
#include "user/policy/yaml.h"

#define FIELD_PATH_MAX 256 /* bytes of a field path; longer ones are cut */

struct cluster_language; /* parse_cluster.h */

struct parse {
	struct policy_set *set;
	struct policy_errors *errors;
	const char *file;
	const char *namespace; /* of the object being parsed; "" for cluster-wide kinds */
	const struct cluster_language *language; /* of a cluster-wide policy */
	bool upstream; /* a kind of the Kubernetes API, read as its server does: null is no value,
			  bits behind a prefix do not count */
	bool tolerant; /* a kind with many fields of no interest: unknown ones are fine */
	char path[FIELD_PATH_MAX];
};

/* Parses @node into what @target points to. */
typedef int (*field_fn)(struct parse *p, const struct node *node, void *target);

struct field {
	const char *name; /* NULL ends the table */
	field_fn parse; /* NULL: known, but of no interest here */
	size_t offset; /* in the target */
	bool required;
};

#define FIELD(type, member, fn) .parse = (fn), .offset = offsetof(type, member)

/* One element of a list. */
struct list_spec {
	field_fn parse;
	size_t size; /* of an element */
	size_t max; /* elements */
	size_t min;
	const char *of; /* "addresses": for messages */
};

void parse_error(struct parse *p, const struct node *node, const char *format, ...) _printf_(3, 4);

/* "expected X, got a list" */
void parse_wrong_type(struct parse *p, const struct node *node, const char *expected);

/* Names the member of the path that follows; returns what parse_leave() wants. */
size_t parse_enter(struct parse *p, const char *field);
size_t parse_enter_index(struct parse *p, size_t i);
void parse_leave(struct parse *p, size_t before);

/* The value of @key in a map, NULL when there is none, or one that counts as none. */
const struct node *parse_given(const struct parse *p, const struct node *map, const char *key);

/* A mapping, by its table. */
int parse_fields(struct parse *p, const struct node *node, const struct field *fields,
		 void *target);

/* A mapping of exactly one of the fields. */
int parse_one_of(struct parse *p, const struct node *node, const struct field *fields,
		 void *target);

/* How many fields of a mapping have a value. */
size_t parse_count_given(const struct parse *p, const struct node *map);

/* A list into an array in the set's arena. */
int parse_list(struct parse *p, const struct node *node, const struct list_spec *spec, void **ret,
	       size_t *ret_n);

struct place parse_place(const struct parse *p, const struct node *node);

/* Text, not a number or truth value; NULL after an error. @what: "a namespace" */
const char *parse_text_of(struct parse *p, const struct node *node, const char *what);

/* true or false into a bool. */
int parse_bool(struct parse *p, const struct node *node, void *target);

/* Text with a check on it; a copy goes to the (const char *) target. */
struct text_spec {
	const char *what;
	const char *(*problem)(const char *text);
};
int parse_checked_text(struct parse *p, const struct node *node, const struct text_spec *spec,
		       const char **ret);

/* One word of several. The last has no name. */
struct choice {
	const char *name;
	uint8_t value;
};
int parse_choice(struct parse *p, const struct node *node, const struct choice *choices,
		 uint8_t *ret);

/* A whole decimal number in [min, max]. Returns whether it was one. */
bool parse_number(struct parse *p, const struct node *node, uint32_t min, uint32_t max,
		  uint32_t *ret);
