# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy: who is a peer. Selectors that are missing, empty, and of every operator."""
from case import Case, both, expression, labels, np

A = labels(pod="a")
NAME = "kubernetes.io/metadata.name"
CASES = []


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


def inbound(direction, want):
    """"xb xa TCP 80 4 deny" for ingress, the way back for egress."""
    source, destination, verdict = want.split()
    if direction == "Egress":
        source, destination = destination, source
    return f"{source} {destination} TCP 80 4 {verdict}"


# name, covers, what it says, peers, who may reach x/a (or be reached by it)
PEERS = [
    ("pods-by-label", "NP-7", "podSelector alone: the policy's own namespace",
     [{"podSelector": labels(pod="b")}], ["xb xa allow", "xc xa deny", "yb xa deny", "ww xa deny"]),
    ("pods-all", "NP-7", "an empty podSelector: all pods of the own namespace, no others",
     [{"podSelector": {}}], ["xb xa allow", "yb xa deny", "ww xa deny"]),
    ("pods-nobody", "NP-7", "a label that nobody has", [{"podSelector": labels(pod="q")}], ["xb xa deny"]),
    ("pods-two-labels", "NP-9", "all of matchLabels must hold",
     [{"podSelector": labels(pod="b", team="blue")}], ["xb xa allow", "xc xa deny"]),
    ("pods-two-labels-one-wrong", "NP-9", "one of two is not enough",
     [{"podSelector": labels(pod="b", team="red")}], ["xb xa deny"]),
    ("namespace-by-label", "NP-7", "namespaceSelector alone: all pods there, not the own namespace",
     [{"namespaceSelector": labels(ns="y")}], ["yb xa allow", "ya xa allow", "xb xa deny", "za xa deny"]),
    ("namespace-all", "NP-7", "an empty namespaceSelector: all pods, but not the world",
     [{"namespaceSelector": {}}], ["yb xa allow", "xb xa allow", "zc xa allow", "ww xa deny"]),
    ("namespace-nobody", "NP-7", "a namespace label that none has", [{"namespaceSelector": labels(ns="q")}],
     ["xb xa deny", "yb xa deny"]),
    ("namespace-own", "NP-7", "the own namespace by its label", [{"namespaceSelector": labels(ns="x")}],
     ["xb xa allow", "yb xa deny"]),
    ("namespace-by-name", "NP-9", "every namespace has its name as a label",
     [{"namespaceSelector": labels(**{NAME: "z"})}], ["za xa allow", "ya xa deny", "xb xa deny"]),
    ("namespace-by-name-in", "NP-9", "also in an expression",
     [{"namespaceSelector": expression(NAME, "In", "y", "z")}], ["za xa allow", "ya xa allow", "xb xa deny"]),
    ("namespace-by-name-not-in", "NP-9", "NotIn the names",
     [{"namespaceSelector": expression(NAME, "NotIn", "y", "z")}], ["za xa deny", "xb xa allow"]),
    ("both-selectors", "NP-7", "both in one entry: both must hold",
     [{"namespaceSelector": labels(ns="y"), "podSelector": labels(pod="b")}],
     ["yb xa allow", "ya xa deny", "xb xa deny"]),
    ("both-selectors-swapped", "NP-7", "the order in the entry means nothing",
     [{"podSelector": labels(pod="c"), "namespaceSelector": labels(ns="z")}], ["zc xa allow", "xc xa deny"]),
    ("either-selector", "NP-7", "two entries: either, and podSelector means the own namespace",
     [{"namespaceSelector": labels(ns="y")}, {"podSelector": labels(pod="b")}],
     ["yb xa allow", "ya xa allow", "xb xa allow", "zb xa deny", "xc xa deny"]),
    ("all-namespaces-some-pods", "NP-7", "pods b wherever they are",
     [{"namespaceSelector": {}, "podSelector": labels(pod="b")}],
     ["xb xa allow", "yb xa allow", "zb xa allow", "ya xa deny", "ww xa deny"]),
    ("some-namespaces-all-pods", "NP-7", "an empty podSelector beside a namespaceSelector adds nothing",
     [{"namespaceSelector": labels(ns="z"), "podSelector": {}}], ["za xa allow", "xb xa deny"]),
    ("all-and-all", "NP-7", "both empty: every pod, not the world",
     [{"namespaceSelector": {}, "podSelector": {}}], ["zc xa allow", "xb xa allow", "ww xa deny"]),
    ("pod-in", "NP-9", "In", [{"podSelector": expression("pod", "In", "b", "c")}],
     ["xb xa allow", "xc xa allow", "yb xa deny"]),
    ("pod-in-one", "NP-9", "In with one value", [{"podSelector": expression("pod", "In", "c")}],
     ["xb xa deny", "xc xa allow"]),
    ("pod-not-in", "NP-9", "NotIn", [{"podSelector": expression("pod", "NotIn", "b")}],
     ["xb xa deny", "xc xa allow", "yc xa deny"]),
    ("pod-not-in-missing-key", "NP-9", "NotIn holds for pods that lack the key",
     [{"podSelector": expression("team", "NotIn", "blue")}], ["xb xa deny", "xc xa allow"]),
    ("pod-exists", "NP-9", "Exists", [{"podSelector": expression("team", "Exists")}],
     ["xb xa allow", "xc xa deny"]),
    ("pod-does-not-exist", "NP-9", "DoesNotExist", [{"podSelector": expression("team", "DoesNotExist")}],
     ["xb xa deny", "xc xa allow"]),
    ("pod-exists-nobody", "NP-9", "Exists of what nobody has", [{"podSelector": expression("q", "Exists")}],
     ["xb xa deny", "xc xa deny"]),
    ("pod-does-not-exist-everybody", "NP-9", "DoesNotExist of what nobody has: all of the namespace",
     [{"podSelector": expression("q", "DoesNotExist")}], ["xb xa allow", "xc xa allow", "yb xa deny"]),
    ("namespace-in", "NP-9", "In, of namespaces", [{"namespaceSelector": expression("ns", "In", "y", "z")}],
     ["ya xa allow", "zc xa allow", "xb xa deny"]),
    ("namespace-not-in-missing-key", "NP-9", "NotIn holds for namespaces that lack the key",
     [{"namespaceSelector": expression("stage", "NotIn", "prod")}], ["ya xa allow", "za xa allow", "xb xa deny"]),
    ("namespace-exists", "NP-9", "Exists, of namespaces", [{"namespaceSelector": expression("stage", "Exists")}],
     ["ya xa allow", "xb xa allow", "za xa deny"]),
    ("namespace-does-not-exist", "NP-9", "DoesNotExist, of namespaces",
     [{"namespaceSelector": expression("stage", "DoesNotExist")}], ["za xa allow", "ya xa deny"]),
    ("labels-and-expressions", "NP-9", "matchLabels and matchExpressions must all hold",
     [{"namespaceSelector": {**labels(stage="dev"), **expression("ns", "NotIn", "x", "z")},
       "podSelector": {"matchLabels": {"pod": "a"}, "matchExpressions": [
           {"key": "team", "operator": "Exists"}, {"key": "team", "operator": "In", "values": ["red", "blue"]}]}}],
     ["ya xa allow", "yb xa deny", "za xa deny"]),
    ("contradiction", "NP-9", "expressions that exclude each other select nobody",
     [{"podSelector": {"matchExpressions": [{"key": "pod", "operator": "Exists"},
                                            {"key": "pod", "operator": "DoesNotExist"}]}}], ["xb xa deny"]),
    ("three-entries", "NP-7", "three entries of three kinds",
     [{"podSelector": labels(pod="c")}, {"namespaceSelector": labels(ns="y"), "podSelector": labels(pod="a")},
      {"ipBlock": {"cidr": "10.88.0.200/32"}}],
     ["xc xa allow", "ya xa allow", "ww xa allow", "xb xa deny", "yb xa deny"]),
]
for name, covers, says, peers, wants in PEERS:
    for direction, key, full in both(name):
        case(full, covers, says, np("p", "x", A, types=[direction], **{direction.lower(): [{key: peers}]}),
             spots=[inbound(direction, want) for want in wants])

