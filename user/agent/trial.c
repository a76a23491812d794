/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/trial.h"

/* What one check works with. */
struct trial {
	struct policy_set *set;
	struct rule_ids *ids; /* its own: those in force keep their meaning */
	struct image *image;
};

static void trial_done(struct trial *trial)
{
	policy_set_free(trial->set);
	rule_ids_free(trial->ids);
	image_free(trial->image);
}

/* After a failure each further document is only checked, on its own, for its errors' sake. */
static int parse(struct trial *trial, const struct source_documents *documents,
		 struct policy_errors *errors)
{
	int first = 0;

	for (size_t i = 0; i < documents->n && first != -ENOMEM; i++) {
		const struct source_document *d = &documents->item[i];
		_cleanup_(policy_set_freep) struct policy_set *alone = NULL;
		int r = first < 0 ? policy_set_new(&alone) : 0;

		if (r == 0)
			r = policy_set_parse(alone ?: trial->set, d->name, d->text, d->length,
					     errors);
		first = first < 0 ? first : r;
	}
	return first;
}

int trial_check(const struct source_documents *documents, const struct policy_options *options,
		struct policy_errors *errors)
{
	_cleanup_(trial_done) struct trial trial = { 0 };
	int r;

	r = policy_set_new(&trial.set);
	if (r == 0)
		r = rule_ids_new(&trial.ids);
	if (r == 0)
		r = parse(&trial, documents, errors);
	return r < 0 ? r : policy_compile(trial.set, options, trial.ids, &trial.image, errors);
}
