/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/epochs.h"

#include "user/flow/flow.h"

static void let_go(struct image *image)
{
	flow_forget_image(image);
	image_free(image);
}

void epochs_done(struct epochs *epochs)
{
	for (size_t i = 0; i < EPOCHS_KEPT; i++)
		let_go(epochs->kept[i].image);
	*epochs = (struct epochs){ 0 };
}

void epochs_add(struct epochs *epochs, uint32_t epoch, struct image *image)
{
	size_t i = epoch % EPOCHS_KEPT;

	if (epochs->current != epoch && epochs_current(epochs)) {
		struct image *before = epochs->kept[epochs->current % EPOCHS_KEPT].image;

		flow_forget_image(before); /* it knows where in the image things were */
		image_keep_names(before);
	}
	let_go(epochs->kept[i].image);
	epochs->kept[i].image = image;
	epochs->kept[i].epoch = epoch;
	epochs->current = epoch;
}

const struct image *epochs_at(const struct epochs *epochs, uint32_t epoch)
{
	size_t i = epoch % EPOCHS_KEPT;

	return epoch && epochs->kept[i].epoch == epoch ? epochs->kept[i].image : NULL;
}

const struct image *epochs_current(const struct epochs *epochs)
{
	return epochs_at(epochs, epochs->current);
}
