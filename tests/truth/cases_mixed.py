# SPDX-License-Identifier: Apache-2.0
"""Policies as people combine them, of every kind at once."""
from case import Case, anp, banp, cnp, labels, namespaces, np, pods, protocol, rule, tcp

A, B, C = (labels(pod=p) for p in "abc")
ALL = namespaces()
NAME = "kubernetes.io/metadata.name"
CASES = []


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


def ns(name):
    return {"namespaceSelector": labels(ns=name)}


case("default-deny-everywhere", "NP-1 NP-6", "both directions of all namespaces: only pods with themselves",
     *(np("deny", n, {}, types=["Ingress", "Egress"]) for n in "xyz"),
     spots=["xa xb TCP 80 4 deny", "xa xa TCP 80 4 allow", "xa ww TCP 80 4 deny"])
case("namespace-isolation", "NP-3 NP-7", "each namespace with itself",
     *(np("own", n, {}, types=["Ingress"], ingress=[{"from": [{"podSelector": {}}]}]) for n in "xyz"),
     spots=["xa xb TCP 80 4 allow", "xa yb TCP 80 4 deny", "ww xa TCP 80 4 deny"])
case("three-tier-shop", "NP-3 NP-4", "the world to a, a to b, b to c, nothing else in x",
     np("deny", "x", {}, types=["Ingress", "Egress"]),
     np("a", "x", A, ingress=[{"ports": [{"port": 80}]}], egress=[{"to": [{"podSelector": B}]}]),
     np("b", "x", B, ingress=[{"from": [{"podSelector": A}]}],
        egress=[{"to": [{"podSelector": C}], "ports": [{"port": "serve-81-tcp"}]}]),
     np("c", "x", C, types=["Ingress"], ingress=[{"from": [{"podSelector": B}]}]),
     spots=["ww xa TCP 80 4 allow", "xa xb UDP 80 4 allow", "xb xc TCP 81 4 allow", "xb xc TCP 80 4 deny",
            "xa xc TCP 80 4 deny", "xa ww TCP 80 4 deny"])
case("dns-only-egress", "NP-4 NP-11", "egress of y only to UDP 80 of z/b, our DNS",
     np("dns", "y", {}, types=["Egress"], egress=[{"to": [{**ns("z"), "podSelector": B}],
                                                   "ports": [{"port": 80, "protocol": "UDP"}]}]),
     spots=["ya zb UDP 80 4 allow", "ya zb TCP 80 4 deny", "ya yb TCP 80 4 deny", "xa ya TCP 80 4 allow"])
case("world-not-pods", "NP-14 NP-15", "egress to the outside but to no pod, by addresses",
     np("out", "x", {}, types=["Egress"], egress=[{"to": [{"ipBlock": {
         "cidr": "0.0.0.0/0", "except": ["10.88.0.0/26"]}}]}]),
     spots=["xa ww TCP 80 4 allow", "xa yb TCP 80 4 deny", "xa ww TCP 80 6 deny"])
case("monitoring-through-everything", "CNP-1 CNP-3", "z/c may scrape everybody despite default deny",
     *(np("deny", n, {}, types=["Ingress"]) for n in "xyz"),
     cnp("monitoring", "Admin", 10, ALL, ingress=[rule("Accept", [pods(C, labels(ns="z"))], protocols=[tcp(81)])]),
     spots=["zc xa TCP 81 4 allow", "zc xa TCP 80 4 deny", "za xa TCP 81 4 deny"])
case("tenants-cannot-be-opened", "CNP-1", "a namespace owner cannot open what the admin closed",
     np("open", "x", {}, ingress=[{}]),
     cnp("tenants", "Admin", 10, namespaces(labels(ns="x")), ingress=[rule("Deny", [namespaces(labels(ns="y"))])]),
     spots=["ya xa TCP 80 4 deny", "za xa TCP 80 4 allow"])
case("baseline-default-deny", "CNP-1 CNP-4", "closed by default, opened by namespace owners",
     cnp("closed", "Baseline", 100, ALL, ingress=[rule("Deny", [ALL])]),
     np("open", "y", B, types=["Ingress"], ingress=[{"from": [ns("x")]}]),
     spots=["xa yb TCP 80 4 allow", "za yb TCP 80 4 deny", "xa ya TCP 80 4 deny", "ww ya TCP 80 4 allow"])
