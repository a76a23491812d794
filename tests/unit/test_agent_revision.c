/* SPDX-License-Identifier: Apache-2.0 */
/* One revision as bytes, and who asked for it. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sys/socket.h>

#include "user/agent/revision.h"

static struct source_documents documents_of(const char *name, const char *text)
{
	struct source_documents documents = { .n = 1 };

	documents.item = calloc(1, sizeof(*documents.item));
	documents.item[0] = (struct source_document){
		.name = strdup(name),
		.text = strdup(text),
		.length = strlen(text),
	};
	return documents;
}

struct text_case {
	char text[160];
};

#define HEAD(fields) "{\"revision\":1,\"time_ns\":1,\"author\":\"a\",\"note\":\"\"," fields "}\n"
#define COUNTS "\"workloads\":0,\"policies\":0,\"rules\":0"

ParameterizedTestParameters(revision, malformed)
{
	static struct text_case cases[] = {
		{ "" },
		{ "\n" },
		{ "[]\n" },
		{ "{}\n" },
		{ "{" },
		{ HEAD(COUNTS) },
		{ HEAD(COUNTS ",\"documents\":{}") },
		{ HEAD(COUNTS ",\"documents\":[{\"name\":\"a\",\"length\":1}]") },
		{ HEAD(COUNTS ",\"documents\":[{\"name\":\"a\",\"length\":-1}]") },
		{ HEAD(COUNTS ",\"documents\":[{\"length\":0}]") },
		{ HEAD(COUNTS ",\"documents\":[]") "more" },
		{ HEAD("\"workloads\":-1,\"policies\":0,\"rules\":0,\"documents\":[]") },
		{ HEAD("\"workloads\":\"0\",\"policies\":0,\"rules\":0,\"documents\":[]") },
		{ HEAD("\"revision\":1," COUNTS ",\"documents\":[]") },
	};

	return cr_make_param_array(struct text_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct text_case *c, revision, malformed)
{
	struct source_documents documents = { 0 };
	struct revision revision;

	cr_expect_eq(revision_decode(c->text, strlen(c->text), &revision, &documents), -EBADMSG,
		     "%s", c->text);
	cr_expect_eq(documents.n, 0);
}

Test(revision, no_documents_at_all)
{
	const char *text = HEAD(COUNTS ",\"documents\":[]");
	struct source_documents documents = { 0 };
	struct revision revision;

	cr_assert_eq(revision_decode(text, strlen(text), &revision, &documents), 0);
	cr_expect_eq(documents.n, 0);
	source_documents_done(&documents);
}

Test(revision, digest_tells_names_texts_and_their_borders_apart)
{
	static const char *const sets[][2] = {
		{ "a", "bc" }, { "ab", "c" }, { "a", "bd" }, { "b", "bc" }, { "", "abc" },
	};
	struct cs_key seen[ARRAY_SIZE(sets)];

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		struct source_documents documents = documents_of(sets[i][0], sets[i][1]);

		seen[i] = revision_digest(&documents);
		source_documents_done(&documents);
		for (size_t j = 0; j < i; j++)
			cr_expect(seen[i].k0 != seen[j].k0 && seen[i].k1 != seen[j].k1, "%zu %zu",
				  i, j);
	}
}

/* ---- who it was ---- */

Test(origin, peer_of_a_socket)
{
	struct origin origin;
	char want[64];
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(origin_of_peer(fds[0], "b\xc3\xa4r", &origin), 0);
	snprintf(want, sizeof(want), "(uid %u, pid %d)", getuid(), getpid());
	cr_expect(strstr(origin.author, want), "%s", origin.author);
	if (getuid() == 0)
		cr_expect(strstr(origin.author, "root ") == origin.author, "%s", origin.author);
	cr_expect_str_eq(origin.note, "b\xc3\xa4r");
	cr_assert_eq(origin_of_peer(fds[0], NULL, &origin), 0);
	cr_expect_str_empty(origin.note);
	close(fds[0]);
	close(fds[1]);
}

struct note_case {
	char note[NOTE_MAX + 8];
	bool fine;
};

ParameterizedTestParameters(origin, note)
{
	static struct note_case cases[] = {
		{ "", true },
		{ "OPS-42: why", true },
		{ "\xe2\x82\xac", true },
		{ "two\nlines", false },
		{ "\x1b[31m", false },
		{ "\x7f", false },
		{ "\xc2\x9b", false },
		{ "tab\t", false },
	};

	return cr_make_param_array(struct note_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct note_case *c, origin, note)
{
	cr_expect_eq(note_is_fine(c->note), c->fine, "%s", c->note);
}

Test(origin, note_length)
{
	char note[NOTE_MAX + 2];

	memset(note, 'x', sizeof(note));
	note[NOTE_MAX + 1] = '\0';
	cr_expect(!note_is_fine(note));
	note[NOTE_MAX] = '\0';
	cr_expect(note_is_fine(note));
}

/* Whatever a disk makes of a file that the digest did not guard: refused or read, no crash. */
Test(revision, any_byte_changed_or_cut)
{
	struct source_documents documents = documents_of("/m/a.yaml", "kind: Workload\n");
	struct revision revision = { .number = 1, .origin = { "root (uid 0, pid 7)", "why" } };
	_cleanup_free_ char *bytes = NULL;
	unsigned int refused = 0;
	size_t length;

	cr_assert_eq(revision_encode(&revision, &documents, &bytes, &length), 0);
	source_documents_done(&documents);
	for (size_t i = 0; i < length; i++) {
		for (unsigned int value = 0; value < 256; value += 5) {
			char kept = bytes[i];

			bytes[i] = (char)value;
			if (revision_decode(bytes, length, &revision, &documents) == 0)
				source_documents_done(&documents);
			else
				refused++;
			bytes[i] = kept;
		}
		cr_expect_eq(revision_decode(bytes, i, &revision, &documents), -EBADMSG,
			     "cut at %zu", i);
	}
	cr_expect_gt(refused, 1000);
	cr_expect_eq(revision_decode(bytes, length, &revision, NULL), 0);
}
