#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pods that the DaemonSets of a list (JSON, standard input) would make, as a list."""
import json
import sys

text, decoder, at, pods = sys.stdin.read().rstrip(), json.JSONDecoder(), 0, []
while at < len(text):
    item, at = decoder.raw_decode(text, at)
    while at < len(text) and text[at].isspace():
        at += 1
    for obj in item["items"] if item["kind"] == "List" else [item]:
        if obj["kind"] != "DaemonSet":
            continue
        template = obj["spec"]["template"]
        # Accounts are checked, too, and are not there in a dry run.
        template["spec"].pop("serviceAccountName", None)
        template["spec"]["automountServiceAccountToken"] = False
        pods.append({"apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
                     "metadata": {**template["metadata"], "name": obj["metadata"]["name"]}})
json.dump({"apiVersion": "v1", "kind": "List", "items": pods}, sys.stdout)
sys.exit(0 if pods else 1)
