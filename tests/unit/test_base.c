/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "user/base/cgroup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/notify.h"
#include "user/base/quote.h"

static char directory[] = "/tmp/countersign-base.XXXXXX";

static void make_directory(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
}

static void remove_directory(void)
{
	static const char *const names[] = { "file", "fifo", "a/b/c", "a/b", "a", "socket", "." };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		remove(names[i]);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(rmdir(directory), 0);
}

TestSuite(base_file, .init = make_directory, .fini = remove_directory);
TestSuite(base_notify, .init = make_directory, .fini = remove_directory);
TestSuite(base_mounts, .init = make_directory, .fini = remove_directory);

static void put(const char *name, const char *text, size_t length)
{
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, length), (ssize_t)length);
}

Test(base_file, reads_all_and_adds_a_nul)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;

	put("file", "one\0two", 7);
	cr_assert_eq(file_read_at(AT_FDCWD, "file", 100, &text, &length), 0);
	cr_assert_eq(length, 7);
	cr_assert_arr_eq(text, "one\0two", 8);
}

Test(base_file, reads_an_empty_file)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 1;

	put("file", "", 0);
	cr_assert_eq(file_read_at(AT_FDCWD, "file", 0, &text, &length), 0);
	cr_assert_eq(length, 0);
	cr_assert_str_eq(text, "");
}

Test(base_file, limit_is_inclusive)
{
	char *text = NULL;
	size_t length = 0;

	put("file", "12345", 5);
	cr_assert_eq(file_read_at(AT_FDCWD, "file", 4, &text, &length), -EFBIG);
	cr_assert_null(text, "touched on failure");
	cr_assert_eq(file_read_at(AT_FDCWD, "file", 5, &text, &length), 0);
	cr_assert_eq(length, 5);
	free(text);
}

/* Files in /proc say that they are empty: the limit must hold for them, too. */
Test(base_file, limits_files_without_a_size)
{
	_cleanup_free_ char *text = NULL;
	size_t length = 0;

	cr_assert_eq(file_read_at(AT_FDCWD, "/proc/self/status", 16, &text, &length), -EFBIG);
	cr_assert_eq(file_read_at(AT_FDCWD, "/proc/self/status", 1 << 20, &text, &length), 0);
	cr_assert_gt(length, 16);
	cr_assert(startswith(text, "Name:"));
}

Test(base_file, refuses_what_is_no_file)
{
	char *text = NULL;
	size_t length = 0;

	cr_assert_eq(mkfifo("fifo", 0600), 0);
	cr_assert_eq(file_read_at(AT_FDCWD, "fifo", 10, &text, &length), -EINVAL, "or it hangs");
	cr_assert_eq(file_read_at(AT_FDCWD, ".", 10, &text, &length), -EINVAL);
	cr_assert_eq(file_read_at(AT_FDCWD, "nothing", 10, &text, &length), -ENOENT);
	cr_assert_null(text);
}

