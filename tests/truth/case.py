# SPDX-License-Identifier: Apache-2.0
"""Short ways to write a case and the objects in it."""


class Case:
    """spots: "xb xa TCP 80 4 deny"; also: flows beyond the table; refused: part of the error."""

    def __init__(self, name, covers, says, *objects, spots=(), also=(), refused=""):
        self.name, self.covers, self.says = name, covers.split(), says
        self.objects, self.spots, self.also = list(objects), list(spots), list(also)
        self.refused = refused


def labels(**pairs):
    return {"matchLabels": pairs}


def expression(key, operator, *values):
    entry = {"key": key, "operator": operator}
    if values:
        entry["values"] = list(values)
    return {"matchExpressions": [entry]}


def np(name, namespace, selector, **spec):
    """A NetworkPolicy; types=[...] is policyTypes, selector None leaves podSelector out."""
    out = {} if selector is None else {"podSelector": selector}
    if "types" in spec:
        out["policyTypes"] = spec.pop("types")
    out.update(spec)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": out}


def cnp(name, tier, priority, subject, **rules):
    return {"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": {"name": name},
            "spec": {"tier": tier, "priority": priority, "subject": subject, **rules}}


def anp(name, priority, subject, **rules):
    return {"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "AdminNetworkPolicy",
            "metadata": {"name": name},
            "spec": {"priority": priority, "subject": subject, **rules}}


def banp(subject, **rules):
    return {"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "BaselineAdminNetworkPolicy",
            "metadata": {"name": "default"}, "spec": {"subject": subject, **rules}}


def rule(action, peers, direction="Ingress", protocols=None, ports=None, name=None):
    out = {"name": name} if name else {}
    out["action"] = action
    out["from" if direction == "Ingress" else "to"] = peers
    if protocols is not None:
        out["protocols"] = protocols
    if ports is not None:
        out["ports"] = ports
    return out


def pods(pod=None, ns=None):
    """A cluster peer or subject `pods`; by label selectors, empty ones for None."""
    return {"pods": {"namespaceSelector": ns or {}, "podSelector": pod or {}}}


def namespaces(selector=None):
    return {"namespaces": selector or {}}


def tcp(number=None, end=None):
    return protocol("tcp", number, end)


def protocol(name, number=None, end=None):
    if number is None:
        return {name: {}}
    if end is None:
        return {name: {"destinationPort": {"number": number}}}
    return {name: {"destinationPort": {"range": {"start": number, "end": end}}}}


def workload(namespace, name, host_network=False, **spec):
    body = {"cgroup": f"{namespace}/{name}", **spec}
    if host_network:
        body["hostNetwork"] = True
    return {"apiVersion": "countersign.dev/v1alpha1", "kind": "Workload",
            "metadata": {"name": name, "namespace": namespace, "labels": {"pod": name}},
            "spec": body}


def both(name):
    """("Ingress", "from", name-ingress) and the same for egress."""
    return (("Ingress", "from", f"ingress-{name}"), ("Egress", "to", f"egress-{name}"))
