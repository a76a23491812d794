/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/secret_pages.h"

#include <sys/mman.h>

void *secret_pages_new(size_t bytes)
{
	void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   /* cppcheck-suppress invalidFunctionArg ; MAP_ANONYMOUS wants -1 */
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	if (madvise(pages, bytes, MADV_DONTDUMP) < 0 ||
	    madvise(pages, bytes, MADV_WIPEONFORK) < 0 || mlock2(pages, bytes, MLOCK_ONFAULT) < 0) {
		int error = errno;

		munmap(pages, bytes);
		errno = error;
		return NULL;
	}
	return pages;
}

void *secret_pages_free(void *pages, size_t bytes)
{
	if (pages)
		munmap(pages, bytes);
	return NULL;
}
