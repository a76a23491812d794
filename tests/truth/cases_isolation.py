# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy: who is isolated, in which direction, and how policies add up."""
from case import Case, both, expression, labels, np, workload

A, B, C = (labels(pod=p) for p in "abc")
CASES = []


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


case("no-policy", "NP-1", "nobody is isolated: all is allowed", spots=["xa zc TCP 80 4 allow"])

# Isolation of one pod, by direction.
for types in (["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"]):
    case(f"deny-{'-'.join(types).lower()}-of-xa", "NP-1 NP-5", f"x/a is isolated for {types}",
         np("p", "x", A, types=types),
         spots=[f"xb xa TCP 80 4 {'deny' if 'Ingress' in types else 'allow'}",
                f"xa xb UDP 81 6 {'deny' if 'Egress' in types else 'allow'}",
                "xb xc TCP 80 4 allow", "ya xb TCP 80 6 allow", "xa xa TCP 80 4 allow"])
for namespace in "xyz":
    for types in (["Ingress"], ["Egress"], ["Ingress", "Egress"]):
        case(f"deny-{'-'.join(types).lower()}-of-namespace-{namespace}", "NP-1 NP-6",
             "an empty podSelector means all pods of the namespace", np("p", namespace, {}, types=types),
             spots=[f"{namespace}a {namespace}a TCP 81 4 allow"])

# Spellings of "allow nothing".
for name, spec in {
        "ingress-empty-list": {"types": ["Ingress"], "ingress": []},
        "ingress-null": {"types": ["Ingress"], "ingress": None},
        "egress-empty-list": {"types": ["Egress"], "egress": []},
        "egress-null": {"types": ["Egress"], "egress": None},
        "both-empty-lists": {"types": ["Ingress", "Egress"], "ingress": [], "egress": []},
}.items():
    case(f"nothing-{name}", "NP-5", "an empty list is no list: it allows nothing",
         np("p", "y", B, **spec), spots=["xa yb TCP 80 4 " + ("allow" if "egress" in name else "deny")])

# policyTypes left out.
case("types-default-no-rules", "NP-2", "no rule at all: Ingress only", np("p", "x", A),
     spots=["xb xa TCP 80 4 deny", "xa xb TCP 80 4 allow"])
case("types-default-ingress-rule", "NP-2", "an ingress rule: Ingress only",
     np("p", "x", A, ingress=[{"from": [{"podSelector": B}]}]),
     spots=["xb xa TCP 80 4 allow", "xc xa TCP 80 4 deny", "xa xb TCP 80 4 allow"])
case("types-default-egress-rule", "NP-2", "an egress rule: both, and no ingress is allowed",
     np("p", "x", A, egress=[{"to": [{"podSelector": B}]}]),
     spots=["xb xa TCP 80 4 deny", "xa xb TCP 80 4 allow", "xa xc TCP 80 4 deny"])
case("types-default-empty-egress", "NP-2 NP-5", "an empty egress list is no egress rule: Ingress only",
     np("p", "x", A, egress=[]), spots=["xa xb TCP 80 4 allow", "xb xa TCP 80 4 deny"])
case("types-default-both-rules", "NP-2", "rules for both: both",
     np("p", "x", A, ingress=[{}], egress=[{"to": [{"podSelector": C}]}]),
     spots=["xb xa TCP 80 4 allow", "xa xb TCP 80 4 deny"])
case("types-empty-list", "NP-2", "an empty policyTypes is one left out",
     np("p", "x", A, types=[], egress=[{}]),
     spots=["xb xa TCP 80 4 deny", "xa xb TCP 80 4 allow"])
case("types-ingress-with-egress-rules", "NP-2", "egress rules do not count when types say Ingress",
     np("p", "x", A, types=["Ingress"], egress=[{"to": [{"podSelector": B}]}]),
     spots=["xa xc TCP 80 4 allow", "xb xa TCP 80 4 deny"])
case("types-egress-with-ingress-rules", "NP-2", "ingress rules do not count when types say Egress",
     np("p", "x", A, types=["Egress"], ingress=[{"from": [{"podSelector": B}]}]),
     spots=["xc xa TCP 80 4 allow", "xa xc TCP 80 4 deny"])
