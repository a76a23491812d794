/* SPDX-License-Identifier: Apache-2.0 */
/* bpf(2) without a library: which programs guard a cgroup, and how long they have run. */
#include "tools/bench/bench.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#define ATTACH_TYPES 64 /* more than any kernel knows */
#define PER_TYPE_MAX 16

static int bpf(int command, union bpf_attr *attr)
{
	return ret_errno((int)syscall(SYS_bpf, command, attr, sizeof(*attr)));
}

int stats_enable(void)
{
	union bpf_attr attr = { .enable_stats.type = BPF_STATS_RUN_TIME };

	return bpf(BPF_ENABLE_STATS, &attr);
}

static int program_info(uint32_t id, struct program *ret)
{
	union bpf_attr attr = { .prog_id = id };
	struct bpf_prog_info info = { 0 };
	_cleanup_close_ int fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	int r;

	if (fd < 0)
		return fd;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	r = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (r < 0)
		return r;
	ret->id = id;
	memcpy(ret->name, info.name, sizeof(ret->name));
	ret->runs = info.run_cnt;
	ret->ns = info.run_time_ns;
	return 0;
}

static void read_type(int cgroup, uint32_t type, struct programs *ret)
{
	uint32_t ids[PER_TYPE_MAX];
	union bpf_attr attr = { 0 };

	attr.query.target_fd = cgroup;
	attr.query.attach_type = type;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = PER_TYPE_MAX;
	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return; /* no type of cgroups, or not of this kernel */
	for (uint32_t i = 0; i < attr.query.prog_cnt && ret->n < PROGRAMS_MAX; i++) {
		struct program *p = &ret->item[ret->n];

		if (program_info(ids[i], p) < 0)
			continue;
		p->attach_type = type;
		ret->n++;
	}
}

int programs_read(const char *cgroup, struct programs *ret)
{
	_cleanup_close_ int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret->n = 0;
	for (uint32_t type = 0; type < ATTACH_TYPES; type++)
		read_type(fd, type, ret);
	return 0;
}

void programs_delta(const struct programs *before, const struct programs *after,
		    struct programs *ret)
{
	*ret = *after;
	for (size_t i = 0; i < ret->n; i++) {
		for (size_t j = 0; j < before->n; j++) {
			if (before->item[j].id != ret->item[i].id ||
			    before->item[j].attach_type != ret->item[i].attach_type)
				continue;
			ret->item[i].runs -= before->item[j].runs;
			ret->item[i].ns -= before->item[j].ns;
			break;
		}
	}
}

static int load_empty(uint32_t attach_type)
{
	/* r0 = 1; exit */
	struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 },
				   { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
	attr.expected_attach_type = attach_type;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = ARRAY_SIZE(code);
	attr.license = (uintptr_t) "Dual BSD/GPL";
	return bpf(BPF_PROG_LOAD, &attr);
}

int programs_attach_empty(const char *cgroup)
{
	_cleanup_close_ int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	for (uint32_t type = BPF_CGROUP_INET_INGRESS; r >= 0 && type <= BPF_CGROUP_INET_EGRESS;
	     type++) {
		_cleanup_close_ int program = load_empty(type);
		union bpf_attr attr = { 0 };

		attr.target_fd = fd;
		attr.attach_bpf_fd = program;
		attr.attach_type = type;
		/* Goes with the cgroup. */
		r = program < 0 ? program : bpf(BPF_PROG_ATTACH, &attr);
	}
	return r;
}
