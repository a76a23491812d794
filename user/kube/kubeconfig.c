/* SPDX-License-Identifier: Apache-2.0 */
#include "user/kube/kubeconfig.h"

#include <fcntl.h>
#include <libgen.h>
#include <openssl/evp.h>

#include "user/base/file.h"

static int parse_failed(const char *path, const yaml_parser_t *parser, struct kube_error *reterr)
{
	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return kube_fail(reterr, -EBADMSG, "%s:%zu: is no YAML: %s", path,
			 parser->problem_mark.line + 1,
			 parser->problem ? parser->problem : "syntax error");
}

static int check_root(struct kubeconfig *file, struct kube_error *reterr)
{
	const yaml_node_t *root = kubeconfig_root(file);

	/* An empty file is a configuration that says nothing, as for kubectl. */
	if (!root || root->type == YAML_MAPPING_NODE)
		return 0;
	if (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0)
		return 0;
	return kube_fail(reterr, -EBADMSG, "%s:%zu: is no kubeconfig: a mapping is expected",
			 file->path, root->start_mark.line + 1);
}

int kubeconfig_parse(const char *path, const char *text, size_t length, struct kubeconfig *ret,
		     struct kube_error *reterr)
{
	struct kubeconfig file = { .path = strdup(path) };
	_cleanup_free_ char *copy = strdup(path);
	yaml_parser_t parser;
	int r = -ENOMEM;

	if (!file.path || !copy)
		goto out;
	file.directory = strdup(dirname(copy));
	if (!file.directory || !yaml_parser_initialize(&parser))
		goto out;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	file.loaded = yaml_parser_load(&parser, &file.document);
	r = file.loaded ? check_root(&file, reterr) : parse_failed(path, &parser, reterr);
	yaml_parser_delete(&parser);
out:
	if (r < 0)
		kubeconfig_done(&file);
	else
		*ret = file;
	return r;
}

int kubeconfig_load(const char *path, struct kubeconfig *ret, struct kube_error *reterr)
{
	size_t length;
	char *text;
	int r;

	r = file_read_at(AT_FDCWD, path, KUBE_FILE_BYTES_MAX, &text, &length);
	if (r < 0)
		return kube_fail(reterr, r, "cannot read the kubeconfig %s: %s", path,
				 strerror(-r));
	r = kubeconfig_parse(path, text, length, ret, reterr);
	explicit_bzero(text, length);
	free(text);
	return r;
}

/* It holds tokens and keys. What libyaml copied while it read is not ours to wipe. */
static void wipe(yaml_document_t *document)
{
	for (yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++)
		if (node->type == YAML_SCALAR_NODE)
			explicit_bzero(node->data.scalar.value, node->data.scalar.length);
}

void kubeconfig_done(struct kubeconfig *file)
{
	if (file->loaded) {
		wipe(&file->document);
		yaml_document_delete(&file->document);
	}
	free(file->path);
	free(file->directory);
	*file = (struct kubeconfig){ 0 };
}

yaml_node_t *kubeconfig_root(struct kubeconfig *file)
{
	return file->loaded ? yaml_document_get_root_node(&file->document) : NULL;
}

yaml_node_t *kubeconfig_node(struct kubeconfig *file, int index)
{
	return yaml_document_get_node(&file->document, index);
}

