/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/client_internal.h"

#define EXEC_AGAIN_MS 5000 /* a plugin that failed is not run again earlier */

struct kube_tls *kube_tls_ref(struct kube_tls *tls)
{
	tls->references++;
	return tls;
}

struct kube_tls *kube_tls_unref(struct kube_tls *tls)
{
	if (!tls || --tls->references > 0)
		return NULL;
	if (tls->key)
		explicit_bzero(tls->key, tls->key_length);
	free(tls->ca);
	free(tls->certificate);
	free(tls->key);
	free(tls);
	return NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && streq(a, b));
}

static int copy(const char *text, char **ret, size_t *ret_length)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	*ret_length = strlen(text);
	return *ret ? 0 : -ENOMEM;
}

/* What is there now in place of what connections were made with. 1: it is something else. */
static int update_tls(struct kube_client *client)
{
	const struct kube_config *config = client->config;
	const struct kube_exec *exec = config->exec;
	const char *certificate = exec ? exec->certificate : config->certificate.text;
	const char *key = exec ? exec->key : config->key.text;
	struct kube_tls *tls = client->tls;

	if (tls && same(tls->ca, config->ca.text) && same(tls->certificate, certificate) &&
	    same(tls->key, key))
		return 0;
	tls = calloc(1, sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->references = 1;
	if (copy(config->ca.text, &tls->ca, &tls->ca_length) < 0 ||
	    copy(certificate, &tls->certificate, &tls->certificate_length) < 0 ||
	    copy(key, &tls->key, &tls->key_length) < 0) {
		kube_tls_unref(tls);
		return -ENOMEM;
	}
	kube_tls_unref(client->tls);
	client->tls = tls;
	return 1;
}

static int refresh_files(struct kube_client *client, bool force, struct kube_error *reterr)
{
	struct kube_config *config = client->config;
	struct kube_file *const files[] = { &config->ca, &config->token, &config->certificate,
					    &config->key };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = kube_file_refresh(files[i], force, reterr);

		if (r < 0)
			return r;
		if (r > 0)
			client->credentials++;
	}
	return 0;
}

static void on_exec_done(void *arg, int r, const struct kube_error *error)
{
	struct kube_client *client = arg;

	client->exec = NULL;
	if (r < 0) {
		client->exec_failed_ms = kube_now_ms();
		client->exec_error = *error;
	} else {
		client->exec_failed_ms = 0;
		client->exec_fresh = true;
		client->credentials++;
	}
	kube_client_kick(client);
}

/* Many calls fail together, and each of them will be tried again: one run answers them all. */
static int run_exec(struct kube_client *client, struct kube_error *reterr)
{
	int r;

	if (client->exec)
		return 0;
	if (client->exec_failed_ms && kube_now_ms() - client->exec_failed_ms < EXEC_AGAIN_MS)
		return kube_fail(reterr, -EACCES, "%s", client->exec_error.text);
	r = kube_exec_start(client->config, client->base, on_exec_done, client, &client->exec,
			    reterr);
	if (r < 0 && reterr) {
		client->exec_failed_ms = kube_now_ms();
		client->exec_error = *reterr;
	}
	return r;
}

int kube_credentials_ready(struct kube_client *client, struct kube_error *reterr)
{
	const struct kube_exec *exec = client->config->exec;
	int r;

	r = refresh_files(client, false, reterr);
	if (r < 0)
		return r;
	/* What a plugin says now is used now, though its clock, or ours, says that it has ended. */
	if (exec && !kube_exec_valid(exec) && !(client->exec_fresh && exec->valid)) {
		r = run_exec(client, reterr);
		if (r < 0 || client->exec)
			return r;
	}
	r = update_tls(client);
	if (r < 0)
		return r;
	if (r > 0 && client->wire)
		kube_wire_retire(client->wire, true, -ECONNRESET,
				 "the CA or the client certificate changed: connecting anew");
	return 1;
}

void kube_credentials_refused(struct kube_client *client, const struct kube_call *call)
{
	/* Those are not in use any more; a plugin need not run again for each of its calls. */
	if (call->credentials != client->credentials)
		return;
	refresh_files(client, true, NULL);
	if (client->config->exec)
		client->config->exec->valid = false;
}

const char *kube_credentials_token(const struct kube_client *client)
{
	const struct kube_config *config = client->config;

	return config->exec ? config->exec->token : config->token.text;
}
