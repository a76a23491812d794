/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/rule_ages.h"

#include <countersign/siphash.h>

void rule_ages_done(struct rule_ages *ages)
{
	free(ages->item);
	*ages = (struct rule_ages){ 0 };
}

static uint64_t name_of(const struct image_rule *rule)
{
	const char *const parts[] = { rule->kind, rule->namespace, rule->policy, rule->rule };
	struct cs_key sum = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		sum.k0 = cs_siphash_bytes(&sum, parts[i] ?: "", parts[i] ? strlen(parts[i]) : 0);
	return sum.k0;
}

void rule_ages_follow(struct rule_ages *ages, const struct image *image, uint64_t now_ns)
{
	struct rule_age *more;

	if (image->n_rules <= ages->n)
		return;
	more = reallocarray(ages->item, image->n_rules, sizeof(*more));
	if (!more)
		return; /* seen with the next image: a later date claims less, not more */
	ages->item = more;
	for (; ages->n < image->n_rules; ages->n++)
		ages->item[ages->n] = (struct rule_age){
			.since_ns = now_ns,
			.name = name_of(&image->rules[ages->n]),
		};
}

struct rule_age rule_ages_get(struct rule_ages *ages, const struct image *image, uint32_t id,
			      uint64_t hits, uint64_t now_ns)
{
	struct rule_age *age;

	rule_ages_follow(ages, image, now_ns);
	if (id >= ages->n || id >= image->n_rules)
		return (struct rule_age){ .since_ns = now_ns, .base = hits };
	age = &ages->item[id];
	if (age->name != name_of(&image->rules[id]))
		*age = (struct rule_age){
			.since_ns = now_ns,
			.name = name_of(&image->rules[id]),
			.base = hits,
		};
	return *age;
}