case("no-pod-selector", "NP-6", "podSelector left out is an empty one", np("p", "y", None, types=["Ingress"]),
     spots=["xa ya TCP 80 4 deny", "ya xa TCP 80 4 allow"])
case("no-rules-empty-spec", "NP-2 NP-6", "an empty spec isolates ingress of the namespace", np("p", "z", None),
     spots=["xa za TCP 80 4 deny", "za xa TCP 80 4 allow"])

# One empty rule, one rule with empty lists.
for direction, peers, name in both("allow-all"):
    key = direction.lower()
    case(f"{name}-empty-rule", "NP-5", "one empty rule allows all",
         np("p", "x", A, types=[direction], **{key: [{}]}),
         spots=["xb xa TCP 80 4 allow", "ww xa UDP 81 6 allow", "xa ww TCP 80 4 allow"])
    case(f"{name}-empty-lists", "NP-5 NP-8 NP-11", "empty lists in a rule are no limits",
         np("p", "x", A, types=[direction], **{key: [{peers: [], "ports": []}]}),
         spots=["xb xa TCP 80 4 allow", "ww xa TCP 80 4 allow"])
    case(f"{name}-null-lists", "NP-5 NP-8 NP-11", "nor are lists that are null",
         np("p", "x", A, types=[direction], **{key: [{peers: None, "ports": None}]}),
         spots=["xb xa TCP 80 4 allow", "ww xa TCP 80 4 allow"])
    case(f"{name}-beside-deny-all", "NP-3", "a policy that allows nothing takes nothing away",
         np("none", "x", {}, types=[direction]), np("all", "x", A, types=[direction], **{key: [{}]}),
         spots=["xb xa TCP 80 4 allow" if direction == "Ingress" else "xa yb TCP 80 4 allow"])
    case(f"{name}-then-less", "NP-3", "a narrower policy takes nothing away from a wider one",
         np("all", "x", {}, types=[direction], **{key: [{}]}),
         np("less", "x", A, types=[direction], **{key: [{peers: [{"podSelector": B}]}]}),
         spots=["xc xa TCP 80 4 allow", "xa xc TCP 80 4 allow"])

# The union of rules and of policies.
for direction, peers, name in both("union"):
    key = direction.lower()
    one, two = {peers: [{"podSelector": B}]}, {peers: [{"podSelector": C}]}
    case(f"{name}-two-rules", "NP-3", "either rule allows",
         np("p", "x", A, types=[direction], **{key: [one, two]}),
         spots=["xb xa TCP 80 4 allow", "xc xa UDP 80 4 allow", "xa xb TCP 80 4 allow"])
    case(f"{name}-two-policies", "NP-3", "either policy allows",
         np("one", "x", A, types=[direction], **{key: [one]}),
         np("two", "x", A, types=[direction], **{key: [two]}),
         spots=["xb xa TCP 80 4 allow", "xc xa UDP 80 4 allow"])
    case(f"{name}-ports-and-peers-do-not-mix", "NP-3", "peers of one rule do not get the ports of another",
         np("p", "x", A, types=[direction], **{key: [
             {**one, "ports": [{"port": 80}]}, {**two, "ports": [{"port": 81}]}]}),
         spots=["xb xa TCP 80 4 allow", "xb xa TCP 81 4 " + ("deny" if key == "ingress" else "allow"),
                "xa xc TCP 80 6 " + ("deny" if key == "egress" else "allow")])
    case(f"{name}-overlapping-subjects", "NP-3", "policies with other selectors that both select x/a",
         np("one", "x", labels(team="red"), types=[direction], **{key: [one]}),
         np("two", "x", expression("pod", "In", "a", "b"), types=[direction], **{key: [two]}))
    case(f"{name}-other-namespace", "NP-1 NP-3", "a policy of another namespace says nothing about x",
         np("one", "x", A, types=[direction], **{key: [one]}),
         np("two", "y", A, types=[direction], **{key: [{}]}),
         spots=["yb ya TCP 80 4 allow", "xc xa TCP 80 4 " + ("deny" if key == "ingress" else "allow")])

