# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy: ports by number, range, name and protocol."""
from case import Case, both, labels, np

A = labels(pod="a")
CASES = []


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


# name, covers, what it says, ports, spots for ingress of x/a, spots for egress of x/a
PORTS = [
    ("number", "NP-11", "a number is TCP", [{"port": 80}],
     ["xb xa TCP 80 4 allow", "xb xa TCP 81 4 deny", "xb xa UDP 80 4 deny", "xb xa SCTP 80 4 deny"],
     ["xa xb TCP 80 4 allow", "xa xb UDP 80 4 deny", "xa ww TCP 80 4 allow"]),
    ("number-tcp", "NP-11", "the same, written out", [{"port": 81, "protocol": "TCP"}],
     ["xb xa TCP 81 4 allow", "xb xa TCP 80 4 deny"], ["xa xb TCP 81 6 allow"]),
    ("number-udp", "NP-13", "a UDP rule does not open TCP", [{"port": 80, "protocol": "UDP"}],
     ["xb xa UDP 80 4 allow", "xb xa TCP 80 4 deny"], ["xa xb UDP 80 4 allow", "xa xb TCP 80 4 deny"]),
    ("number-sctp", "NP-13", "an SCTP rule is no TCP rule, and isolates", [{"port": 80, "protocol": "SCTP"}],
     ["xb xa SCTP 80 4 allow", "xb xa TCP 80 4 deny", "xb xa UDP 80 4 deny"], ["xa xb TCP 80 4 deny"]),
    ("protocol-tcp", "NP-11", "a protocol alone: all its ports", [{"protocol": "TCP"}],
     ["xb xa TCP 80 4 allow", "xb xa TCP 81 4 allow", "xb xa UDP 80 4 deny"], ["xa xb TCP 81 4 allow"]),
    ("protocol-udp", "NP-11", "a protocol alone: all its ports", [{"protocol": "UDP"}],
     ["xb xa UDP 81 4 allow", "xb xa TCP 81 4 deny"], ["xa xb UDP 81 4 allow", "xa xb TCP 80 4 deny"]),
    ("protocol-sctp", "NP-13", "SCTP alone", [{"protocol": "SCTP"}],
     ["xb xa SCTP 81 4 allow", "xb xa TCP 81 4 deny"], ["xa xb TCP 80 4 deny"]),
    ("empty-entry", "NP-11", "an empty entry: all of TCP", [{}],
     ["xb xa TCP 81 4 allow", "xb xa UDP 81 4 deny"], ["xa xb TCP 80 4 allow", "xa xb UDP 80 4 deny"]),
    ("all-protocols", "NP-11", "three entries: all ports of all", [{"protocol": p} for p in ("TCP", "UDP", "SCTP")],
     ["xb xa UDP 80 4 allow", "xb xa SCTP 81 4 allow"], ["xa xb UDP 80 4 allow"]),
    ("two-numbers", "NP-11", "entries are alternatives", [{"port": 80}, {"port": 81, "protocol": "UDP"}],
     ["xb xa TCP 80 4 allow", "xb xa UDP 81 4 allow", "xb xa TCP 81 4 deny", "xb xa UDP 80 4 deny"],
     ["xa xb UDP 81 4 allow"]),
    ("other-number", "NP-11", "a port that is not asked for", [{"port": 79}], ["xb xa TCP 80 4 deny"],
     ["xa xb TCP 80 4 deny"]),
    ("range", "NP-13", "endPort belongs to the range", [{"port": 80, "endPort": 81}],
     ["xb xa TCP 80 4 allow", "xb xa TCP 81 4 allow", "xb xa UDP 80 4 deny"], ["xa xb TCP 81 4 allow"]),
    ("range-of-one", "NP-13", "endPort may be port", [{"port": 81, "endPort": 81}],
     ["xb xa TCP 81 4 allow", "xb xa TCP 80 4 deny"], ["xa xb TCP 80 4 deny"]),
    ("range-up-to", "NP-13", "the end of a range", [{"port": 1, "endPort": 80}],
     ["xb xa TCP 80 4 allow", "xb xa TCP 81 4 deny"], ["xa xb TCP 81 4 deny"]),
    ("range-from", "NP-13", "the start of a range", [{"port": 81, "endPort": 65535}],
     ["xb xa TCP 81 4 allow", "xb xa TCP 80 4 deny"], ["xa xb TCP 80 4 deny"]),
    ("range-udp", "NP-13", "a range of UDP", [{"port": 80, "endPort": 90, "protocol": "UDP"}],
     ["xb xa UDP 81 4 allow", "xb xa TCP 81 4 deny"], ["xa xb UDP 80 4 allow"]),
    ("range-all", "NP-13", "all numbers of TCP are not UDP", [{"port": 1, "endPort": 65535}],
     ["xb xa TCP 81 4 allow", "xb xa UDP 81 4 deny"], ["xa xb UDP 80 4 deny"]),
    ("range-beside", "NP-13", "a range that ends before", [{"port": 70, "endPort": 79}],
     ["xb xa TCP 80 4 deny"], ["xa xb TCP 80 4 deny"]),
    ("name-tcp", "NP-12", "a name means the number that the destination gave it", [{"port": "serve-80-tcp"}],
     ["xb xa TCP 80 4 allow", "xb xa TCP 81 4 deny", "xb xa UDP 80 4 deny"],
     ["xa xb TCP 80 4 allow", "xa zc TCP 81 4 allow", "xa zc TCP 80 4 deny", "xa ww TCP 80 4 deny"]),
    ("name-81-tcp", "NP-12", "the other name", [{"port": "serve-81-tcp"}],
     ["xb xa TCP 81 4 allow", "xb xa TCP 80 4 deny"], ["xa xb TCP 81 4 allow", "xa zc TCP 80 4 allow"]),
    ("name-udp", "NP-12", "a UDP name", [{"port": "serve-80-udp", "protocol": "UDP"}],
     ["xb xa UDP 80 4 allow", "xb xa TCP 80 4 deny"], ["xa xb UDP 80 4 allow", "xa zc UDP 80 4 allow"]),
    ("name-sctp", "NP-12 NP-13", "an SCTP name", [{"port": "serve-81-sctp", "protocol": "SCTP"}],
     ["xb xa SCTP 81 4 allow", "xb xa TCP 81 4 deny"], ["xa xb TCP 81 4 deny"]),
    ("name-of-other-protocol", "NP-12", "a UDP name in a TCP rule matches nothing", [{"port": "serve-80-udp"}],
     ["xb xa TCP 80 4 deny", "xb xa UDP 80 4 deny"], ["xa xb TCP 80 4 deny", "xa xb UDP 80 4 deny"]),
    ("name-unknown", "NP-12", "a name that nobody has matches nothing", [{"port": "serve-nothing"}],
     ["xb xa TCP 80 4 deny"], ["xa xb TCP 80 4 deny", "xa ww TCP 80 4 deny"]),
    ("name-of-some", "NP-12", "TCP web is 80 of x/a and 81 of y/a, and nobody else's", [{"port": "web"}],
     ["xb xa TCP 80 4 allow", "xb xa TCP 81 4 deny"],
     ["xa ya TCP 81 4 allow", "xa ya TCP 80 4 deny", "xa xb TCP 80 4 deny"]),
    ("name-of-some-udp", "NP-12", "UDP web is 80 of x/b and 81 of y/a", [{"port": "web", "protocol": "UDP"}],
     ["xb xa UDP 80 4 deny", "xb xa TCP 80 4 deny"],
     ["xa xb UDP 80 4 allow", "xa ya UDP 81 4 allow", "xa xb TCP 80 4 deny"]),
    ("name-and-number", "NP-12", "a name and a number", [{"port": "serve-80-tcp"}, {"port": 81, "protocol": "UDP"}],
     ["xb xa TCP 80 4 allow", "xb xa UDP 81 4 allow", "xb xa TCP 81 4 deny"],
     ["xa zc TCP 81 4 allow", "xa zc UDP 81 4 allow"]),
    ("two-names", "NP-12", "two names", [{"port": "serve-80-tcp"}, {"port": "serve-81-tcp"}],
     ["xb xa TCP 80 4 allow", "xb xa TCP 81 4 allow"], ["xa zc TCP 80 4 allow", "xa zc TCP 81 4 allow"]),
]
for name, covers, says, ports, ingress, egress in PORTS:
    for direction, _, full in both(f"port-{name}"):
        case(full, covers, says, np("p", "x", A, types=[direction], **{direction.lower(): [{"ports": ports}]}),
             spots=ingress if direction == "Ingress" else egress)

