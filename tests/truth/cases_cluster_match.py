# SPDX-License-Identifier: Apache-2.0
"""ClusterNetworkPolicy: subjects, peers, protocols, limits, and fields nobody knows."""
from case import Case, both, cnp, expression, labels, namespaces, pods, protocol, rule, tcp, workload

A = labels(pod="a")
XA = pods(A, labels(ns="x"))
ALL = namespaces()
NAME = "kubernetes.io/metadata.name"
CASES = []


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


def spot(direction, who, verdict, what="TCP 80 4"):
    return (f"{who} xa" if direction == "Ingress" else f"xa {who}") + f" {what} {verdict}"


# Subjects.
for name, subject, deny, allow in (
        ("namespaces", namespaces(labels(ns="x")), "xb", "ya"),
        ("namespaces-all", ALL, "zc", ""),
        ("namespaces-expression", namespaces(expression("stage", "DoesNotExist")), "zb", "xb"),
        ("namespaces-by-name", namespaces(labels(**{NAME: "y"})), "yc", "zc"),
        ("pods", XA, "xa", "xb"),
        ("pods-all", pods(), "zc", ""),
        ("pods-of-namespace", pods(None, labels(ns="z")), "za", "xa"),
        ("pods-everywhere", pods(A), "ya", "yb"),
        ("pods-expression", pods(expression("team", "NotIn", "red")), "xb", "xa"),
        ("nobody", pods(labels(pod="q")), "", "xa")):
    for tier in ("Admin", "Baseline"):
        spots = [f"{n} {w} UDP 80 6 {v}" for n, w, v in (("xc", deny, "deny"), ("xc", allow, "allow")) if w]
        case(f"subject-{tier.lower()}-{name}", "CNP-5", "who the policy is about",
             cnp("p", tier, 5, subject, ingress=[rule("Deny", [ALL])]), spots=spots)

# Peers of both directions.
for name, peer, deny, allow in (
        ("namespaces", namespaces(labels(ns="y")), "ya", "za"),
        ("namespaces-all", ALL, "za", "ww"),
        ("namespaces-not-in", namespaces(expression("stage", "NotIn", "prod")), "za", "xb"),
        ("pods", pods(labels(pod="b"), labels(ns="y")), "yb", "ya"),
        ("pods-all", pods(), "zc", "ww"),
        ("pods-everywhere", pods(labels(pod="b")), "zb", "zc"),
        ("pods-exists", pods(expression("team", "Exists"), expression("ns", "In", "y", "z")), "zb", "xb")):
    for direction, key, full in both(f"peer-{name}"):
        case(f"{full}", "CNP-6", "who the rule is about; the world is never a pod",
             cnp("p", "Admin", 5, XA, **{direction.lower(): [rule("Deny", [peer], direction)]}),
             spots=[spot(direction, deny, "deny"), spot(direction, allow, "allow")])
for direction, key, full in both("peers"):
    case(f"{full}-are-alternatives", "CNP-6", "any of the peers",
         cnp("p", "Admin", 5, XA, **{direction.lower(): [
             rule("Deny", [namespaces(labels(ns="z")), pods(labels(pod="b"), labels(ns="y"))], direction)]}),
         spots=[spot(direction, "za", "deny"), spot(direction, "yb", "deny"), spot(direction, "ya", "allow")])

# Networks: egress only, and of pods too.
for name, networks, spots in (
        ("4", ["10.88.0.16/29"], ["xa ya TCP 80 4 deny", "xa ya TCP 80 6 allow", "xa xb TCP 80 4 allow"]),
        ("6", ["fd88::2:0/112"], ["xa ya UDP 80 6 deny", "xa ya UDP 80 4 allow"]),
        ("all-4", ["0.0.0.0/0"], ["xa xb TCP 80 4 deny", "xa ww TCP 80 4 deny", "xa xb TCP 80 6 allow",
                                  "xa xa TCP 80 4 allow"]),
        ("all", ["0.0.0.0/0", "::/0"], ["xa xb TCP 80 6 deny", "xa ww UDP 80 4 deny"]),
        ("world", ["10.88.0.200/32", "fd88::9:200/128"], ["xa ww TCP 80 4 deny", "xa xb TCP 80 4 allow"])):
    for tier in ("Admin", "Baseline"):
        case(f"networks-{tier.lower()}-{name}", "CNP-6", "CIDRs match pods and the world",
             cnp("p", tier, 5, XA, egress=[rule("Deny", [{"networks": networks}], "Egress")]), spots=spots)
