/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/pod_cgroup.h"

#include <ctype.h>

#define ROOT "kubepods"
#define SLICE ".slice"
#define STATIC_UID_LENGTH 32
#define CONTAINER_ID_MIN 12

/* A name within a path. */
struct part {
	const char *at;
	size_t n;
};

static const char *const classes[] = { "burstable", "besteffort" };

/* Of container runtimes: what is before the id in the names that they make. */
static const char *const runtimes[] = { "cri-containerd-", "crio-", "docker-", "libpod-", "" };

static struct part part_at(const char *path)
{
	return (struct part){ path, strcspn(path, "/") };
}

/* The part behind; its length is 0 at the end of the path. */
static struct part part_after(struct part part)
{
	const char *end = part.at + part.n;

	return part_at(end + (*end == '/'));
}

/* Takes @text from the part's start; whether it was there. */
static bool take(struct part *part, const char *text, size_t n)
{
	if (part->n < n || memcmp(part->at, text, n) != 0)
		return false;
	part->at += n;
	part->n -= n;
	return true;
}

static bool take_text(struct part *part, const char *text)
{
	return take(part, text, strlen(text));
}

static bool drop_end(struct part *part, const char *end)
{
	size_t n = strlen(end);

	if (part->n < n || memcmp(part->at + part->n - n, end, n) != 0)
		return false;
	part->n -= n;
	return true;
}

/* A slice's name repeats those of the slices above it: "a-b.slice" is in "a.slice". */
static bool is_slice_root(struct part part)
{
	struct part name = part;

	if (!drop_end(&name, SLICE) || !drop_end(&name, ROOT))
		return false;
	return !name.n || (name.n > 1 && name.at[name.n - 1] == '-');
}

static bool is_root(struct part part)
{
	return (part.n == strlen(ROOT) && take_text(&part, ROOT)) || is_slice_root(part);
}

static bool uid_char(char c, bool systemd)
{
	return islower((unsigned char)c) || isdigit((unsigned char)c) || c == (systemd ? '_' : '-');
}

/* "pod<uid>"; systemd's names have _ for -, which is their separator. */
static bool parse_pod(struct part part, bool systemd, char *ret_uid)
{
	char uid[POD_UID_MAX + 1];

	if (!take_text(&part, "pod") || !part.n || part.n > POD_UID_MAX)
		return false;
	for (size_t i = 0; i < part.n; i++) {
		if (!uid_char(part.at[i], systemd))
			return false;
		uid[i] = part.at[i] == '_' ? '-' : part.at[i];
	}
	uid[part.n] = '\0';
	if (!pod_uid_valid(uid))
		return false;
	strcpy(ret_uid, uid);
	return true;
}

/* What a slice's name has behind those of the slices that it is in. */
static bool take_slice(struct part *part, struct part above)
{
	drop_end(&above, SLICE);
	return drop_end(part, SLICE) && take(part, above.at, above.n) && take_text(part, "-");
}

static bool is_class(struct part part)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (part.n == strlen(classes[i]) && memcmp(part.at, classes[i], part.n) == 0)
			return true;
	return false;
}

/* The outermost "kubepods". */
static bool find_root(const char *path, struct part *ret)
{
	for (struct part part = part_at(path); part.n; part = part_after(part)) {
		if (!is_root(part))
			continue;
		*ret = part;
		return true;
	}
	return false;
}

/* The class that @part is, if it is one; then the name that a pod's begins with. */
static bool class_at(struct part part, struct part root, bool systemd)
{
	return (!systemd || take_slice(&part, root)) && is_class(part);
}

/* The 12 to 64 hexadecimal digits that runtimes call a container. */
static void parse_container(struct part part, char *ret)
{
	drop_end(&part, ".scope");
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (take_text(&part, runtimes[i]))
			break;
	if (part.n < CONTAINER_ID_MIN || part.n > POD_CONTAINER_MAX)
		return;
	for (size_t i = 0; i < part.n; i++)
		if (!isxdigit((unsigned char)part.at[i]))
			return;
	memcpy(ret, part.at, part.n);
	ret[part.n] = '\0';
}

bool pod_cgroup_parse(const char *path, struct pod_cgroup *ret)
{
	struct pod_cgroup found = { 0 };
	struct part root, above, name, pod;
	bool systemd;

	if (!find_root(path, &root))
		return false;
	systemd = is_slice_root(root);
	found.root = root.at + root.n - path;
	above = root;
	pod = part_after(root);
	if (class_at(pod, root, systemd)) {
		above = pod;
		pod = part_after(pod);
	}
	name = pod;
	if (pod.n && (!systemd || take_slice(&name, above)) &&
	    parse_pod(name, systemd, found.uid)) {
		found.pod = pod.at + pod.n - path;
		parse_container(part_after(pod), found.container);
	}
	*ret = found;
	return true;
}

bool pod_cgroup_holds_pods(const char *path)
{
	struct part root, class;

	if (!find_root(path, &root))
		return false;
	class = part_after(root);
	if (!class.n)
		return true;
	return class_at(class, root, is_slice_root(root)) && !part_after(class).n;
}

bool pod_uid_valid(const char *uid)
{
	size_t n = strlen(uid);

	if (!n || n > POD_UID_MAX || uid[0] == '-' || uid[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!uid_char(uid[i], /* systemd= */ false))
			return false;
	return true;
}

bool pod_uid_is_static(const char *uid)
{
	return strlen(uid) == STATIC_UID_LENGTH &&
	       strspn(uid, "0123456789abcdef") == STATIC_UID_LENGTH;
}
