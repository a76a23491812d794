/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/lab_memory.h"

#include <fcntl.h>

#include "tests/lab/lab_internal.h"

#define REGION_MAX (256UL << 20) /* bytes; larger ones are cut */

/* One region of smaps, as far as it matters. */
struct region {
	unsigned long start, end;
	char line[256]; /* its first line */
};

struct search {
	struct lab *lab;
	int memory;
	const struct lab_needle *needles;
	size_t n;
	struct lab_memory result;
};

static void search_region(struct search *s, const struct region *region)
{
	size_t length = MIN(region->end - region->start, REGION_MAX);
	_cleanup_free_ uint8_t *bytes = malloc(length);
	ssize_t got = -1;

	if (bytes)
		got = pread(s->memory, bytes, length, (off_t)region->start);
	if (got <= 0)
		return; /* [vvar] and the like: a core dump cannot read it either */
	s->result.regions++;
	s->result.bytes += got;
	for (size_t i = 0; i < s->n && !s->result.found; i++) {
		if (!memmem(bytes, got, s->needles[i].bytes, s->needles[i].length))
			continue;
		s->result.found = &s->needles[i];
		s->result.where = lab_printf(s->lab, "%s", region->line);
	}
}

struct lab_memory lab_memory_search(struct lab *lab, pid_t pid, const struct lab_needle *needles,
				    size_t n)
{
	struct search s = { .lab = lab, .needles = needles, .n = n };
	_cleanup_fclose_ FILE *smaps = fopen(lab_printf(lab, "/proc/%d/smaps", pid), "re");
	_cleanup_close_ int memory =
		open(lab_printf(lab, "/proc/%d/mem", pid), O_RDONLY | O_CLOEXEC);
	struct region region = { 0 }, next;
	char line[sizeof(region.line)];

	lab_check(lab, smaps && memory >= 0, "cannot look into process %d: %s", pid,
		  strerror(errno));
	s.memory = memory;
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &next.start, &next.end) == 2) {
			region = next;
			snprintf(region.line, sizeof(region.line), "%.*s", (int)strcspn(line, "\n"),
				 line);
		} else if (startswith(line, "VmFlags:") && !strstr(line, " dd")) {
			search_region(&s, &region);
		}
	}
	return s.result;
}
