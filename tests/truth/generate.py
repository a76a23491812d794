#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the truth table: the cases of cases_*.py with what model.py expects of each.

Needed only by who adds or changes a case (Debian: python3-yaml). What it writes is what the
tests read and is checked in, so that a change of a single expected flow shows in a review:

    tests/truth/generate.py
"""
import importlib
import itertools
import pathlib
import sys

import yaml

import model

HERE = pathlib.Path(__file__).parent
GROUPS = ("isolation", "peers", "ports", "blocks", "cluster", "cluster_match", "admin", "mixed")


class Text(str):
    """A string that is written as a block."""


yaml.SafeDumper.add_representer(
    Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|"))
yaml.SafeDumper.ignore_aliases = lambda *_: True


def dump(value, **options):
    return yaml.safe_dump(value, sort_keys=False, width=100, **options)


def manifests(objects):
    return "---\n".join(dump(o, default_flow_style=None) for o in objects)


def reach(objects):
    """Flows with equal tables are written together; what is not written is allowed."""
    groups = {}
    for key in itertools.product(model.PROTOCOLS, model.NUMBERS, model.FAMILIES):
        rows = model.table(objects, *key)
        if rows:
            groups.setdefault(tuple(rows.items()), []).append("%s/%d/%d" % key)
    total = len(model.PROTOCOLS) * len(model.NUMBERS) * len(model.FAMILIES)
    return [{"flows": "all" if len(flows) == total else " ".join(flows),
             "table": Text("".join(f"{row} {cells}\n" for row, cells in rows))}
            for rows, flows in groups.items()]


def check_spots(case):
    """What a case says in words, by hand: the model must not be alone in saying so."""
    pods = {p.short: p for p in model.PODS}
    for spot in case.spots:
        source, destination, protocol, port, family, want = spot.split()
        flow = model.Flow(pods[source], pods[destination], protocol, int(port), int(family))
        if model.allowed(case.objects, flow) != (want == "allow"):
            sys.exit(f"{case.name}: the model does not agree with: {spot}")


def entry(case):
    out = {"case": case.name, "covers": " ".join(case.covers), "says": case.says}
    if case.refused:
        out["refused"] = case.refused
    out["manifests"] = Text(manifests(case.objects))
    if case.refused:
        return out
    check_spots(case)
    tables = reach(case.objects)
    if tables:
        out["reach"] = tables
    if case.also:
        out["also"] = case.also
    return out


def world():
    for name, labels in model.NAMESPACES.items():
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    for pod in model.PODS[:-1]:
        yield {"apiVersion": "countersign.dev/v1alpha1", "kind": "Workload",
               "metadata": {"name": pod.name, "namespace": pod.namespace, "labels": pod.labels},
               "spec": {"serviceAccount": pod.name, "cgroup": pod.full,
                        "addresses": [str(a) for a in pod.address.values()],
                        "ports": [{"name": n, "port": p, "protocol": q} for n, p, q in pod.ports]}}


def write(name, what, text):
    head = f"# SPDX-License-Identifier: Apache-2.0\n# {what}\n# Written by generate.py.\n"
    (HERE / name).write_text(head + text)


def main():
    seen = set()
    write("world.yaml", "The namespaces and workloads that the cases are about.",
          manifests(world()))
    for group in GROUPS:
        module = importlib.import_module(f"cases_{group}")
        for case in module.CASES:
            if case.name in seen:
                sys.exit(f"two cases are called {case.name}")
            seen.add(case.name)
        write(f"{group.replace('_', '-')}.yaml", module.__doc__,
              "".join(dump([entry(c)]) for c in module.CASES))
        print(f"{group}: {len(module.CASES)}")
    print(f"{len(seen)} cases")


main()
