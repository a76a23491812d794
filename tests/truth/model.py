# SPDX-License-Identifier: Apache-2.0
"""What the API texts say a flow may do, in the plainest words.

The expectations of the truth table come from here and not from the product: this file was
written from the Go types of networking.k8s.io/v1, policy.networking.k8s.io v1alpha2 and
v1alpha1, works on the objects as they are written, and knows nothing of compiling.
"""
import ipaddress

NAMESPACES = {
    "x": {"ns": "x", "stage": "prod"},
    "y": {"ns": "y", "stage": "dev"},
    "z": {"ns": "z"},
}
TEAMS = {"x/a": "red", "y/a": "red", "x/b": "blue", "z/b": "blue"}
PORTS = [("serve-80-tcp", 80, "TCP"), ("serve-81-tcp", 81, "TCP"),
         ("serve-80-udp", 80, "UDP"), ("serve-81-udp", 81, "UDP"),
         ("serve-80-sctp", 80, "SCTP"), ("serve-81-sctp", 81, "SCTP")]
# One pod gives the TCP names to the other numbers; "web" is TCP here and UDP there.
OTHER_PORTS = {
    "z/c": [("serve-80-tcp", 81, "TCP"), ("serve-81-tcp", 80, "TCP")] + PORTS[2:],
    "x/a": PORTS + [("web", 80, "TCP")],
    "x/b": PORTS + [("web", 80, "UDP")],
    "y/a": PORTS + [("web", 81, "TCP"), ("web", 81, "UDP")],
}
PROTOCOLS = ("TCP", "UDP", "SCTP")
NUMBERS = (80, 81)
FAMILIES = (4, 6)


class Pod:
    """One end of a flow; the world outside is one without namespace."""

    def __init__(self, namespace, name, v4, v6):
        self.namespace, self.name = namespace, name
        self.full = f"{namespace}/{name}" if namespace else "World"
        self.short = namespace + name if namespace else "ww"
        self.address = {4: ipaddress.ip_address(v4), 6: ipaddress.ip_address(v6)}
        self.labels = {"pod": name}
        if self.full in TEAMS:
            self.labels["team"] = TEAMS[self.full]
        self.ports = OTHER_PORTS.get(self.full, PORTS) if namespace else []

    @property
    def namespace_labels(self):
        return {**NAMESPACES[self.namespace], "kubernetes.io/metadata.name": self.namespace}


def make_pods():
    pods = [Pod(n, p, f"10.88.0.{8 * (i + 1) + j + 1}", f"fd88::{i + 1}:{j + 1}")
            for i, n in enumerate("xyz") for j, p in enumerate("abc")]
    return pods + [Pod("", "", "10.88.0.200", "fd88::9:200")]


PODS = make_pods()


def selects(selector, labels):
    """A LabelSelector: all of matchLabels and of matchExpressions."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for e in selector.get("matchExpressions") or []:
        has, value = e["key"] in labels, labels.get(e["key"])
        holds = {"In": has and value in e.get("values", []),
                 "NotIn": not has or value not in e.get("values", []),
                 "Exists": has,
                 "DoesNotExist": not has}[e["operator"]]
        if not holds:
            return False
    return True


def in_cidr(address, cidr):
    network = ipaddress.ip_network(cidr)
    return address.version == network.version and address in network


class Flow:
    def __init__(self, source, destination, protocol, port, family):
        self.source, self.destination = source, destination
        self.protocol, self.port, self.family = protocol, port, family

    def named(self, name, protocol):
        """Whether the destination calls the flow's port by this name."""
        return protocol == self.protocol and \
            (name, self.port, protocol) in self.destination.ports


# ---- networking.k8s.io/v1 NetworkPolicy

def np_types(spec):
    if spec.get("policyTypes"):
        return spec["policyTypes"]
    return ["Ingress"] + (["Egress"] if spec.get("egress") else [])


def np_peer(peer, namespace, pod, family):
    if peer.get("ipBlock"):
        block, address = peer["ipBlock"], pod.address[family]
        return in_cidr(address, block["cidr"]) and \
            not any(in_cidr(address, hole) for hole in block.get("except") or [])
    if not pod.namespace:
        return False
    if peer.get("namespaceSelector") is None:
        if pod.namespace != namespace:
            return False
    elif not selects(peer["namespaceSelector"], pod.namespace_labels):
        return False
    return peer.get("podSelector") is None or selects(peer["podSelector"], pod.labels)


def np_port(entry, flow):
    protocol, port = entry.get("protocol") or "TCP", entry.get("port")
    if protocol != flow.protocol:
        return False
    if port is None:
        return True
    if isinstance(port, str):
        return flow.named(port, protocol)
    return port <= flow.port <= entry.get("endPort", port)


