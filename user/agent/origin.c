/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/origin.h"

#include <pwd.h>
#include <sys/socket.h>

#define PASSWD_LINE_MAX 4096 /* a longer line ends the search: the number says who it was */

struct origin origin_of_agent(const char *note)
{
	struct origin origin = { .author = "countersignd" };

	snprintf(origin.note, sizeof(origin.note), "%s", note);
	return origin;
}

/* From the file alone: other sources of names may block, and the agent has one thread. */
static void user_name(uid_t uid, size_t size, char ret[static size])
{
	_cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
	struct passwd entry = { 0 }, *found;
	char line[PASSWD_LINE_MAX];

	snprintf(ret, size, "unknown");
	while (f && fgetpwent_r(f, &entry, line, sizeof(line), &found) == 0) {
		if (entry.pw_uid != uid || !note_is_fine(entry.pw_name))
			continue;
		snprintf(ret, size, "%s", entry.pw_name);
		return;
	}
}

int origin_of_peer(int fd, const char *note, struct origin *ret)
{
	struct origin origin = { 0 };
	struct ucred peer;
	socklen_t length = sizeof(peer);
	char name[64];

	if (note && !note_is_fine(note))
		return -EINVAL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return -errno;
	user_name(peer.uid, sizeof(name), name);
	snprintf(origin.author, sizeof(origin.author), "%s (uid %u, pid %d)", name,
		 (unsigned int)peer.uid, (int)peer.pid);
	snprintf(origin.note, sizeof(origin.note), "%s", note ?: "");
	*ret = origin;
	return 0;
}
