#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a container runtime would be told of a pod's first container: an OCI configuration.

    kubectl get pod NAME -o json | oci_config.py ROOT HOST SECCOMP ENV ARG...

ROOT is the image's contents. A host path P of the pod is HOST/P when that is there, else P;
volumes of ConfigMaps, Secrets and the account's token are in HOST/volumes/NAME. SECCOMP is the
runtime's default profile, ENV a file of NAME=VALUE lines (envFrom and the API server's address),
ARG... are arguments behind those of the pod.
"""
import json
import os
import platform
import re
import sys

ENTRYPOINT = "/usr/sbin/countersignd"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
          "/sys/firmware", "/sys/dev/block"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
PROPAGATION = {"HostToContainer": "rslave", "Bidirectional": "rshared", "None": "rprivate"}


def seccomp(path, caps):
    """The profile as it is for who has these capabilities."""
    profile = json.load(open(path))
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        arches = includes.get("arches")
        if arches and platform.machine() not in arches and "amd64" not in arches:
            continue
        if not set(includes.get("caps", [])) <= caps or set(excludes.get("caps", [])) & caps:
            continue
        kept = {k: rule[k] for k in ("names", "action", "errnoRet") if k in rule}
        if rule.get("args"):
            kept["args"] = rule["args"]
        rules.append(kept)
    return {"defaultAction": profile["defaultAction"],
            "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
            "syscalls": rules}


def volume_source(volume, host):
    if "hostPath" in volume:
        path = volume["hostPath"]["path"]
        own = host + path
        return own if os.path.exists(own) else path
    return f"{host}/volumes/{volume['name']}"


def mounts(pod, container, host):
    sources = {v["name"]: volume_source(v, host) for v in pod["spec"]["volumes"]}
    result = [
        {"destination": "/proc", "type": "proc", "source": "proc",
         "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
         "options": ["nosuid", "noexec", "nodev", "ro"]},
    ]
    for mount in sorted(container["volumeMounts"], key=lambda m: m["mountPath"]):
        if mount["mountPath"] == ACCOUNT:
            source = f"{host}/volumes/account"
        else:
            source = sources[mount["name"]]
        options = ["rbind", PROPAGATION[mount.get("mountPropagation", "None")]]
        options.append("ro" if mount.get("readOnly") else "rw")
        result.append({"destination": mount["mountPath"], "type": "bind", "source": source,
                       "options": options})
    return result


def environment(pod, container, path):
    env = dict(line.split("=", 1) for line in open(path).read().splitlines())
    for item in container.get("env", []):
        assert item["valueFrom"]["fieldRef"]["fieldPath"] == "spec.nodeName", item
        env[item["name"]] = pod["spec"]["nodeName"]
    return {"PATH": "/usr/sbin:/usr/bin", **env}


def main():
    root, host, profile, env_file, *more = sys.argv[1:]
    pod = json.load(sys.stdin)
    container = pod["spec"]["containers"][0]
    security = container["securityContext"]
    caps = {"CAP_" + c for c in security["capabilities"]["add"]}
    assert security["capabilities"]["drop"] == ["ALL"]
    assert pod["spec"]["hostPID"] and pod["spec"]["hostNetwork"]
    assert pod["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    env = environment(pod, container, env_file)
    args = [re.sub(r"\$\((\w+)\)", lambda m: env[m[1]], a) for a in container["args"]]
    listed = sorted(caps)
    json.dump({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": pod["spec"]["securityContext"]["runAsUser"],
                     "gid": pod["spec"]["securityContext"]["runAsGroup"]},
            "args": [ENTRYPOINT, *args, *more],
            "env": [f"{k}={v}" for k, v in env.items()],
            "cwd": "/",
            "capabilities": {k: listed for k in ("bounding", "effective", "permitted")},
            "noNewPrivileges": not security["allowPrivilegeEscalation"],
        },
        "root": {"path": root, "readonly": security["readOnlyRootFilesystem"]},
        "mounts": mounts(pod, container, host),
        "linux": {
            "namespaces": [{"type": t} for t in ("mount", "ipc", "uts")],
            "seccomp": seccomp(profile, caps),
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    }, sys.stdout, indent=1)


main()
