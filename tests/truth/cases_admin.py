# SPDX-License-Identifier: Apache-2.0
"""AdminNetworkPolicy and BaselineAdminNetworkPolicy: v1alpha1 of the same tiers."""
from case import Case, anp, banp, both, cnp, labels, namespaces, np, pods, rule

A = labels(pod="a")
XA = pods(A, labels(ns="x"))
Y, Z, ALL = namespaces(labels(ns="y")), namespaces(labels(ns="z")), namespaces()
CASES = []


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


def spot(direction, who, verdict, what="TCP 80 4"):
    return (f"{who} xa" if direction == "Ingress" else f"xa {who}") + f" {what} {verdict}"


def number(port, protocol="TCP"):
    return {"portNumber": {"protocol": protocol, "port": port}}


def span(start, end, protocol="TCP"):
    return {"portRange": {"protocol": protocol, "start": start, "end": end}}


for direction, key, _ in both(""):
    lower = direction.lower()
    nothing = np("none", "x", A, types=[direction])
    for action in ("Allow", "Deny", "Pass"):
        policy = anp("p", 50, XA, **{lower: [rule(action, [Y], direction)]})
        case(f"anp-{action.lower()}-{lower}", "CNP-11", "alone: no isolation", policy,
             spots=[spot(direction, "ya", "deny" if action == "Deny" else "allow"), spot(direction, "za", "allow")])
        case(f"anp-{action.lower()}-{lower}-before-np", "CNP-11 CNP-1", "before NetworkPolicies", policy, nothing,
             spots=[spot(direction, "ya", "allow" if action == "Allow" else "deny"), spot(direction, "za", "deny")])
        case(f"anp-{action.lower()}-{lower}-before-banp", "CNP-11 CNP-1", "before the baseline", policy,
             banp(ALL, **{lower: [rule("Deny", [ALL], direction)]}),
             spots=[spot(direction, "ya", "allow" if action == "Allow" else "deny"), spot(direction, "za", "deny")])
    for action in ("Allow", "Deny"):
        case(f"banp-{action.lower()}-{lower}", "CNP-11", "the baseline alone",
             banp(XA, **{lower: [rule(action, [Y], direction), rule("Deny", [Z], direction)]}),
             spots=[spot(direction, "ya", "deny" if action == "Deny" else "allow"), spot(direction, "za", "deny"),
                    spot(direction, "ww", "allow")])
        case(f"banp-{action.lower()}-{lower}-behind-np", "CNP-11 CNP-4", "a NetworkPolicy decides before it",
             banp(XA, **{lower: [rule(action, [ALL], direction)]}),
             np("p", "x", A, types=[direction], **{lower: [{key: [{"namespaceSelector": labels(ns="z")}]}]}),
             spots=[spot(direction, "ya", "deny"), spot(direction, "za", "allow")])
    case(f"anp-priority-{lower}", "CNP-11 CNP-2", "the lower priority first",
         anp("b", 1, XA, **{lower: [rule("Allow", [Y], direction)]}),
         anp("a", 2, XA, **{lower: [rule("Deny", [ALL], direction)]}),
         spots=[spot(direction, "ya", "allow"), spot(direction, "za", "deny")])
    case(f"anp-order-{lower}", "CNP-11 CNP-2", "rules from top to bottom",
         anp("p", 1, XA, **{lower: [rule("Deny", [pods(A)], direction), rule("Pass", [Y], direction),
                                    rule("Deny", [ALL], direction)]}),
         spots=[spot(direction, "ya", "deny"), spot(direction, "yb", "allow"), spot(direction, "zb", "deny")])
    for name, ports, wants in (
            ("number", [number(80)], ["TCP 80 4 deny", "TCP 81 4 allow", "UDP 80 4 allow"]),
            ("number-udp", [number(81, "UDP")], ["UDP 81 4 deny", "TCP 81 4 allow"]),
            ("number-sctp", [number(80, "SCTP")], ["SCTP 80 4 deny", "TCP 80 4 allow"]),
            ("range", [span(80, 81)], ["TCP 80 4 deny", "TCP 81 4 deny", "UDP 80 4 allow"]),
            ("range-up-to", [span(1, 80, "UDP")], ["UDP 80 4 deny", "UDP 81 4 allow"]),
            ("name", [{"namedPort": "serve-80-tcp"}], ["TCP 80 4 deny", "TCP 81 4 allow", "UDP 80 4 allow"]),
            ("name-udp", [{"namedPort": "serve-81-udp"}], ["UDP 81 4 deny", "TCP 81 4 allow"]),
            ("alternatives", [number(80), span(80, 81, "UDP")], ["TCP 80 4 deny", "UDP 81 4 deny", "TCP 81 4 allow"])):
        case(f"anp-ports-{name}-{lower}", "CNP-11 CNP-8", "ports of v1alpha1",
             anp("p", 1, XA, **{lower: [rule("Deny", [ALL], direction, ports=ports)]}),
             spots=[spot(direction, "zb", w.split()[-1], " ".join(w.split()[:3])) for w in wants])
    case(f"anp-unknown-peer-{lower}", "CNP-11 CNP-9", "unknown peers fail closed here, too",
         anp("p", 1, XA, **{lower: [rule("Allow", [{"comets": {}}], direction),
                                    rule("Allow", [Y], direction), rule("Pass", [{"comets": {}}], direction)]}),
         spots=[spot(direction, "ya", "allow"), spot(direction, "za", "deny"), spot(direction, "ww", "deny")])
    case(f"anp-and-cnp-{lower}", "CNP-11 CNP-2", "both APIs share the tiers and their priorities",
         anp("late", 20, XA, **{lower: [rule("Deny", [ALL], direction)]}),
         cnp("early", "Admin", 10, XA, **{lower: [rule("Accept", [Y], direction)]}),
         cnp("never", "Baseline", 0, XA, **{lower: [rule("Accept", [ALL], direction)]}),
         spots=[spot(direction, "ya", "allow"), spot(direction, "za", "deny")])

case("anp-networks", "CNP-11 CNP-6", "networks of egress",
     anp("p", 1, XA, egress=[rule("Allow", [{"networks": ["10.88.0.24/29"]}], "Egress"),
                             rule("Deny", [{"networks": ["0.0.0.0/0"]}], "Egress")]),
     spots=["xa za TCP 80 4 allow", "xa ya TCP 80 4 deny", "xa ya TCP 80 6 allow", "xa ww TCP 80 4 deny"])
for name, where, policy in (
        ("banp-other-name", "name", {**banp(XA, ingress=[rule("Deny", [ALL])]), "metadata": {"name": "other"}}),
        ("banp-pass", "action", banp(XA, ingress=[rule("Pass", [ALL])])),
        ("anp-accept", "action", anp("p", 1, XA, ingress=[rule("Accept", [ALL])])),
        ("anp-101-rules", "spec.ingress", anp("p", 1, XA, ingress=[rule("Deny", [ALL])] * 101)),
        ("anp-101-peers", "from", anp("p", 1, XA, ingress=[rule("Deny", [ALL] * 101)])),
        ("anp-101-ports", "ports", anp("p", 1, XA, ingress=[rule("Deny", [ALL], ports=[number(80)] * 101)])),
        ("anp-no-peers", "spec.ingress[0]", anp("p", 1, XA, ingress=[rule("Deny", [])]))):
    case(f"refused-{name}", "CNP-11", "what the schema does not accept", policy, refused=where)