# Both ends must agree; replies need no rule.
case("both-ends-agree", "NP-4", "egress of the one and ingress of the other allow",
     np("out", "x", A, types=["Egress"], egress=[{"to": [{"namespaceSelector": labels(ns="y")}]}]),
     np("in", "y", B, types=["Ingress"], ingress=[{"from": [{"namespaceSelector": labels(ns="x")}]}]),
     spots=["xa yb TCP 80 4 allow", "xa ya TCP 80 4 allow", "xa za TCP 80 4 deny", "za yb TCP 80 4 deny"])
case("egress-allows-ingress-denies", "NP-4", "an allowed egress does not open the other end",
     np("out", "x", A, types=["Egress"], egress=[{}]), np("in", "y", B, types=["Ingress"]),
     spots=["xa yb TCP 80 4 deny", "xa ya TCP 80 4 allow"])
case("ingress-allows-egress-denies", "NP-4", "an allowed ingress does not open the other end",
     np("out", "x", A, types=["Egress"]), np("in", "y", B, types=["Ingress"], ingress=[{}]),
     spots=["xa yb TCP 80 4 deny", "xb yb TCP 80 4 allow"])
case("replies-despite-egress-deny", "NP-4", "x/a may answer although it may open nothing itself",
     np("p", "x", A, types=["Egress"]), spots=["xb xa TCP 80 4 allow", "xb xa UDP 80 4 allow", "xa xb TCP 80 4 deny"])
case("replies-despite-ingress-deny", "NP-4", "answers to x/a come in although nobody may open",
     np("p", "x", A, types=["Ingress"]), spots=["xa xb UDP 81 6 allow", "xb xa UDP 81 6 deny"])
case("replies-on-another-port", "NP-4", "b to a:81 works though a's egress allows only 80",
     np("p", "x", A, types=["Ingress", "Egress"], ingress=[{"from": [{"podSelector": B}], "ports": [{"port": 81}]}],
        egress=[{"to": [{"podSelector": B}], "ports": [{"port": 80}]}]),
     spots=["xb xa TCP 81 4 allow", "xb xa TCP 80 4 deny", "xa xb TCP 80 4 allow", "xa xb TCP 81 4 deny"])
case("two-way-only-each-other", "NP-4", "a and b of x with each other only",
     *(np(p, "x", labels(pod=p), types=["Ingress", "Egress"], ingress=[{"from": [{"podSelector": labels(pod=q)}]}],
          egress=[{"to": [{"podSelector": labels(pod=q)}]}]) for p, q in ("ab", "ba")),
     spots=["xa xb TCP 80 4 allow", "xa xc TCP 80 4 deny", "xc xb TCP 80 4 deny"])

# A pod and itself; the node; pods that use its network.
for direction in ("Ingress", "Egress"):
    case(f"self-is-allowed-{direction.lower()}", "NP-16", "a pod reaches itself under its own deny-all",
         np("p", "z", {}, types=[direction]), spots=["za za TCP 80 4 allow", "za za UDP 81 6 allow"])
case("own-node", "NP-17", "the own node and its pods reach each other, other nodes and the world do not",
     np("p", "x", {}, types=["Ingress", "Egress"]),
     also=["Host > x/a TCP/80 allow", "x/a > Host TCP/80 allow", "RemoteNode > x/a TCP/80 deny",
           "x/a > RemoteNode TCP/80 deny", "World > x/a UDP/80 deny", "Host > x/b UDP/81 allow"])
HOSTED = workload("x", "h", host_network=True)
H = labels(pod="h")
case("host-network-subject", "NP-18", "policies apply to a pod that uses the node's network", HOSTED,
     np("p", "x", H, types=["Ingress"], ingress=[{"from": [{"podSelector": A}]}]),
     also=["x/a > x/h TCP/80 allow", "x/b > x/h TCP/80 deny", "x/h > x/b TCP/80 allow"])
case("host-network-peer", "NP-18", "and name it as a peer", HOSTED,
     np("p", "x", A, types=["Ingress"], ingress=[{"from": [{"podSelector": H}]}]),
     also=["x/h > x/a TCP/80 allow"])
case("host-network-is-not-all", "NP-18", "it is told apart from the others of its namespace", HOSTED,
     np("p", "x", A, types=["Ingress"], ingress=[{"from": [{"podSelector": B}]}]),
     also=["x/h > x/a TCP/80 deny"])
