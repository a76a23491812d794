#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts an agent against kube-sim and measures it: see scale.sh. Prints what it saw as "ok"
lines, and the figures as JSON in the last lines."""
import argparse
import glob
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

TICK_S = 0.2
REQUIRED = ["Pod", "Namespace", "Node", "Service", "EndpointSlice", "NetworkPolicy", "IdentityPolicy"]


def fail(text):
    print("not ok -", text, file=sys.stderr)
    for name in ("agent", "sim"):
        try:
            with open(f"{options.dir}/{name}.log", encoding="utf-8") as log:
                print(f"--- {name}.log", *log.readlines()[-15:], sep="", file=sys.stderr)
        except OSError:
            pass
    sys.exit(1)


def ok(text):
    print("ok -", text, flush=True)


class Sim:
    def __init__(self, folder):
        with open(folder + "/kubeconfig", encoding="utf-8") as f:
            config = json.load(f)
        self.server = config["clusters"][0]["cluster"]["server"]
        # It speaks HTTP/2 only, which this library does not: curl does.
        self.ca = folder + "/ca.crt"

    def get(self, path):
        answer = subprocess.run(["curl", "-sS", "--fail", "--http2", "--cacert", self.ca, self.server + path],
                                check=True, capture_output=True, text=True)
        return json.loads(answer.stdout)

    def state(self):
        return self.get("/sim/state")

    def rates(self, **rates):
        return self.get("/sim/rates?" + "&".join(f"{k}={v}" for k, v in rates.items()))


class Agent:
    def __init__(self, argv, folder):
        self.folder = folder
        self.begun = time.monotonic()
        with open(folder + "/agent.log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        self.pid = self.process.pid

    def status(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.folder + "/state/agent.sock")
            s.sendall(b'{"verb":"status"}\n')
            with s.makefile() as f:
                return json.loads(f.readline())

    def memory(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
            return {k: int(v) for k, v in re.findall(r"^(VmHWM|VmRSS|RssAnon|RssFile):\s+(\d+)", f.read(), re.M)}

    def cpu_s(self):
        ns = 0
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            with open(path, encoding="utf-8") as f:
                ns += int(f.read().split()[0])
        return ns / 1e9

    def switches(self):
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
            return sum(int(n) for n in re.findall(r"^\w*voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M))

    def map_kib(self):
        maps = {}
        for path in glob.glob(f"/proc/{self.pid}/fdinfo/*"):
            try:
                with open(path, encoding="utf-8") as f:
                    text = f.read()
            except OSError:
                continue
            ident, size = re.search(r"^map_id:\s+(\d+)", text, re.M), re.search(r"^memlock:\s+(\d+)", text, re.M)
            if ident and size:
                maps[ident[1]] = int(size[1])
        return sum(maps.values()) // 1024

    def alive(self):
        return self.process.poll() is None

    def wait_for(self, what, seconds, test):
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end:
            if not self.alive():
                fail(f"the agent ended before {what}, with {self.process.returncode}")
            try:
                status = self.status()
                last = test(status)
                if last is True:
                    return status
            except (OSError, ValueError):
                pass
            time.sleep(TICK_S)
        fail(f"not within {seconds} s: {what} ({last})")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def kinds_of(status):
    return {k["kind"]: k for k in status["kubernetes"]["kinds"]}


def period(agent, sim, name, seconds, **rates):
    """Lets the cluster change at these rates for a time, and measures the agent meanwhile."""
    sim.rates(**rates)
    time.sleep(2)
    sim.rates(**rates)  # figures begin here
    cpu, began, switches = agent.cpu_s(), time.monotonic(), agent.switches()
    time.sleep(seconds)
    took = time.monotonic() - began
    figures = {"seconds": round(took, 1), "cpu_percent": round((agent.cpu_s() - cpu) / took * 100, 3),
               "switches_per_s": round((agent.switches() - switches) / took, 1), "memory_kib": agent.memory()}
    state = sim.state()
    figures["marks"] = state["marks"]
    figures["sent_per_s"] = {k: [round(v["events"] / took, 1), round(v["bytes"] / took)]
                             for k, v in state["kinds"].items() if v["events"]}
    if not agent.alive():
        fail(f"the agent ended in period {name}, with {agent.process.returncode}")
    print(name, json.dumps(figures), flush=True)
    return figures


def agree(agent, sim):
    """When nothing changes any more both sides have the same number of objects."""
    sim.rates(pods=0, policies=0, beats=0, records=0, marks=0)
    time.sleep(0.5)
    expected = {k: v["objects"] for k, v in sim.state()["kinds"].items()}

    def same(status):
        kinds = kinds_of(status)
        different = {k: (kinds[k]["objects"], expected[k]) for k in REQUIRED if kinds[k]["objects"] != expected[k]}
        return not different or different
    time.sleep(11)  # the marks that are left go
    expected = {k: v["objects"] for k, v in sim.state()["kinds"].items()}
    agent.wait_for("the same numbers of objects", 30, same)
    ok("numbers of objects agree: " + ", ".join(f"{expected[k]} {k}" for k in REQUIRED))
    left = sim.state()["marks"]
    if left["open"] or left["lost"]:
        fail(f"marks did not arrive: {left}")


def in_force(status):
    return status.get("epoch", 0) > 0 and status["kubernetes"]["synced"] or status.get("epoch")


def run():
    sim = Sim(options.dir + "/sim")
    agent = Agent(options.agent, options.dir)
    report = {}
    try:
        status = agent.wait_for("policy in force", 600, in_force)
        report["start"] = {"first_policy_s": round(time.monotonic() - agent.begun, 2), "cpu_s": round(agent.cpu_s(), 2),
                           "memory_kib": agent.memory(), "bytes_received": status["kubernetes"]["bytes_received"]}
        print("start", json.dumps(report["start"]), flush=True)
        time.sleep(options.settle)
        report["settled"] = {"memory_kib": agent.memory(), "cpu_s": round(agent.cpu_s(), 2), "maps_kib": agent.map_kib()}
        print("settled", json.dumps(report["settled"]), flush=True)
        report["refused"] = status["kubernetes"]["refused_total"]
        if report["refused"]:
            fail(f"objects are refused: {json.dumps(status['kubernetes']['refused'][:3])}")
        for name, seconds, rates in PERIODS[options.full]:
            if not options.only or name in options.only:
                report[name] = period(agent, sim, name, options.seconds or seconds, **rates)
                lost = report[name]["marks"]["lost"]
                if lost:
                    fail(f"{lost} marks did not arrive in period {name}")
        ok("all marks arrive in the kernel")
        agree(agent, sim)
        report["end"] = {"memory_kib": agent.memory(), "maps_kib": agent.map_kib()}
        status = agent.status()
        report["bytes_received"] = status["kubernetes"]["bytes_received"]
        report["kinds"] = {k: [v["objects"], v["lists"], v["watches"]] for k, v in kinds_of(status).items()}
        state = sim.state()
        report["writes"], report["absent"] = state["writes"], state["absent"]
    finally:
        if agent.alive():
            agent.stop()
    print(json.dumps(report, indent=1))


NOTHING = {"pods": 0, "policies": 0, "beats": 0, "records": 0, "marks": 0}
CALM = {"pods": 0, "policies": 0, "beats": 5000 / 300, "records": 5000 / 43200 * 2, "marks": 0}
PERIODS = {
    False: [("busy", 10, {"pods": 100, "policies": 1, "beats": 1, "records": 0.5, "marks": 5})],
    True: [("idle", 60, NOTHING),
           ("calm", 60, CALM),
           ("100/s", 60, {**CALM, "pods": 100, "policies": 0.2, "marks": 2}),
           ("1000/s", 60, {**CALM, "pods": 1000, "policies": 2, "marks": 2}),
           ("1000/s, 5 minutes", 300, {**CALM, "pods": 1000, "policies": 2, "marks": 2}),
           ("idle again", 60, NOTHING)],
}

parser = argparse.ArgumentParser()
parser.add_argument("--dir", required=True)
parser.add_argument("--full", action="store_true")
parser.add_argument("--seconds", type=float, help="of each period, in place of its own")
parser.add_argument("--settle", type=float, default=5, help="seconds after the first policy")
parser.add_argument("--only", action="append", help="only this period")
parser.add_argument("agent", nargs="+")
options = parser.parse_args()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the agent ends with us
run()
