/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/lint.h"

#include <stdarg.h>

#include "user/policy/errors.h"
#include "user/policy/lint_work.h"

#define OBJECT_MAX 640 /* bytes of "Kind namespace/name#rule"; longer ones are cut */

const struct lint_info lint_infos[LINT_CODES_MAX] = {
#define X(code, name, severity, title, why, remedy) \
	[LINT_##name] = { code, title, why, remedy, LINT_##severity },
	LINT_CODES(X)
#undef X
};

static const char *const severity_names[LINT_SEVERITIES] = {
	[LINT_INFO] = "info",
	[LINT_WARNING] = "warning",
	[LINT_ERROR] = "error",
};

const char *lint_severity_name(enum lint_severity severity)
{
	return severity_names[severity];
}

int lint_severity_by_name(const char *name, enum lint_severity *ret)
{
	for (size_t i = 0; i < LINT_SEVERITIES; i++) {
		if (!streq(name, severity_names[i]))
			continue;
		*ret = i;
		return 0;
	}
	return -EINVAL;
}

enum lint_code lint_code_by_text(const char *text, size_t length)
{
	for (size_t i = 0; i < LINT_CODES_MAX; i++)
		if (strlen(lint_infos[i].code) == length &&
		    strncmp(lint_infos[i].code, text, length) == 0)
			return i;
	return LINT_CODES_MAX;
}

static void finding_done(struct finding *finding)
{
	free(finding->file);
	free(finding->object);
	free(finding->message);
	free(finding->related_file);
}

void findings_done(struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++)
		finding_done(&findings->item[i]);
	free(findings->item);
	*findings = (struct findings){ 0 };
}

/* Room for one more; NULL: no memory. */
static struct finding *findings_grow(struct findings *findings)
{
	size_t capacity = findings->capacity ? 2 * findings->capacity : 16;
	struct finding *item;

	if (findings->n < findings->capacity)
		return &findings->item[findings->n];
	item = realloc(findings->item, capacity * sizeof(*item));
	if (!item)
		return NULL;
	findings->item = item;
	findings->capacity = capacity;
	return &item[findings->n];
}

/* Takes over what @finding owns. */
static int findings_take(struct findings *findings, struct finding *finding)
{
	struct finding *slot;

	findings->count[lint_infos[finding->code].severity]++;
	if (findings->n == LINT_FINDINGS_MAX) {
		findings->left_out++;
		finding_done(finding);
		return 0;
	}
	slot = findings_grow(findings);
	if (!slot || !finding->file || !finding->object || !finding->message) {
		finding_done(finding);
		return -ENOMEM;
	}
	*slot = *finding;
	findings->n++;
	return 0;
}

/* "shop/payments#from-checkout", "#2" for rules without names, no "/" for cluster kinds. */
static void put_rule(const struct policy *policy, const struct rule *rule, char *ret, size_t size)
{
	const char *name = rule ? rule->name : "";

	snprintf(ret, size, "%s%s%s%s%s", policy->namespace, *policy->namespace ? "/" : "",
		 policy->name, rule && *name != '#' ? "#" : "", name);
}

const char *lint_rule_text(struct lint *l, const struct policy *policy, const struct rule *rule)
{
	char text[OBJECT_MAX];

	put_rule(policy, rule, text, sizeof(text));
	return arena_strdup(&l->arena, text) ?: "";
}

static char *object_text(const struct about *about)
{
	char name[OBJECT_MAX] = "", *text = NULL;

	if (!about->policy)
		return strdup("");
	put_rule(about->policy, about->rule, name, sizeof(name));
	return asprintf(&text, "%s %s", about->policy->kind, name) < 0 ? NULL : text;
}

int lint_add(struct findings *findings, const struct about *about, const char *format, ...)
{
	struct finding finding = { .code = about->code, .line = about->place->line };
	va_list args;

	if (findings->ignored[about->code])
		return 0;
	va_start(args, format);
	if (vasprintf(&finding.message, format, args) < 0)
		finding.message = NULL;
	va_end(args);
	finding.file = strdup(about->place->file ?: "");
	finding.object = object_text(about);
	if (about->related) {
		finding.related_file = strdup(about->related->file ?: "");
		finding.related_line = about->related->line;
	}
	return findings_take(findings, &finding);
}

int findings_add_errors(struct findings *findings, enum lint_code code,
			const struct policy_errors *errors)
{
	int r = 0;

	for (size_t i = 0; i < errors->n && r == 0; i++) {
		const struct policy_error *error = &errors->item[i];
		const struct place place = { error->file, error->line };

		r = lint_add(findings, &(struct about){ .code = code, .place = &place }, "%s%s%s",
			     error->field, *error->field ? ": " : "", error->message);
	}
	findings->left_out += errors->total - errors->n;
	findings->count[lint_infos[code].severity] += errors->total - errors->n;
	return r;
}

static int finding_compare(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (!order)
		order = (x->line > y->line) - (x->line < y->line);
	if (!order)
		order = (int)x->code - (int)y->code;
	if (!order)
		order = strcmp(x->object, y->object);
	return order ? order : strcmp(x->message, y->message);
}

void findings_sort(struct findings *findings)
{
	if (findings->n)
		qsort(findings->item, findings->n, sizeof(*findings->item), finding_compare);
}

int lint_policies(const struct policy_set *set, const struct image *image,
		  const struct lint_options *options, struct findings *findings)
{
	static int (*const steps[])(struct lint * l) = {
		lint_index, lint_select, lint_where, lint_ports,
		lint_open,  lint_time,	 lint_order, lint_reach,
	};
	struct lint l = { .set = set, .image = image, .options = options, .findings = findings };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](&l);
	keymap_done(&l.by_namespace);
	keymap_done(&l.subsets);
	keymap_done(&l.ties);
	arena_done(&l.arena);
	findings_sort(findings);
	return r;
}
