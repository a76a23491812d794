/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said in the cluster about policies and nodes: types and reasons of conditions, and
 * reasons of Events, in one list each. docs/conditions.md is made from them. A name, once
 * published, keeps its meaning.
 */
#pragma once

/* X(NAME, type, of, meaning) */
#define CONDITION_TYPES(X)                                                                     \
	X(ACCEPTED, "Accepted", "policies", "the policy can be put in force as it is written") \
	X(REALIZED, "Realized", "policies", "all nodes enforce this very generation")          \
	X(ENFORCING, "Enforcing", "NodeReport", "the node follows the policies of the API server")

/* X(NAME, reason, TYPE, STATUS, meaning, remedy) */
#define CONDITION_REASONS(X)                                                                    \
	X(ACCEPTED, "Accepted", ACCEPTED, TRUE, "it was read and compiled", "")                 \
	X(INVALID, "Invalid", ACCEPTED, FALSE,                                                  \
	  "it cannot be put in force; the message names the field; what was in force stays",    \
	  "correct the field that is named")                                                    \
	X(ALL_NODES, "AllNodes", REALIZED, TRUE, "every node has said that it enforces it", "") \
	X(NODES_PENDING, "NodesPending", REALIZED, FALSE, "some nodes do not enforce it yet",   \
	  "wait; if it stays, look at the log of the agent on the node that is named")          \
	X(NODES_REFUSED, "NodesRefused", REALIZED, FALSE,                                       \
	  "some nodes refuse it; the message has the first node's error",                       \
	  "look whether all agents have one version, or raise the limit that is named")         \
	X(NOT_ACCEPTED, "NotAccepted", REALIZED, FALSE, "it was not accepted",                  \
	  "see condition Accepted")                                                             \
	X(NODES_SILENT, "NodesSilent", REALIZED, UNKNOWN,                                       \
	  "all nodes that are heard of enforce it, but some are not heard of",                  \
	  "start the agent on the node that is named, or label it countersign.dev/agent=none")  \
	X(NO_NODES, "NoNodes", REALIZED, UNKNOWN, "there are no nodes that should enforce it",  \
	  "install the agent")                                                                  \
	X(IN_FORCE, "InForce", ENFORCING, TRUE, "what the API server has is in force", "")      \
	X(NOT_SYNCED, "NotSynced", ENFORCING, FALSE,                                            \
	  "not all kinds of objects were listed since the agent's start",                       \
	  "look at the agent's log for what the API server answers")                            \
	X(PINNED, "Pinned", ENFORCING, FALSE, "an older revision of the policies is pinned",    \
	  "countersign policy release on the node")                                             \
	X(FAILED, "Failed", ENFORCING, FALSE, "changes could not be put in force",              \
	  "look at the agent's log")

/* X(NAME, reason, Type, action, regarding, meaning) */
#define EVENT_REASONS(X)                                                                \
	X(POLICY_REFUSED, "PolicyRefused", "Warning", "Apply", "the policy",            \
	  "the policy cannot be put in force, or some node refuses it")                 \
	X(DOCUMENT_REFUSED, "ObjectRefused", "Warning", "Apply", "the node",            \
	  "an object that is no policy could not be used on this node")                 \
	X(CREDENTIAL_TROUBLE, "CredentialTrouble", "Warning", "Renew", "the node",      \
	  "the node's credential is missing, refused or about to end")                  \
	X(NUMBER_COLLISION, "NodeNumberCollision", "Warning", "Claim", "the node",      \
	  "another node has a record under this node's number")                         \
	X(RECORD_REFUSED, "NodeRecordRefused", "Warning", "Verify", "the NodeIdentity", \
	  "a node record is not accepted here")                                         \
	X(STARTED_ALONE, "StartedWithoutServer", "Warning", "Start", "the node",        \
	  "the agent started from what it knew, as the API server did not answer")      \
	X(ENFORCING, "Enforcing", "Normal", "Start", "the node",                        \
	  "the node follows the policies of the API server")
