# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy: ipBlock, with holes, of pods' addresses too."""
from case import Case, both, labels, np

A = labels(pod="a")
X4, Y4, Z4 = "10.88.0.8/29", "10.88.0.16/29", "10.88.0.24/29"
X6, Y6, Z6 = "fd88::1:0/112", "fd88::2:0/112", "fd88::3:0/112"
CASES = []


def block(cidr, *holes):
    out = {"cidr": cidr}
    if holes:
        out["except"] = list(holes)
    return {"ipBlock": out}


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


# name, covers, what it says, peers, who may reach x/a (or be reached by it): who, family, verdict
BLOCKS = [
    ("everything-4", "NP-14", "all of IPv4 is nothing of IPv6", [block("0.0.0.0/0")],
     ["xb 4 allow", "ww 4 allow", "xb 6 deny"]),
    ("everything-6", "NP-14", "all of IPv6 is nothing of IPv4", [block("::/0")],
     ["xb 6 allow", "ww 6 allow", "xb 4 deny"]),
    ("everything", "NP-14", "both families", [block("0.0.0.0/0"), block("::/0")], ["zc 4 allow", "ww 6 allow"]),
    ("namespace-4", "NP-15", "the addresses of the pods of y", [block(Y4)], ["ya 4 allow", "ya 6 deny", "xb 4 deny"]),
    ("namespace-6", "NP-15", "the addresses of the pods of y", [block(Y6)], ["ya 6 allow", "ya 4 deny", "xb 6 deny"]),
    ("namespace-both", "NP-15", "both families of z", [block(Z4), block(Z6)],
     ["za 4 allow", "za 6 allow", "ya 4 deny"]),
    ("one-pod-4", "NP-15", "one pod's address", [block("10.88.0.10/32")], ["xb 4 allow", "xb 6 deny", "xc 4 deny"]),
    ("one-pod-6", "NP-15", "one pod's address", [block("fd88::1:2/128")], ["xb 6 allow", "xb 4 deny", "xc 6 deny"]),
    ("world-4", "NP-14", "an address outside", [block("10.88.0.192/26")], ["ww 4 allow", "ww 6 deny", "xb 4 deny"]),
    ("world-6", "NP-14", "an address outside", [block("fd88::9:0/112")], ["ww 6 allow", "ww 4 deny", "xb 6 deny"]),
    ("elsewhere", "NP-14", "nobody's addresses", [block("192.0.2.0/24")], ["ww 4 deny", "xb 4 deny"]),
    ("hole", "NP-14", "except is a hole", [block("10.88.0.0/24", Y4)], ["xb 4 allow", "ya 4 deny", "ww 4 allow"]),
    ("hole-6", "NP-14", "except is a hole", [block("fd88::/64", Y6)], ["xb 6 allow", "ya 6 deny", "xb 4 deny"]),
    ("two-holes", "NP-14", "two holes", [block("10.88.0.0/24", Y4, Z4)], ["xb 4 allow", "za 4 deny", "ww 4 allow"]),
    ("hole-of-one", "NP-14", "a hole of one address", [block(X4, "10.88.0.10/32")], ["xb 4 deny", "xc 4 allow"]),
    ("hole-in-hole", "NP-14", "holes may overlap", [block("10.88.0.0/24", "10.88.0.0/27", Y4)],
     ["ya 4 deny", "xb 4 deny", "ww 4 allow"]),
    ("hole-reopened", "NP-14", "another entry may allow what a hole leaves out",
     [block("10.88.0.0/24", Y4), block("10.88.0.17/32")], ["ya 4 allow", "yb 4 deny", "xb 4 allow"]),
    ("hole-reopened-by-label", "NP-14", "so may a selector",
     [block("10.88.0.0/24", Y4), {"namespaceSelector": labels(ns="y"), "podSelector": labels(pod="b")}],
     ["yb 4 allow", "ya 4 deny", "yb 6 allow", "xb 6 deny"]),
    ("hole-under-wider", "NP-14", "an entry without hole is not made smaller by one with",
     [block("10.88.0.0/16"), block("10.88.0.0/24", Y4)], ["ya 4 allow", "xb 4 allow"]),
    ("beside-selector", "NP-15", "an address or a label", [block(Y4), {"podSelector": labels(pod="b")}],
     ["ya 4 allow", "xb 4 allow", "xb 6 allow", "xc 4 deny"]),
]
for name, covers, says, peers, wants in BLOCKS:
    for direction, key, full in both(f"block-{name}"):
        spots = []
        for want in wants:
            who, family, verdict = want.split()
            ends = f"{who} xa" if direction == "Ingress" else f"xa {who}"
            spots.append(f"{ends} TCP 81 {family} {verdict}")
        case(full, covers, says, np("p", "x", A, types=[direction], **{direction.lower(): [{key: peers}]}), spots=spots)

for direction, key, full in both("block"):
    case(f"{full}-and-port", "NP-11 NP-14", "the address and the port must match",
         np("p", "x", A, types=[direction], **{direction.lower(): [
             {key: [block("10.88.0.0/24", Z4)], "ports": [{"port": 80}, {"port": 81, "protocol": "UDP"}]}]}))
    case(f"{full}-and-name", "NP-12 NP-14", "coming in, the name is the subject's; going out, addresses have none",
         np("p", "x", A, types=[direction], **{direction.lower(): [
             {key: [block("10.88.0.24/29"), {"podSelector": labels(pod="b")}], "ports": [{"port": "serve-80-tcp"}]}]}),
         spots=["za xa TCP 80 4 allow", "xb xa TCP 80 4 allow", "xa xb TCP 80 4 allow",
                "xa za TCP 80 4 " + ("deny" if key == "to" else "allow")])
    case(f"{full}-hole-reopened-by-policy", "NP-3 NP-14", "another policy may allow what a hole leaves out",
         np("hole", "x", A, types=[direction], **{direction.lower(): [{key: [block("10.88.0.0/24", Y4)]}]}),
         np("open", "x", {}, types=[direction], **{direction.lower(): [{key: [block("10.88.0.18/32")]}]}),
         spots=["yb xa TCP 80 4 allow", "ya xa TCP 80 4 " + ("deny" if key == "from" else "allow")])

# How it is written.
case("block-other-spelling-6", "NP-14", "one prefix has many spellings",
     np("p", "x", A, types=["Ingress"], ingress=[{"from": [block("FD88:0:0:0:0:0:2:0/112")]}]),
     spots=["ya xa TCP 80 6 allow", "xb xa TCP 80 6 deny"])
for name, peer, where in (("hole-outside", block("10.88.0.0/24", "10.89.0.0/24"), "except[0]"),
                          ("hole-wider", block("10.88.0.0/24", "10.88.0.0/16"), "except[0]"),
                          ("hole-is-all", block("10.88.0.0/24", "10.88.0.0/24"), "except[0]"),
                          ("hole-of-other-family", block("10.88.0.0/24", "fd88::/64"), "except[0]"),
                          ("no-cidr", {"ipBlock": {}}, "ipBlock"), ("no-length", block("10.88.0.1"), "cidr"),
                          ("length", block("10.88.0.0/33"), "cidr"), ("letters", block("ten.0.0.0/8"), "cidr")):
    case(f"refused-block-{name}", "NP-14", "no valid ipBlock",
         np("p", "x", A, types=["Ingress"], ingress=[{"from": [peer]}]), refused=where)
