/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs need of the kernel's own types: UAPI headers, and small CO-RE
 * structs whose offsets libbpf fixes at load time. There is no vmlinux.h.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <countersign/abi.h>

#define AF_INET 2
#define AF_INET6 10

#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define IPPROTO_SCTP 132

#define SOCK_STREAM 1

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* setsockopt(SOL_TCP): BPF only, Linux 6.9 (include/uapi/linux/bpf.h) */
#ifndef SOL_TCP
#define SOL_TCP 6
#endif
#define CS_TCP_BPF_SOCK_OPS_CB_FLAGS 1008

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[]; /* Linux 6.1 */
};

struct sock_cgroup_data {
	struct cgroup *cgroup; /* Linux 5.16 */
};

struct sock_common {
	__u16 skc_family;
	volatile __u8 skc_state;
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
};

struct fastopen_queue {
	int max_qlen;
};

struct request_sock_queue {
	struct fastopen_queue fastopenq;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define __inline static inline __attribute__((always_inline))
/* A function of its own in BPF too: keeps programs small where it is called often. */
#define __subprog static __attribute__((noinline, unused))

/*
 * A global function: the verifier checks it once, on its own, instead of at every call.
 * Its pointer arguments may be NULL as far as the verifier knows, hence the checks. Weak,
 * because several objects include it and are linked into one.
 */
#define __verified_once __attribute__((noinline, weak))
