#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the owner of a reflector knows, from what build/kube-watch printed.

client_state.py KIND <LOG            the objects, "namespace/name version" a line, sorted
client_state.py KIND FIELD <LOG      a counter of the last "stats" of that kind, or of "client"
client_state.py KIND count EVENT     how many lines of that event there are
client_state.py KIND last EVENT KEY  of the last of them
"""
import json
import sys


def lines(kind):
    for line in sys.stdin:
        if line.startswith("{") and line.endswith("}\n"):
            told = json.loads(line)
            if told.get("kind", "client") == kind:
                yield told


def state(told):
    """A list in the making takes effect with its end, as in the agent."""
    objects, pending = {}, None
    for line in told:
        event, name = line["event"], line.get("name")
        if event == "begin":
            pending = {}
        elif event == "set":
            (objects if pending is None else pending)[name] = line["version"]
        elif event == "gone":
            (objects if pending is None else pending).pop(name, None)
        elif event == "synced":
            objects, pending = pending if pending is not None else objects, None
    return objects


def main():
    kind, *rest = sys.argv[1:]
    told = list(lines(kind))
    if not rest:
        for name, version in sorted(state(told).items()):
            print(name, version)
    elif rest[0] == "count":
        print(sum(line["event"] == rest[1] for line in told))
    elif rest[0] == "last":
        print([line[rest[2]] for line in told if line["event"] == rest[1]][-1])
    else:
        print([line[rest[0]] for line in told if rest[0] in line][-1])


main()