case("pass-to-owner", "CNP-1", "the admin leaves y to its owner and denies the rest",
     cnp("admin", "Admin", 1, namespaces(labels(ns="y")), ingress=[
         rule("Pass", [namespaces(labels(ns="y"))], name="own"), rule("Deny", [ALL], name="rest")]),
     np("owner", "y", A, types=["Ingress"], ingress=[{"from": [{"podSelector": B}]}]),
     spots=["yb ya TCP 80 4 allow", "yc ya TCP 80 4 deny", "xa ya TCP 80 4 deny", "ya yc TCP 80 4 allow"])
case("break-glass", "CNP-2", "a higher priority opens for a while what a lower one denies",
     cnp("deny", "Admin", 500, ALL, egress=[rule("Deny", [{"networks": ["0.0.0.0/0", "::/0"]}], "Egress")]),
     cnp("glass", "Admin", 0, pods(A, labels(ns="x")), egress=[
         rule("Accept", [{"networks": ["10.88.0.200/32"]}], "Egress", protocols=[tcp(80)])]),
     spots=["xa ww TCP 80 4 allow", "xa ww TCP 81 4 deny", "xb ww TCP 80 4 deny", "xa xb TCP 80 4 deny"])
case("five-policies-one-pod", "NP-3 CNP-1 CNP-2", "five policies of four kinds about y/b",
     anp("a", 3, pods(B, labels(ns="y")), ingress=[rule("Pass", [namespaces(labels(ns="x"))])]),
     cnp("c", "Admin", 4, pods(B), ingress=[rule("Deny", [namespaces(labels(ns="x"))]),
                                            rule("Accept", [pods(C)], protocols=[protocol("udp")])]),
     np("n", "y", B, ingress=[{"from": [ns("x")], "ports": [{"port": 80}]}]),
     np("m", "y", {}, ingress=[{"from": [{"podSelector": A}]}]),
     banp(ALL, ingress=[rule("Deny", [ALL])]),
     spots=["xa yb TCP 80 4 allow", "xa yb TCP 81 4 deny", "zc yb UDP 80 4 allow", "zc yb TCP 80 4 deny",
            "xc yb UDP 80 4 deny", "xa xb TCP 80 4 deny", "ya yb UDP 80 4 allow", "yc ya UDP 80 4 deny"])
case("egress-and-ingress-of-tiers", "CNP-3", "egress decided in Admin, ingress in Baseline",
     cnp("out", "Admin", 1, namespaces(labels(ns="x")), egress=[rule("Accept", [ALL], "Egress")]),
     cnp("in", "Baseline", 1, namespaces(labels(ns="z")), ingress=[rule("Accept", [pods(A)]), rule("Deny", [ALL])]),
     spots=["xa zb TCP 80 4 allow", "xb zb TCP 80 4 deny", "xb ya TCP 80 4 allow"])
case("names-of-all-kinds", "NP-12 CNP-8", "one name in three kinds",
     np("n", "z", C, types=["Ingress"], ingress=[{"ports": [{"port": "serve-80-tcp"}]}]),
     cnp("c", "Admin", 1, pods(C), ingress=[rule("Deny", [pods(A)], protocols=[{"destinationNamedPort": "serve-80-tcp"}])]),
     anp("a", 2, pods(C), ingress=[rule("Allow", [pods(B)], ports=[{"namedPort": "serve-81-tcp"}])]),
     spots=["xa zc TCP 81 4 deny", "xa zc TCP 80 4 deny", "xb zc TCP 80 4 allow", "xb zc TCP 81 4 allow",
            "xc zc TCP 81 4 allow", "xc zc TCP 80 4 deny", "xa yc TCP 80 4 deny"])
case("both-families-differ", "NP-14 NP-15 CNP-6", "IPv4 to y, IPv6 to z",
     np("n", "x", A, types=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": "10.88.0.16/29"}},
                                                       {"ipBlock": {"cidr": "fd88::3:0/112"}}]}]),
     cnp("c", "Admin", 1, pods(A, labels(ns="x")), egress=[rule("Deny", [{"networks": ["fd88::3:2/128"]}], "Egress")]),
     spots=["xa ya TCP 80 4 allow", "xa ya TCP 80 6 deny", "xa za TCP 80 6 allow", "xa zb TCP 80 6 deny"])
