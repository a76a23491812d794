#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether two lists of objects (JSON, as kubectl prints them) are the same installation.

Not compared are: what Helm adds to say that it is Helm's, the suffix that kustomize gives to
names of generated ConfigMaps, the Namespace, which is not the chart's, and the order.
"""
import json
import re
import sys

HELM_LABELS = {"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"}
HELM_ANNOTATIONS = {"helm.sh/resource-policy", "checksum/settings"}
GENERATED = re.compile(r"^(countersign-settings)-[a-z0-9]{10}$")


def normal(value):
    if isinstance(value, dict):
        value = {k: normal(v) for k, v in value.items()}
        for name, noise in (("labels", HELM_LABELS), ("annotations", HELM_ANNOTATIONS)):
            if isinstance(value.get(name), dict):
                value[name] = {k: v for k, v in value[name].items() if k not in noise}
                if not value[name]:
                    del value[name]
        return value
    if isinstance(value, list):
        return [normal(v) for v in value]
    if isinstance(value, str):
        return GENERATED.sub(r"\1", value)
    return value


def objects(path):
    found = {}
    decoder, text = json.JSONDecoder(), open(path).read()
    at = 0
    while at < len(text.rstrip()):
        item, at = decoder.raw_decode(text, at)
        while at < len(text) and text[at].isspace():
            at += 1
        for obj in item["items"] if item["kind"] == "List" else [item]:
            obj = normal(obj)
            if obj["kind"] == "Namespace":
                continue
            # kubectl fills in the namespace of the context where none is said
            key = (obj["kind"], obj["metadata"]["name"])
            if key in found:
                sys.exit(f"{path}: twice: {key}")
            found[key] = obj
    return found


def differences(a, b, path=""):
    if type(a) is not type(b):
        yield f"{path}: {a!r} and {b!r}"
    elif isinstance(a, dict):
        for key in sorted(a.keys() | b.keys()):
            if key not in a or key not in b:
                yield f"{path}.{key}: only in the {'second' if key not in a else 'first'}"
            else:
                yield from differences(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, list) and len(a) == len(b):
        # the order of mounts and volumes means nothing
        if path.endswith(("volumeMounts", "volumes")):
            a, b = (sorted(x, key=lambda item: item["name"]) for x in (a, b))
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{path}[{i}]")
    elif a != b:
        yield f"{path}: {a!r} and {b!r}"


def main():
    first, second = objects(sys.argv[1]), objects(sys.argv[2])
    found = [f"{key}: only in one" for key in sorted(first.keys() ^ second.keys())]
    for key in sorted(first.keys() & second.keys()):
        found += differences(first[key], second[key], "/".join(key))
    for line in found[:40]:
        print(line, file=sys.stderr)
    sys.exit(1 if found or not first else 0)


main()
