/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/image.h"

static void image_free_workloads(struct image *image)
{
	for (size_t i = 0; i < image->n_workloads; i++) {
		free(image->workloads[i].namespace);
		free(image->workloads[i].name);
		free(image->workloads[i].cgroup);
		free(image->workloads[i].systemd_unit);
	}
	free(image->workloads);
}

static void image_free_identities(struct image *image)
{
	for (size_t i = 0; i < image->n_identities; i++) {
		free(image->identities[i].namespace);
		free(image->identities[i].service_account);
		free(image->identities[i].workload);
		free(image->identities[i].labels);
	}
	free(image->identities);
}

static void image_free_rules(struct image *image)
{
	for (size_t i = 0; i < image->n_rules; i++) {
		free(image->rules[i].kind);
		free(image->rules[i].namespace);
		free(image->rules[i].policy);
		free(image->rules[i].rule);
	}
	free(image->rules);
}

void image_free(struct image *image)
{
	if (!image)
		return;
	image_free_workloads(image);
	image_free_identities(image);
	image_free_rules(image);
	free(image->rulesets);
	free(image->bitmaps);
	free(image->names);
	free(image->endpoints);
	free(image->classes);
	free(image);
}
