/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzer found worth keeping goes through the parsers again in every test run. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>

#include "user/base/file.h"

#define INPUT_MAX 65536
#define INPUTS_MIN 50
#define SPIFFE_INPUTS_MIN 20
#define KUBE_INPUTS_MIN 20

/* LLVMFuzzerTestOneInput() of tests/fuzz/fuzz_*.c, as the Makefile renames it here. */
typedef int (*fuzz_fn)(const uint8_t *data, size_t size);
int fuzz_policy(const uint8_t *data, size_t size);
int fuzz_node_record(const uint8_t *data, size_t size);
int fuzz_spiffe(const uint8_t *data, size_t size);
int fuzz_kube_stream(const uint8_t *data, size_t size);
int fuzz_kubeconfig(const uint8_t *data, size_t size);

static size_t replay(const char *directory, fuzz_fn fuzz)
{
	char path[4096];
	DIR *dir;
	size_t n = 0;

	snprintf(path, sizeof(path), "%.*stests/fuzz/corpus/%s",
		 (int)(strstr(__FILE__, "tests/unit/") - __FILE__), __FILE__, directory);
	dir = opendir(path);
	cr_assert_not_null(dir, "%s", path);
	for (struct dirent *entry; (entry = readdir(dir));) {
		_cleanup_free_ char *text = NULL;
		size_t length;

		if (entry->d_name[0] == '.')
			continue;
		cr_assert_eq(file_read_at(dirfd(dir), entry->d_name, INPUT_MAX, &text, &length), 0,
			     "%s", entry->d_name);
		fuzz((const uint8_t *)text, length);
		n++;
	}
	closedir(dir);
	return n;
}

Test(fuzz_corpus, policy)
{
	cr_expect_geq(replay("policy", fuzz_policy), INPUTS_MIN);
}

Test(fuzz_corpus, spiffe)
{
	cr_expect_geq(replay("spiffe", fuzz_spiffe), SPIFFE_INPUTS_MIN);
}

Test(fuzz_corpus, node_record)
{
	cr_expect_geq(replay("node_record", fuzz_node_record), INPUTS_MIN);
}

Test(fuzz_corpus, kube_stream)
{
	cr_expect_geq(replay("kube_stream", fuzz_kube_stream), KUBE_INPUTS_MIN);
}

Test(fuzz_corpus, kubeconfig)
{
	cr_expect_geq(replay("kubeconfig", fuzz_kubeconfig), KUBE_INPUTS_MIN);
}
