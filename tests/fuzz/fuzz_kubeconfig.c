/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer's way into kubeconfigs: any bytes as a file. It gives a server, or is refused in words
 * that name the file.
 */
#include "user/kube/config_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_config *config = calloc(1, sizeof(*config));
	struct kube_error error = { "" };
	int r;

	PROMISE(config);
	r = kube_config_text("/etc/kubeconfig", (const char *)data, size, config, &error);
	PROMISE(r == 0 || r == -EBADMSG || r == -ENOTSUP || r == -ENOMEM);
	PROMISE((r == 0 || r == -ENOMEM) == (error.text[0] == '\0'));
	PROMISE(r < 0 || (config->server && strstr(config->server, "://")));
	PROMISE(r == 0 || startswith(error.text, "/etc/kubeconfig"));
	kube_config_free(config);
	return 0;
}
