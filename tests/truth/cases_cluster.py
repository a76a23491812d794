# SPDX-License-Identifier: Apache-2.0
"""ClusterNetworkPolicy: tiers, priority, order, and what Accept, Deny and Pass end."""
from case import Case, both, cnp, labels, namespaces, np, pods, rule

A = labels(pod="a")
XA = pods(A, labels(ns="x"))
X, Y, Z = (namespaces(labels(ns=n)) for n in "xyz")
ALL = namespaces()
CASES = []


def case(name, covers, says, *objects, **more):
    CASES.append(Case(name, covers, says, *objects, **more))


def spot(direction, who, verdict):
    return (f"{who} xa" if direction == "Ingress" else f"xa {who}") + f" TCP 80 4 {verdict}"


def one(direction, name, tier, priority, action, peer, subject=None):
    return cnp(name, tier, priority, subject or XA, **{direction.lower(): [rule(action, [peer], direction)]})


for direction, key, _ in both(""):
    lower = direction.lower()

    def deny_np():
        return np("none", "x", A, types=[direction])

    def allow_np(ns="y"):
        return np("some", "x", A, types=[direction], **{lower: [{key: [{"namespaceSelector": labels(ns=ns)}]}]})

    # Each action of each tier alone and with NetworkPolicies.
    for tier in ("Admin", "Baseline"):
        for action in ("Accept", "Deny", "Pass"):
            base = f"{tier.lower()}-{action.lower()}-{lower}"
            policy = one(direction, "p", tier, 50, action, Y)
            case(base, "CNP-1 CNP-3", f"{action} of y alone: no isolation, the rest goes on", policy,
                 spots=[spot(direction, "ya", "deny" if action == "Deny" else "allow"),
                        spot(direction, "za", "allow"), spot(direction, "ww", "allow")])
            wins = tier == "Admin" and action == "Accept"
            case(f"{base}-over-np-deny", "CNP-1 CNP-4", "beside a NetworkPolicy that allows nothing",
                 policy, deny_np(),
                 spots=[spot(direction, "ya", "allow" if wins else "deny"), spot(direction, "za", "deny")])
            wins = tier == "Admin" and action == "Deny"
            case(f"{base}-over-np-allow", "CNP-1 CNP-4", "beside a NetworkPolicy that allows y",
                 policy, allow_np(),
                 spots=[spot(direction, "ya", "deny" if wins else "allow"), spot(direction, "za", "deny")])
    # Admin against Baseline.
    for admin in ("Accept", "Deny", "Pass"):
        for baseline in ("Accept", "Deny"):
            want = {"Accept": "allow", "Deny": "deny"}[baseline if admin == "Pass" else admin]
            case(f"admin-{admin.lower()}-baseline-{baseline.lower()}-{lower}", "CNP-1",
                 "Admin decides, Pass leaves it to Baseline",
                 one(direction, "first", "Admin", 900, admin, Y), one(direction, "last", "Baseline", 0, baseline, ALL),
                 spots=[spot(direction, "ya", want), spot(direction, "za", "deny" if baseline == "Deny" else "allow")])
    # Priority and order.
    for first, second in (("Accept", "Deny"), ("Deny", "Accept"), ("Pass", "Deny"), ("Pass", "Accept")):
        want = "deny" if first == "Deny" else "allow"
        case(f"priority-{first.lower()}-before-{second.lower()}-{lower}", "CNP-2",
             "the lower priority comes first, whatever the names",
             one(direction, "z-first", "Admin", 10, first, Y), one(direction, "a-second", "Admin", 20, second, ALL),
             spots=[spot(direction, "ya", want), spot(direction, "za", "deny" if second == "Deny" else "allow")])
        case(f"order-{first.lower()}-before-{second.lower()}-{lower}", "CNP-2", "within an object from top to bottom",
             cnp("p", "Baseline", 7, XA, **{lower: [rule(first, [Y], direction, name="one"),
                                                    rule(second, [ALL], direction, name="two")]}),
             spots=[spot(direction, "ya", want)])
    case(f"priority-0-and-1000-{lower}", "CNP-2", "the ends of the range",
         one(direction, "low", "Baseline", 1000, "Deny", ALL), one(direction, "high", "Baseline", 0, "Accept", Z),
         spots=[spot(direction, "za", "allow"), spot(direction, "ya", "deny")])
    case(f"pass-skips-the-tier-{lower}", "CNP-1 CNP-2", "Pass skips all later policies of its tier",
         one(direction, "a", "Admin", 1, "Pass", Y), one(direction, "b", "Admin", 2, "Deny", Y),
         one(direction, "c", "Admin", 3, "Deny", Z), spots=[spot(direction, "ya", "allow"), spot(direction, "za", "deny")])
    case(f"pass-to-np-to-nothing-{lower}", "CNP-1 CNP-4",
         "after a Pass an isolating NetworkPolicy decides, Baseline is not asked",
         one(direction, "a", "Admin", 1, "Pass", ALL), allow_np("z"), one(direction, "b", "Baseline", 1, "Accept", ALL),
         spots=[spot(direction, "za", "allow"), spot(direction, "ya", "deny")])
    case(f"baseline-pass-to-default-{lower}", "CNP-1", "Pass of Baseline goes to the default: allowed",
         cnp("b", "Baseline", 1, XA, **{lower: [rule("Pass", [Y], direction), rule("Deny", [ALL], direction)]}),
         spots=[spot(direction, "ya", "allow"), spot(direction, "za", "deny")])
    case(f"all-three-tiers-{lower}", "CNP-1", "each tier decides its part",
         cnp("a", "Admin", 1, XA, **{lower: [rule("Deny", [pods(A, labels(ns="y"))], direction),
                                             rule("Accept", [pods(A, labels(ns="z"))], direction)]}),
         allow_np("y"), one(direction, "b", "Baseline", 1, "Accept", ALL),
         spots=[spot(direction, "ya", "deny"), spot(direction, "yb", "allow"), spot(direction, "za", "allow"),
                spot(direction, "zb", "deny"), spot(direction, "ww", "deny")])
    case(f"no-rules-{lower}", "CNP-3", "a policy without rules does nothing",
         cnp("p", "Admin", 1, XA, **{lower: []}), spots=[spot(direction, "ya", "allow")])
    other = "Egress" if direction == "Ingress" else "Ingress"
    case(f"only-{lower}", "CNP-3", "rules of one direction do not touch the other",
         one(direction, "p", "Admin", 1, "Deny", ALL), spots=[spot(direction, "ya", "deny"), spot(other, "ya", "allow")])
    # Whether a NetworkPolicy keeps Baseline out is asked direction by direction.
    case(f"baseline-{lower}-beside-np-{other.lower()}", "CNP-4", "a NetworkPolicy for the other direction only",
         np("p", "x", A, types=[other], **{other.lower(): [{}]}), one(direction, "b", "Baseline", 1, "Deny", Y),
         spots=[spot(direction, "ya", "deny"), spot(direction, "za", "allow"), spot(other, "ya", "allow")])

