/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that `policy check` can say, in one list: the program, `policy codes`, the
 * SARIF output, docs/policy-codes.md and the tests are made from it. A code is never
 * reused. 0xx: does not load; 1xx: who is meant; 2xx: order; 3xx: openness; 4xx: time and
 * mode; 5xx: what breaks.
 */
#pragma once

enum lint_severity {
	LINT_INFO,
	LINT_WARNING,
	LINT_ERROR,
	LINT_SEVERITIES,
};

/* X(code, NAME, severity, title, why, remedy) */
#define LINT_CODES(X)                                                                              \
	X("CSP001", MALFORMED, ERROR, "malformed manifest",                                        \
	  "an agent refuses the whole set and keeps the policy before it",                         \
	  "correct the field that is named")                                                       \
	X("CSP002", LIMIT, ERROR, "does not fit",                                                  \
	  "a table in the kernel has a fixed size; what does not fit is refused as a whole",       \
	  "see the limit that is named")                                                           \
	X("CSP003", CONFLICT, ERROR, "cannot be compiled",                                         \
	  "two objects contradict each other, or a name cannot be made from what is given",        \
	  "correct what is named")                                                                 \
	X("CSP004", NO_WORKLOADS, INFO, "no workloads given",                                      \
	  "who a selector means can only be said with the Workloads at hand",                      \
	  "give the files with the Workload manifests too")                                        \
	X("CSP101", SUBJECT_EMPTY, WARNING, "policy selects nothing",                              \
	  "it protects nobody: a label is misspelt, or the workload is gone",                      \
	  "correct the subject, or delete the policy")                                             \
	X("CSP102", PEER_EMPTY, WARNING, "peer selects nothing",                                   \
	  "an Allow for it opens nothing, and a Deny for it closes nothing",                       \
	  "correct the peer, or delete it")                                                        \
	X("CSP103", NAMESPACE_EMPTY, WARNING, "policy in a namespace without workloads",           \
	  "it protects nobody: the namespace is misspelt, or its workloads are gone",              \
	  "correct metadata.namespace, or delete the policy")                                      \
	X("CSP104", SELECTOR_IMPOSSIBLE, ERROR, "selector that nothing can meet",                  \
	  "its requirements contradict each other, so it can never match",                         \
	  "make them entries of their own if either should do")                                    \
	X("CSP105", NAMED_PORT_UNKNOWN, WARNING, "named port that nobody has",                     \
	  "the name is looked up at each receiver; without it the rule covers no port",            \
	  "correct the name or its protocol, or write the number")                                 \
	X("CSP106", PEER_UNKNOWN, WARNING, "peer of a kind that is not known",                     \
	  "it is read fail-closed: an Accept matches nobody, a Deny or Pass denies everybody",     \
	  "use peers that this version knows, or update it")                                       \
	X("CSP107", CIDR_EMPTY, ERROR, "prefix with nothing left",                                 \
	  "an entry of except covers all of the prefix, so the peer can never match",              \
	  "make the except smaller, or delete the peer")                                           \
	X("CSP108", NAMED_PORT_ADDRESS, WARNING, "named port of an address",                       \
	  "going out, a name is looked up at each workload; a prefix has none, so nothing "        \
	  "matches there",                                                                         \
	  "write the number, or select the workloads by their labels")                             \
	X("CSP109", REVOKED_NOBODY, WARNING, "revocation of nobody",                               \
	  "no Workload has the name or SPIFFE ID: it is misspelt, or those that had it are gone",  \
	  "correct it; a Revocation may stay when the workload is gone")                           \
	X("CSP110", NODE_MISSING, INFO, "workload without a node",                                 \
	  "other workloads name their nodes: no node may speak for it, so it is never verified",   \
	  "set spec.node to the node it runs on; leave it out where no agent runs")                \
	X("CSP201", SHADOWED, WARNING, "rule that never decides",                                  \
	  "an earlier rule with another action covers all that it covers, for every subject",      \
	  "put it first, give its policy a lower priority, or delete it")                          \
	X("CSP202", REDUNDANT, INFO, "rule that changes nothing",                                  \
	  "an earlier rule with the same action covers all that it covers, for every subject",     \
	  "delete it, or make the wider one narrower")                                             \
	X("CSP203", DENY_UNREACHED, WARNING, "Deny that is never reached",                         \
	  "an earlier Allow or Pass covers all that it would deny: what should be closed is open", \
	  "put the Deny first, or give its policy a lower priority")                               \
	X("CSP204", DUPLICATE, WARNING, "rule written twice",                                      \
	  "another rule of the policy covers just the same with the same action", "delete one")    \
	X("CSP205", PRIORITY_TIE, WARNING, "equal priority, different actions",                    \
	  "between policies of one tier and priority their names decide, which nobody expects",    \
	  "give one of the policies another priority")                                             \
	X("CSP206", PASS_NOWHERE, WARNING, "Pass with nothing behind it",                          \
	  "no later tier has a rule for these subjects: the default action decides",               \
	  "write the policy that should decide, or say Allow or Deny")                             \
	X("CSP301", WORLD_IN, WARNING, "everybody may come in on all ports",                       \
	  "the peers include the whole Internet, and no port is named",                            \
	  "name the ports, or the peers")                                                          \
	X("CSP302", WORLD_OUT, WARNING, "may go out to everywhere on all ports",                   \
	  "whoever takes over the workload can reach anything and send anything anywhere",         \
	  "name the ports, or the peers")                                                          \
	X("CSP303", ADMIN_UNVERIFIED, INFO, "Admin Allow for identities that are not proved",      \
	  "an address is enough to pass as the peer, and no later tier can object",                \
	  "set authentication: Required")                                                          \
	X("CSP304", CIDR_COVERS_WORKLOADS, INFO, "prefix that covers workloads",                   \
	  "it matches them by address, whoever they are, and not when they move",                  \
	  "select workloads by their labels, and add an except to the prefix")                     \
	X("CSP305", NOT_ISOLATED, INFO, "workload that no policy isolates",                        \
	  "everybody may reach it and it may reach everybody, unless an Admin policy says no",     \
	  "start from a default deny in its namespace")                                            \
	X("CSP401", EXPIRED, WARNING, "rule that has expired", "it covers nothing any more",       \
	  "delete it, or have it approved anew with another expires")                              \
	X("CSP402", EXPIRES_SOON, WARNING, "rule that expires soon",                               \
	  "from then on it covers nothing, and connections that live by it end",                   \
	  "replace it by a permanent rule, or prolong it, if it is needed any longer")             \
	X("CSP403", AUDIT_LONG, WARNING, "Audit for a long time",                                  \
	  "Audit protects nobody; a trial that never ends is an open door with a sign on it",      \
	  "look at the AUDIT flows, then set mode: Enforce or a rollout")                          \
	X("CSP404", AUDIT_SINCE_UNKNOWN, INFO, "Audit since nobody knows when",                    \
	  "neither metadata.creationTimestamp nor the annotation says when the trial began",       \
	  "annotate it: countersign.dev/audit-since: \"2026-01-31T00:00:00Z\"")                    \
	X("CSP405", ROLLOUT_ZERO, WARNING, "rollout of 0 percent",                                 \
	  "the policy enforces for nobody: it is in Audit mode under another name",                \
	  "raise rollout.percent, or set mode: Audit")                                             \
	X("CSP501", EGRESS_NO_DNS, WARNING, "egress without DNS",                                  \
	  "names cannot be resolved any more: most programs fail with a time-out at the first",    \
	  "allow UDP and TCP port 53 to the resolver")                                             \
	X("CSP502", POLICY_EMPTY, WARNING, "policy that says nothing",                             \
	  "without ingress and egress it neither isolates nor decides",                            \
	  "write rules; ingress: [] is a default deny")

enum lint_code {
#define X(code, name, severity, title, why, remedy) LINT_##name,
	LINT_CODES(X)
#undef X
		LINT_CODES_MAX
};
