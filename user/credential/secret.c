/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include "user/credential/error.h"
#include "user/credential/secret_internal.h"
#include "user/credential/text.h"

#define SECRET_PIECE_MIN 16 /* the heap's smallest piece */

/* Memory of the secure heap that is wiped when it goes out of scope. */
struct secret {
	uint8_t *bytes;
	size_t size;
};

static void secret_done(struct secret *secret)
{
	OPENSSL_secure_clear_free(secret->bytes, secret->size);
}

static int secret_new(struct secret *secret, size_t size, struct credential_error *reterr)
{
	secret->bytes = OPENSSL_secure_malloc(size);
	if (!secret->bytes)
		return credential_fail(reterr, -ENOMEM, "the heap for private keys is full");
	secret->size = size;
	return 0;
}

int secret_init(struct credential_error *reterr)
{
	if (CRYPTO_secure_malloc_initialized())
		return 0;
	secret_allocator_install();
	/* 2: there is memory, but it could be swapped out or dumped. Then rather none. */
	if (CRYPTO_secure_malloc_init(SECRET_HEAP_BYTES, SECRET_PIECE_MIN) == 1)
		return 0;
	CRYPTO_secure_malloc_done();
	return credential_fail(reterr, -ENOMEM,
			       "no locked memory for private keys: allow %d bytes more "
			       "(LimitMEMLOCK=, ulimit -l)",
			       SECRET_HEAP_BYTES);
}

/* Opens the file and says how long it is. */
static int open_key(int dir, const char *path, int *ret_fd, size_t *ret_size,
		    struct credential_error *reterr)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = -errno;

		return credential_fail(reterr, r, "%s: %s", path, strerror(-r));
	}
	if (!S_ISREG(st.st_mode))
		return credential_fail(reterr, -EINVAL, "%s: it is no file", path);
	if (st.st_mode & 077)
		return credential_fail(reterr, -EACCES,
				       "%s: others than its owner have rights on it (mode %03o); "
				       "chmod 0600",
				       path, st.st_mode & 0777);
	if (st.st_size > SECRET_FILE_MAX)
		return credential_fail(reterr, -EFBIG, "%s: it has more than %d bytes", path,
				       SECRET_FILE_MAX);
	*ret_size = (size_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* All of the file, with read(2) into the secure heap: no library's buffer is between. */
static int read_key(int fd, struct secret *ret, size_t *ret_length)
{
	size_t length = 0;
	ssize_t n;

	while (length < ret->size) {
		n = read(fd, ret->bytes + length, ret->size - length);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		length += n > 0 ? (size_t)n : 0;
	}
	*ret_length = length;
	return 0;
}

static bool ends_with(const struct pem_block *block, const char *end)
{
	size_t length = strlen(end);

	return block->label_length >= length &&
	       memcmp(block->label + block->label_length - length, end, length) == 0;
}

/* The one private key among the blocks; certificates and parameters may stand around it. */
static int find_key(const char *pem, size_t length, struct pem_block *ret,
		    struct credential_error *reterr)
{
	const char *at = pem, *end = pem + length;
	struct pem_block block;
	unsigned int keys = 0;
	int r;

	while ((r = pem_next(&at, end, &block)) > 0) {
		if (!ends_with(&block, "PRIVATE KEY"))
			continue;
		keys++;
		*ret = block;
	}
	if (r < 0)
		return credential_fail(reterr, r,
				       "a PEM block is not ended: the file was cut off?");
	if (keys != 1)
		return credential_fail(reterr, keys ? -EINVAL : -ENODATA,
				       "there is %s private key in it",
				       keys ? "more than one" : "no");
	if (pem_is(ret, "ENCRYPTED PRIVATE KEY") ||
	    memmem(ret->body, ret->body_length, "Proc-Type:", strlen("Proc-Type:")))
		return credential_fail(
			reterr, -EINVAL,
			"the private key is encrypted; write it without a passphrase, "
			"in a file of mode 0600, or keep it in a token (a key URI)");
	return 0;
}

static int decode_pem(const char *pem, size_t length, EVP_PKEY **ret,
		      struct credential_error *reterr)
{
	_cleanup_(secret_done) struct secret der = { 0 };
	struct pem_block block;
	size_t der_length;
	int r;

	r = find_key(pem, length, &block, reterr);
	if (r < 0)
		return r;
	r = secret_new(&der, base64_room(block.body_length), reterr);
	if (r < 0)
		return r;
	if (base64_decode(block.body, block.body_length, der.bytes, &der_length) < 0)
		return credential_fail(reterr, -EBADMSG, "the private key is no base64");
	return secret_key_decode(der.bytes, der_length, ret, reterr);
}

/* A DER sequence; PEM is text, and may have text of any kind in front. */
static bool is_der(const struct secret *text, size_t length)
{
	return length > 1 && text->bytes[0] == 0x30 && text->bytes[1] & 0x80 &&
	       !memmem(text->bytes, length, "-----BEGIN", strlen("-----BEGIN"));
}

static int decode_file(const struct secret *text, size_t length, EVP_PKEY **ret,
		       struct credential_error *reterr)
{
	/* A short key's length is one byte without the high bit: that is '0' and a letter. */
	if (is_der(text, length) ||
	    (length > 1 && text->bytes[0] == 0x30 && text->bytes[1] + 2U == length))
		return secret_key_decode(text->bytes, length, ret, reterr);
	return decode_pem((const char *)text->bytes, length, ret, reterr);
}

int secret_key_from_file(int dir, const char *path, EVP_PKEY **ret, struct credential_error *reterr)
{
	_cleanup_(secret_done) struct secret text = { 0 };
	struct credential_error inner = { 0 };
	_cleanup_close_ int fd = -EBADF;
	size_t size = 0, length = 0;
	int r;

	r = secret_init(reterr);
	if (r == 0)
		r = open_key(dir, path, &fd, &size, reterr);
	if (r == 0)
		r = secret_new(&text, size + 1, reterr);
	if (r < 0)
		return r;
	r = read_key(fd, &text, &length);
	if (r < 0)
		return credential_fail(reterr, r, "%s: %s", path, strerror(-r));
	r = decode_file(&text, length, ret, &inner);
	return r < 0 ? credential_fail(reterr, r, "%s: %s", path, inner.text) : 0;
}

int secret_key_from_der(const uint8_t *der, size_t length, EVP_PKEY **ret,
			struct credential_error *reterr)
{
	int r = secret_init(reterr);

	if (r < 0)
		return r;
	if (length > SECRET_FILE_MAX)
		return credential_fail(reterr, -EFBIG, "the private key has more than %d bytes",
				       SECRET_FILE_MAX);
	return secret_key_decode(der, length, ret, reterr);
}