Test(base_file, makes_directories)
{
	struct stat st;

	cr_assert_eq(directory_make("a/b/c", 0700), 0);
	cr_assert_eq(stat("a/b/c", &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	cr_assert_eq(directory_make("a/b/c", 0755), 0, "it is there");
	put("file", "", 0);
	cr_assert_eq(directory_make("file", 0755), -ENOTDIR);
	cr_assert_eq(directory_make("file/below", 0755), -ENOTDIR);
	cr_assert_eq(directory_make("", 0755), -ENOENT);
}

Test(base, joins_paths)
{
	static const struct {
		const char *directory, *name, *expected;
	} cases[] = {
		{ "/a", "b", "/a/b" }, { "/a/", "b", "/a/b" },	    { "/a//", "b", "/a/b" },
		{ "/", "b", "/b" },    { "a/b", "c/d", "a/b/c/d" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = path_join(cases[i].directory, cases[i].name);

		cr_expect_str_eq(path, cases[i].expected);
	}
}

Test(base, quotes_what_could_forge_a_log_line)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "" },
		{ "plain text", "plain text" },
		{ "a\" level=\"x", "a\\\" level=\\\"x" },
		{ "back\\slash", "back\\\\slash" },
		{ "two\nlines\r\t", "two\\x0alines\\x0d\\x09" },
		{ "\x1b[31m\x7f", "\\x1b[31m\\x7f" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *quoted = quote(cases[i].text);

		cr_expect_str_eq(quoted, cases[i].expected);
	}
}

Test(base, writes_time_for_people)
{
	char text[CLOCK_TEXT_MAX];

	clock_text(0, text);
	cr_expect_str_eq(text, "1970-01-01T00:00:00.000Z");
	clock_text(1798761599LL * NS_PER_S + 7 * 1000000, text);
	cr_expect_str_eq(text, "2026-12-31T23:59:59.007Z");
}

Test(base, clocks_differ_by_a_constant)
{
	int64_t boot = clock_ns(CLOCK_BOOTTIME) + clock_boot_to_real_ns();
	int64_t real = clock_ns(CLOCK_REALTIME);

	cr_assert_lt(llabs(real - boot), NS_PER_S / 10);
}

Test(base_mounts, finds_cgroup2)
{
	static const char mounts[] = "proc /proc proc rw 0 0\n"
				     "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
				     "none /with\\040space cgroup2 rw 0 0\n"
				     "none /second cgroup2 rw 0 0\n";
	_cleanup_free_ char *path = NULL;

	put("file", mounts, strlen(mounts));
	cr_assert_eq(cgroup_mount_point("file", &path), 0);
	cr_assert_str_eq(path, "/with space");
}

Test(base_mounts, says_when_there_is_no_cgroup2)
{
	static const char mounts[] = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n";
	char *path = NULL;

	put("file", mounts, strlen(mounts));
	cr_assert_eq(cgroup_mount_point("file", &path), -ENODEV);
	cr_assert_eq(cgroup_mount_point("nothing", &path), -ENOENT);
	cr_assert_null(path);
}

Test(base_mounts, gives_the_id_of_a_cgroup)
{
	_cleanup_free_ char *root = NULL;
	uint64_t id = 0;
	struct stat st;

	cr_assert_eq(cgroup_id(".", &id), -EMEDIUMTYPE, "not a cgroup");
	cr_assert_eq(cgroup_id("nothing", &id), -ENOENT);
	cr_assert_eq(id, 0, "touched on failure");
	if (cgroup_mount_point("/proc/mounts", &root) < 0)
		cr_skip_test("no cgroup2 here");
	cr_assert_eq(cgroup_id(root, &id), 0);
	cr_assert_eq(stat(root, &st), 0);
	cr_assert_eq(id, st.st_ino, "on 64 bits the inode number is the id");
}

static int listen_for_notes(const struct sockaddr_un *addr, size_t length)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (const struct sockaddr *)addr, length), 0);
	return fd;
}

static void expect_note(int fd, const char *expected)
{
	char text[256];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	cr_assert_gt(n, 0, "nothing came");
	text[n] = '\0';
	cr_assert_str_eq(text, expected);
}

Test(base_notify, nobody_listens)
{
	unsetenv("NOTIFY_SOCKET");
	cr_assert_eq(notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	cr_assert_eq(notify_send("READY=1"), 0);
}

Test(base_notify, tells_a_socket_with_a_path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", directory);
	fd = listen_for_notes(&addr, sizeof(addr));
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	cr_assert_eq(notify_send("READY=1\nSTATUS=well"), 1);
	expect_note(fd, "READY=1\nSTATUS=well");
}

Test(base_notify, tells_an_abstract_socket)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -EBADF;
	char name[64];
	int n = snprintf(name, sizeof(name), "@countersign-test-%d", getpid());

	memcpy(addr.sun_path, name, n);
	addr.sun_path[0] = '\0';
	fd = listen_for_notes(&addr, offsetof(struct sockaddr_un, sun_path) + n);
	setenv("NOTIFY_SOCKET", name, 1);
	cr_assert_eq(notify_send("STOPPING=1"), 1);
	expect_note(fd, "STOPPING=1");
}

Test(base_notify, refuses_what_is_no_socket)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 2];

	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	cr_assert_eq(notify_send("READY=1"), -EAFNOSUPPORT, "too long");
	setenv("NOTIFY_SOCKET", "relative", 1);
	cr_assert_eq(notify_send("READY=1"), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	cr_assert_eq(notify_send("READY=1"), -ENOENT);
}