# Subjects are selected by the same selectors.
for name, selector, spot in (
        ("in", expression("pod", "In", "a", "b"), "xc xb TCP 80 4 deny"),
        ("not-in", expression("pod", "NotIn", "a", "b"), "xa xc TCP 80 4 deny"),
        ("exists", expression("team", "Exists"), "xa xc TCP 80 4 allow"),
        ("does-not-exist", expression("team", "DoesNotExist"), "xa xc TCP 80 4 deny"),
        ("not-in-missing-key", expression("team", "NotIn", "red"), "xa xb TCP 80 4 deny"),
        ("nobody", labels(pod="q"), "xa xb TCP 80 4 allow")):
    case(f"subject-{name}", "NP-6 NP-9", "podSelector of the policy itself", np("p", "x", selector, types=["Ingress"]),
         spots=[spot])

# What the API server would not accept.
for name, covers, peer, problem in (
        ("peer-of-nothing", "NP-8", {}, ""),
        ("block-and-pods", "NP-8", {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}, ""),
        ("block-and-namespaces", "NP-8", {"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": {}}, ""),
        ("in-without-values", "NP-9", {"podSelector": {"matchExpressions": [{"key": "pod", "operator": "In"}]}}, ""),
        ("exists-with-values", "NP-9", {"podSelector": expression("pod", "Exists", "a")}, ""),
        ("unknown-operator", "NP-9", {"podSelector": expression("pod", "Near", "a")}, "")):
    case(f"refused-{name}", covers, "no valid peer", np("p", "x", A, types=["Ingress"], ingress=[{"from": [peer]}]),
         refused=problem or "spec.ingress[0].from[0]")