int kube_spot_fail(const struct kube_spot *spot, int r, const yaml_node_t *at, const char *field,
		   const char *format, ...)
{
	char text[KUBE_ERROR_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return kube_fail(spot->error, r, "%s:%zu: %s%s%.64s%s%s%s: %s", spot->file->path,
			 at ? at->start_mark.line + 1 : 1, spot->what, spot->name ? " \"" : "",
			 spot->name ? spot->name : "", spot->name ? "\"" : "", field ? ": " : "",
			 field ? field : "", text);
}

static bool is_null(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return streq(text, "") || streq(text, "~") || streq(text, "null");
}

static bool key_is(const yaml_node_t *key, const char *name)
{
	return key->type == YAML_SCALAR_NODE && key->data.scalar.length == strlen(name) &&
	       memcmp(key->data.scalar.value, name, strlen(name)) == 0;
}

int kube_spot_get(const struct kube_spot *spot, const char *field, yaml_node_t **ret)
{
	yaml_node_t *found = NULL;

	if (!spot->map) {
		*ret = NULL;
		return 0;
	}
	for (yaml_node_pair_t *pair = spot->map->data.mapping.pairs.start;
	     pair < spot->map->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = kubeconfig_node(spot->file, pair->key);

		if (!key_is(key, field))
			continue;
		if (found)
			return kube_spot_fail(spot, -EBADMSG, key, field,
					      "is given twice: remove one");
		found = kubeconfig_node(spot->file, pair->value);
	}
	*ret = found && !is_null(found) ? found : NULL;
	return 0;
}

int kube_spot_text(const struct kube_spot *spot, const char *field, char **ret)
{
	yaml_node_t *node;
	int r;

	r = kube_spot_get(spot, field, &node);
	if (r < 0 || !node || (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0)) {
		if (r == 0)
			*ret = NULL;
		return r;
	}
	if (node->type != YAML_SCALAR_NODE)
		return kube_spot_fail(spot, -EBADMSG, node, field, "text is expected");
	/* A NUL or a line end would smuggle something into a header or a path. */
	if (memchr(node->data.scalar.value, 0, node->data.scalar.length))
		return kube_spot_fail(spot, -EBADMSG, node, field, "has a NUL character");
	*ret = strdup((const char *)node->data.scalar.value);
	return *ret ? 0 : -ENOMEM;
}

int kube_spot_bool(const struct kube_spot *spot, const char *field, bool *ret)
{
	yaml_node_t *node;
	int r;

	r = kube_spot_get(spot, field, &node);
	if (r < 0)
		return r;
	if (node && node->type == YAML_SCALAR_NODE &&
	    streq((const char *)node->data.scalar.value, "true"))
		*ret = true;
	else if (!node || (node->type == YAML_SCALAR_NODE &&
			   streq((const char *)node->data.scalar.value, "false")))
		*ret = false;
	else
		return kube_spot_fail(spot, -EBADMSG, node, field, "is neither true nor false");
	return 0;
}

int kube_spot_path(const struct kube_spot *spot, const char *field, char **ret)
{
	_cleanup_free_ char *text = NULL;
	int r;

	r = kube_spot_text(spot, field, &text);
	if (r < 0)
		return r;
	*ret = !text || text[0] == '/' ? TAKE_PTR(text) : path_join(spot->file->directory, text);
	return !text || *ret ? 0 : -ENOMEM;
}

/* As EVP decodes it: in lines or in one. Returns the length, or -EBADMSG. */
static int decode(const char *text, char *ret)
{
	EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
	int n, rest, r = -EBADMSG;

	if (!context)
		return -ENOMEM;
	EVP_DecodeInit(context);
	if (EVP_DecodeUpdate(context, (unsigned char *)ret, &n, (const unsigned char *)text,
			     (int)strlen(text)) >= 0 &&
	    EVP_DecodeFinal(context, (unsigned char *)ret + n, &rest) > 0)
		r = n + rest;
	EVP_ENCODE_CTX_free(context);
	return r;
}

int kube_spot_data(const struct kube_spot *spot, const char *field, char **ret, size_t *ret_length)
{
	yaml_node_t *node = NULL;
	char *text, *data;
	int r, length;

	r = kube_spot_text(spot, field, &text);
	if (r < 0 || !text) {
		if (r == 0)
			*ret = NULL;
		return r;
	}
	data = malloc(strlen(text) + 1);
	length = data ? decode(text, data) : -ENOMEM;
	kube_secret_free(text);
	if (length == -ENOMEM) {
		free(data);
		return -ENOMEM;
	}
	if (length > 0)
		data[length] = '\0';
	if (length <= 0 || !strstr(data, "-----BEGIN ")) {
		if (length > 0)
			explicit_bzero(data, (size_t)length);
		free(data);
		kube_spot_get(spot, field, &node);
		return kube_spot_fail(spot, -EBADMSG, node, field,
				      "is not PEM in base64: use `base64 -w0 FILE`");
	}
	*ret = data;
	*ret_length = (size_t)length;
	return 0;
}

int kube_spot_map(const struct kube_spot *spot, const char *field, struct kube_spot *ret)
{
	struct kube_spot map = *spot;
	int r;

	r = kube_spot_get(spot, field, &map.map);
	if (r < 0)
		return r;
	if (map.map && map.map->type != YAML_MAPPING_NODE)
		return kube_spot_fail(spot, -EBADMSG, map.map, field, "a mapping is expected");
	*ret = map;
	return 0;
}

int kube_spot_list(const struct kube_spot *spot, const char *field, yaml_node_t **ret)
{
	yaml_node_t *node;
	int r;

	r = kube_spot_get(spot, field, &node);
	if (r < 0)
		return r;
	if (node && node->type != YAML_SEQUENCE_NODE)
		return kube_spot_fail(spot, -EBADMSG, node, field, "a list is expected");
	*ret = node;
	return 0;
}