# Each subject has names of its own.
for name, selector, namespace, spot in (("zc", labels(pod="c"), "z", "xa zc TCP 81 4 allow"),
                                        ("all-of-z", {}, "z", "xa zc TCP 80 4 deny"),
                                        ("all-of-x", {}, "x", "ya xb TCP 80 6 allow")):
    case(f"ingress-name-of-{name}", "NP-12", "each subject's own number",
         np("p", namespace, selector, types=["Ingress"], ingress=[{"ports": [{"port": "serve-80-tcp"}]}]), spots=[spot])
case("ingress-web-of-all", "NP-12", "subjects that lack the name get nothing",
     np("p", "x", {}, types=["Ingress"], ingress=[{"ports": [{"port": "web"}]}]),
     spots=["ya xa TCP 80 4 allow", "ya xb TCP 80 4 deny", "ya xb UDP 80 4 deny", "ya xc TCP 80 4 deny"])
# With peers.
for direction, key, full in both("port-and-peer"):
    for name, port in (("number", 80), ("name", "serve-80-tcp")):
        case(f"{full}-{name}", "NP-11 NP-12", "both the peer and the port must match",
             np("p", "x", A, types=[direction], **{direction.lower(): [
                 {key: [{"namespaceSelector": labels(ns="z")}], "ports": [{"port": port}]}]}),
             spots=["za xa TCP 80 4 allow", "xb xa TCP 80 4 " + ("deny" if key == "from" else "allow"),
                    "xa za TCP 81 4 " + ("deny" if key == "to" else "allow")])

for name, entry in (("end-below-port", {"port": 81, "endPort": 80}), ("end-without-port", {"endPort": 80}),
                    ("end-with-name", {"port": "serve-80-tcp", "endPort": 81}),
                    ("protocol", {"port": 80, "protocol": "ICMP"}), ("port-zero", {"port": 0}),
                    ("port-too-high", {"port": 65536}), ("end-too-high", {"port": 80, "endPort": 65536})):
    case(f"refused-port-{name}", "NP-13" if "end" in name else "NP-11", "no valid port",
         np("p", "x", A, types=["Ingress"], ingress=[{"ports": [entry]}]), refused="spec.ingress[0].ports[0]")