case("egress-accept-ingress-denied", "CNP-3", "Accept of egress does not bypass ingress of the other end",
     one("Egress", "p", "Admin", 1, "Accept", ALL), np("none", "y", A, types=["Ingress"]),
     spots=["xa ya TCP 80 4 deny", "xa yb TCP 80 4 allow"])
case("ingress-accept-egress-denied", "CNP-3", "nor the other way round",
     one("Ingress", "p", "Admin", 1, "Accept", ALL), np("none", "y", A, types=["Egress"]),
     spots=["ya xa TCP 80 4 deny", "yb xa TCP 80 4 allow"])
case("accept-includes-replies", "CNP-4", "answers need no rule even when all else is denied",
     cnp("p", "Admin", 1, XA, ingress=[rule("Accept", [Y])], egress=[rule("Deny", [ALL], "Egress")]),
     spots=["ya xa TCP 80 4 allow", "ya xa UDP 80 6 allow", "xa ya TCP 80 4 deny"])
case("accept-includes-replies-egress", "CNP-4", "of egress as well",
     cnp("p", "Admin", 1, XA, egress=[rule("Accept", [Y], "Egress")], ingress=[rule("Deny", [ALL])]),
     spots=["xa ya UDP 81 4 allow", "ya xa UDP 81 4 deny"])
case("hairpin-own-address", "CNP-10", "a pod and its own address are no matter of policy",
     cnp("p", "Admin", 0, ALL, ingress=[rule("Deny", [ALL])], egress=[rule("Deny", [ALL], "Egress")]),
     spots=["xa xa TCP 80 4 allow", "zc zc UDP 81 6 allow", "xa xb TCP 80 4 deny"])