case("networks-after-pass-of-pods", "CNP-6 CNP-1", "Pass of all pods keeps them out of 0.0.0.0/0",
     cnp("p", "Admin", 5, XA, egress=[rule("Pass", [ALL], "Egress"),
                                      rule("Deny", [{"networks": ["0.0.0.0/0", "::/0"]}], "Egress")]),
     spots=["xa zc TCP 80 4 allow", "xa ww TCP 80 4 deny"])
case("networks-accept-before-deny", "CNP-6", "an allowed network before a denied one",
     cnp("p", "Baseline", 5, XA, egress=[rule("Accept", [{"networks": ["10.88.0.16/30"]}], "Egress"),
                                         rule("Deny", [{"networks": ["10.88.0.16/29"]}], "Egress")]),
     spots=["xa yb TCP 80 4 allow", "xa yc TCP 80 4 allow", "xa zc TCP 80 4 allow"])

# Protocols.
UNDER_PROTOCOLS = [
    ("tcp-number", [tcp(80)], ["TCP 80 4 deny", "TCP 81 4 allow", "UDP 80 4 allow", "SCTP 80 4 allow"]),
    ("udp-number", [protocol("udp", 81)], ["UDP 81 4 deny", "UDP 80 4 allow", "TCP 81 4 allow"]),
    ("sctp-number", [protocol("sctp", 80)], ["SCTP 80 4 deny", "TCP 80 4 allow"]),
    ("tcp-range", [tcp(80, 81)], ["TCP 80 4 deny", "TCP 81 4 deny", "UDP 80 4 allow"]),
    ("tcp-range-up-to", [tcp(1, 80)], ["TCP 80 6 deny", "TCP 81 6 allow"]),
    ("udp-range-from", [protocol("udp", 81, 65535)], ["UDP 81 4 deny", "UDP 80 4 allow"]),
    ("tcp-all", [tcp()], ["TCP 80 4 deny", "TCP 81 4 deny", "UDP 80 4 allow"]),
    ("udp-all", [protocol("udp")], ["UDP 80 4 deny", "TCP 81 4 allow"]),
    ("sctp-all", [protocol("sctp")], ["SCTP 81 4 deny", "TCP 81 4 allow"]),
    ("alternatives", [tcp(80), protocol("udp", 81)], ["TCP 80 4 deny", "UDP 81 4 deny", "TCP 81 4 allow"]),
    ("name", [{"destinationNamedPort": "serve-80-tcp"}], ["TCP 80 4 deny", "TCP 81 4 allow", "UDP 80 4 allow"]),
    ("name-udp", [{"destinationNamedPort": "serve-81-udp"}], ["UDP 81 4 deny", "TCP 81 4 allow"]),
    ("name-unknown", [{"destinationNamedPort": "serve-nothing"}], ["TCP 80 4 allow"]),
    ("name-or-number", [{"destinationNamedPort": "serve-80-tcp"}, protocol("udp", 80)],
     ["TCP 80 4 deny", "UDP 80 4 deny", "TCP 81 4 allow"]),
]
for name, protocols, wants in UNDER_PROTOCOLS:
    for direction, key, full in both(f"protocols-{name}"):
        case(full, "CNP-8", "what the rule is about besides peers",
             cnp("p", "Admin", 5, XA, **{direction.lower(): [rule("Deny", [ALL], direction, protocols=protocols)]}),
             spots=[spot(direction, "zb", w.split()[-1], " ".join(w.split()[:3])) for w in wants])