def np_tier(policies, direction, subject, peer, flow):
    """None when no NetworkPolicy isolates the subject in this direction."""
    isolated = False
    for policy in policies:
        spec, namespace = policy.get("spec") or {}, policy["metadata"]["namespace"]
        if subject.namespace != namespace or direction not in np_types(spec) or \
                not selects(spec.get("podSelector") or {}, subject.labels):
            continue
        isolated = True
        for rule in spec.get(direction.lower()) or []:
            rule = rule or {}
            peers = rule.get("from" if direction == "Ingress" else "to")
            ports = rule.get("ports")
            peers = [p for p in peers or [{}] if not p or np_peer(p, namespace, peer, flow.family)]
            ports = [p for p in ports or [None] if p is None or np_port(p, flow)]
            # The API texts do not say whether addresses have named ports going out; those of
            # ClusterNetworkPolicy say that they have none, so they have none here either.
            if any(not (direction == "Egress" and "ipBlock" in peer_ and port and
                        isinstance(port.get("port"), str))
                   for peer_ in peers for port in ports):
                return True
    return False if isolated else None


# ---- ClusterNetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy

KNOWN_PEERS = ("namespaces", "pods", "networks", "nodes")


def cluster_pods(thing, pod):
    """`namespaces` or `pods` of a subject or peer."""
    if not pod.namespace:
        return False
    if "namespaces" in thing:
        return selects(thing["namespaces"], pod.namespace_labels)
    return selects(thing["pods"].get("namespaceSelector") or {}, pod.namespace_labels) and \
        selects(thing["pods"]["podSelector"], pod.labels)


def cluster_peer(peer, pod, flow):
    if "networks" in peer:
        return any(in_cidr(pod.address[flow.family], cidr) for cidr in peer["networks"])
    if "nodes" in peer:
        return False  # no flow of the table is with a node
    return cluster_pods(peer, pod)


def cnp_protocol(entry, flow):
    if "destinationNamedPort" in entry:
        return any(flow.named(entry["destinationNamedPort"], p) for p in PROTOCOLS)
    protocol, match = next(iter(entry.items()))
    if protocol.upper() != flow.protocol:
        return False
    port = (match or {}).get("destinationPort")
    if port is None:
        return True
    if "number" in port:
        return flow.port == port["number"]
    return port["range"]["start"] <= flow.port <= port["range"]["end"]


def anp_port(entry, flow):
    if "namedPort" in entry:
        return any(flow.named(entry["namedPort"], p) for p in PROTOCOLS)
    if "portNumber" in entry:
        port = entry["portNumber"]
        return (port.get("protocol") or "TCP") == flow.protocol and port["port"] == flow.port
    span = entry["portRange"]
    return (span.get("protocol") or "TCP") == flow.protocol and \
        span["start"] <= flow.port <= span["end"]


def cluster_rule(rule, direction, peer, flow):
    """The action when the rule applies, else None. Unknown peers fail closed."""
    peers = rule["from" if direction == "Ingress" else "to"]
    action = {"Accept": "Allow"}.get(rule["action"], rule["action"])
    if any(not any(k in p for k in KNOWN_PEERS) for p in peers):
        return None if action == "Allow" else "Deny"
    if not any(cluster_peer(p, peer, flow) for p in peers):
        return None
    if rule.get("protocols") and not any(cnp_protocol(p, flow) for p in rule["protocols"]):
        return None
    if rule.get("ports") and not any(anp_port(p, flow) for p in rule["ports"]):
        return None
    return action


def cluster_tier(policies, direction, subject, peer, flow):
    """True, False, or None when the tier leaves the decision to the next one."""
    order = sorted(policies, key=lambda p: (p["spec"].get("priority", 0), p["metadata"]["name"]))
    for policy in order:
        if not cluster_pods(policy["spec"]["subject"], subject):
            continue
        for rule in policy["spec"].get(direction.lower()) or []:
            action = cluster_rule(rule, direction, peer, flow)
            if action == "Pass":
                return None
            if action:
                return action == "Allow"
    return None


def tier_of(policy):
    return {"NetworkPolicy": "Default", "AdminNetworkPolicy": "Admin",
            "BaselineAdminNetworkPolicy": "Baseline"}.get(policy["kind"]) or policy["spec"]["tier"]


# ---- both

def allowed_one_way(objects, direction, flow):
    subject, peer = flow.destination, flow.source
    if direction == "Egress":
        subject, peer = peer, subject
    if not subject.namespace or subject is peer:
        return True  # nobody's policy, or a pod and itself
    policies = [o for o in objects if o["kind"].endswith("NetworkPolicy")]
    for tier, judge in (("Admin", cluster_tier), ("Default", np_tier), ("Baseline", cluster_tier)):
        verdict = judge([p for p in policies if tier_of(p) == tier], direction, subject, peer, flow)
        if verdict is not None:
            return verdict
    return True


def allowed(objects, flow):
    return allowed_one_way(objects, "Egress", flow) and allowed_one_way(objects, "Ingress", flow)


def table(objects, protocol, port, family):
    """A row for each source that is denied something."""
    rows = {}
    for source in PODS:
        row = "".join(
            "." if source is to is PODS[-1] or
            allowed(objects, Flow(source, to, protocol, port, family)) else "X" for to in PODS)
        if "X" in row:
            rows[source.short] = row
    return rows
