/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's allocations, so that a stretch of its code can be made to use the secure heap.
 * Everything else goes to malloc(3) as always.
 */
#include <malloc.h>
#include <openssl/crypto.h>

#include "user/credential/secret_internal.h"

static _Thread_local bool in_section;

static void *allocate(size_t size, const char *file, int line)
{
	if (!in_section)
		return malloc(size);
	return CRYPTO_secure_malloc(size, file, line);
}

static void release(void *memory, const char *file, int line)
{
	if (CRYPTO_secure_allocated(memory))
		CRYPTO_secure_free(memory, file, line); /* wipes */
	else
		free(memory);
}

static void *reallocate(void *memory, size_t size, const char *file, int line)
{
	bool secure = memory && CRYPTO_secure_allocated(memory);
	size_t old;
	void *more;

	if (!secure && !in_section)
		return realloc(memory, size);
	more = CRYPTO_secure_malloc(size, file, line);
	if (!more || !memory)
		return more;
	old = secure ? CRYPTO_secure_actual_size(memory) : malloc_usable_size(memory);
	memcpy(more, memory, MIN(old, size));
	release(memory, file, line);
	return more;
}

void secret_allocator_install(void)
{
	/* Refused when OpenSSL allocated before: then RSA and Ed25519 keys have a copy outside
	 * the secure heap, wiped when they are freed. EC keys do not need this. */
	CRYPTO_set_mem_functions(allocate, reallocate, release);
}

void secret_section_begin(void)
{
	in_section = CRYPTO_secure_malloc_initialized();
}

void secret_section_end(void)
{
	in_section = false;
}