case("protocols-name-per-destination", "CNP-8", "z/c has the names the other way round",
     cnp("p", "Baseline", 5, XA, egress=[rule("Deny", [namespaces(labels(ns="z"))], "Egress",
                                              protocols=[{"destinationNamedPort": "serve-80-tcp"}])]),
     spots=["xa za TCP 80 4 deny", "xa zc TCP 80 4 allow", "xa zc TCP 81 4 deny"])
case("protocols-name-of-any-protocol", "CNP-8", "web is TCP or UDP, as the destination says",
     cnp("p", "Admin", 5, ALL, ingress=[rule("Deny", [ALL], protocols=[{"destinationNamedPort": "web"}])]),
     spots=["ya xa TCP 80 4 deny", "ya xa UDP 80 4 allow", "ya xb UDP 80 4 deny", "xa ya UDP 81 4 deny",
            "xa ya TCP 81 4 deny", "xa yb TCP 80 4 allow"])
case("networks-and-protocols", "CNP-6 CNP-8", "the network and the port must match",
     cnp("p", "Admin", 5, XA, egress=[rule("Deny", [{"networks": ["10.88.0.0/24"]}], "Egress", protocols=[tcp(81)])]),
     spots=["xa ww TCP 81 4 deny", "xa ww TCP 80 4 allow", "xa ww TCP 81 6 allow"])

# Peers that nobody knows.
for direction, key, full in both("unknown-peer"):
    for action in ("Accept", "Deny", "Pass"):
        peers = [{"constellations": {"name": "orion"}}]
        case(f"{full}-{action.lower()}", "CNP-9", "an Accept matches nothing, Deny and Pass deny all",
             cnp("p", "Admin", 5, XA, **{direction.lower(): [rule(action, peers, direction)]}),
             spots=[spot(direction, who, "allow" if action == "Accept" else "deny") for who in ("ya", "ww")])
    case(f"{full}-deny-with-protocols", "CNP-9", "a Deny all is of all ports and protocols",
         cnp("p", "Admin", 5, XA, **{direction.lower(): [
             rule("Deny", [{"constellations": {}}], direction, protocols=[tcp(80)])]}),
         spots=[spot(direction, "ya", "deny"), spot(direction, "ya", "deny", "UDP 81 6")])
    case(f"{full}-beside-known", "CNP-9", "one unknown peer spoils the rule",
         cnp("p", "Admin", 5, XA, **{direction.lower(): [
             rule("Accept", [namespaces(labels(ns="y")), {"constellations": {}}], direction),
             rule("Deny", [ALL], direction)]}),
         spots=[spot(direction, "ya", "deny"), spot(direction, "ww", "allow")])
    case(f"{full}-after-a-decision", "CNP-9", "rules before it still decide",
         cnp("p", "Admin", 5, XA, **{direction.lower(): [
             rule("Accept", [namespaces(labels(ns="y"))], direction), rule("Pass", [{}], direction)]}),
         spots=[spot(direction, "ya", "allow"), spot(direction, "za", "deny"), spot(direction, "ww", "deny")])

# Pods that use their node's network.
HOSTED = workload("x", "h", host_network=True)
case("host-network-no-subject", "CNP-5", "never a subject", HOSTED,
     cnp("p", "Admin", 5, ALL, ingress=[rule("Deny", [ALL])]),
     also=["x/b > x/h TCP/80 allow", "x/b > x/a TCP/80 deny"])
case("host-network-no-peer", "CNP-5", "never a peer", HOSTED,
     cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL])], egress=[rule("Deny", [pods()], "Egress")]),
     also=["x/h > x/a TCP/80 allow", "x/a > x/h TCP/80 allow", "x/b > x/a TCP/80 deny"])
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "far", "labels": {"zone": "west"}},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.9"}]}}
case("nodes-by-label", "CNP-6", "nodes are their addresses", NODE,
     cnp("p", "Admin", 5, XA, egress=[rule("Deny", [{"nodes": labels(zone="west")}], "Egress")]),
     also=["x/a > 192.0.2.9 TCP/80 deny", "x/a > 192.0.2.8 TCP/80 allow", "x/b > 192.0.2.9 TCP/80 allow"])
case("nodes-all", "CNP-6", "an empty selector: all nodes, no pods", NODE,
     cnp("p", "Admin", 5, XA, egress=[rule("Deny", [{"nodes": {}}], "Egress")]), spots=["xa xb TCP 80 4 allow"],
     also=["x/a > 192.0.2.9 TCP/80 deny", "x/a > World TCP/80 allow"])
case("nodes-other-label", "CNP-6", "no node of that label", NODE,
     cnp("p", "Admin", 5, XA, egress=[rule("Deny", [{"nodes": labels(zone="east")}], "Egress")]),
     also=["x/a > 192.0.2.9 TCP/80 allow"])

# Limits and what the schema refuses.
MANY = [pods(labels(pod=f"p{i}")) for i in range(25)]
case("limits-reached", "CNP-7", "25 rules of 25 peers with 25 protocols",
     cnp("p", "Admin", 5, XA, ingress=[rule("Deny", MANY[:24] + [ALL], protocols=[tcp(1000 + i) for i in range(24)] + [tcp(80)],
                                            name="n" * 100)] + [rule("Pass", [MANY[0]]) for _ in range(9)]),
     spots=["xb xa TCP 80 4 deny", "xb xa TCP 81 4 allow"])
case("rules-limit-reached", "CNP-7", "25 rules, the last decides",
     cnp("p", "Admin", 5, XA, ingress=[rule("Accept", [MANY[i]]) for i in range(24)] + [rule("Deny", [ALL])]),
     spots=["xb xa TCP 80 4 deny"])
P80 = tcp(80)
for name, covers, where, policy in (
        ("26-rules", "CNP-7", "spec.ingress", cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL])] * 26)),
        ("26-peers", "CNP-7", "spec.ingress[0].from", cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL] * 26)])),
        ("26-protocols", "CNP-7", "spec.ingress[0].protocols",
         cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL], protocols=[P80] * 26)])),
        ("26-networks", "CNP-6", "networks", cnp("p", "Admin", 5, XA, egress=[
            rule("Deny", [{"networks": [f"10.{i}.0.0/16" for i in range(26)]}], "Egress")])),
        ("long-name", "CNP-7", "name", cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL], name="n" * 101)])),
        ("no-peers", "CNP-6", "spec.ingress[0]", cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [])])),
        ("two-kinds-of-peer", "CNP-6", "spec.ingress[0].from[0]",
         cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [{**ALL, **pods()}])])),
        ("no-subject", "CNP-5", "subject", cnp("p", "Admin", 5, {}, ingress=[rule("Deny", [ALL])])),
        ("two-subjects", "CNP-5", "subject", cnp("p", "Admin", 5, {**ALL, **XA}, ingress=[rule("Deny", [ALL])])),
        ("name-and-networks", "CNP-8", "spec.egress[0]", cnp("p", "Admin", 5, XA, egress=[
            rule("Deny", [{"networks": ["10.0.0.0/8"]}], "Egress", protocols=[{"destinationNamedPort": "web"}])])),
        ("two-kinds-of-protocol", "CNP-8", "protocols[0]",
         cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL], protocols=[{**P80, **protocol("udp", 80)}])])),
        ("number-and-range", "CNP-8", "destinationPort", cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL], protocols=[
            {"tcp": {"destinationPort": {"number": 80, "range": {"start": 80, "end": 81}}}}])])),
        ("range-of-one", "CNP-8", "range", cnp("p", "Admin", 5, XA, ingress=[rule("Deny", [ALL], protocols=[tcp(80, 80)])])),
        ("action", "CNP-1", "action", cnp("p", "Admin", 5, XA, ingress=[rule("Allow", [ALL])])),
        ("tier", "CNP-1", "tier", cnp("p", "Middle", 5, XA, ingress=[rule("Deny", [ALL])])),
        ("priority", "CNP-2", "priority", cnp("p", "Admin", 1001, XA, ingress=[rule("Deny", [ALL])]))):
    case(f"refused-cnp-{name}", covers, "what the schema does not accept", policy, refused=where)
