"""Takes the same census by each contender, and prints how long each took beside patchfleet.

Each contender has a simulator of its own, so that calls and CPU can be told apart. A census that does not find
what is there fails the comparison.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

import fleet

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))
# The most calls at once of patchfleet, unless PATCHFLEET_CALLS_AT_ONCE says otherwise.
AT_ONCE = 256


def cpu_of(pid):
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def cpu_of_all():
    """Seconds of CPU that everything on this machine has used."""
    user, nice, system, _idle, _wait, irq, soft = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + soft) / TICK


class Simulator:
    """A simulator of its own."""

    def __init__(self, options, accounts):
        world = options.work / f"world-{accounts}.toml"
        world.write_text(fleet.world(accounts))
        # At this speed a second of the world is a second.
        command = [options.bin / "patchfleet-sim", "--world", world, "--listen", "127.0.0.1:0", "--speed", "1"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().split()[-1]

    def requests(self):
        """What was called."""
        with urllib.request.urlopen(f"{self.endpoint}/_sim/requests") as answer:
            body = json.load(answer)
        return body["requests"] if isinstance(body, dict) else body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def run(command, endpoint):
    """Runs a contender. Gives its output, and its wall time, CPU and most memory in MiB."""
    surroundings = {
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": fleet.HOME,
        "AWS_DEFAULT_REGION": fleet.HOME,
        "AWS_ACCESS_KEY_ID": "AKIACOMPARE000000000",
        "AWS_SECRET_ACCESS_KEY": "compared",
    }
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=surroundings) as process:
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return json.loads(output), wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(options, name, command, accounts):
    """What one contender needed for its census."""
    with Simulator(options, accounts) as simulator:
        sim_before, all_before = cpu_of(simulator.process.pid), cpu_of_all()
        found, wall, client, memory = run(command, simulator.endpoint)
        sim = cpu_of(simulator.process.pid) - sim_before
        others = max(0.0, cpu_of_all() - all_before - sim - client)
        calls = simulator.requests()
    if name.startswith("patchfleet"):
        found = {
            f"{one['account']}/{one['region']}": one["nodes"]["online"] + one["nodes"]["offline"]
            for one in found["locations"]
        }
    if found != fleet.expected(accounts):
        sys.exit(f"{name}: this is not the census of {accounts} accounts: {len(found)} locations")
    if name.endswith("a loop") and wall < len(calls) * fleet.LATENCY_MS / 1000:
        sys.exit(f"{len(calls)} calls, one after the other, took {wall:.1f} s: the latency is not what it should be")
    operations = Counter(f"{call['service']}:{call['operation']}" for call in calls)
    return {
        "by": name,
        "accounts": accounts,
        "regions": len(fleet.REGIONS),
        "wall_s": round(wall, 2),
        "client_cpu_s": round(client, 2),
        "simulator_cpu_s": round(sim, 2),
        "other_cores": round(others / wall, 2),
        "memory_mib": round(memory, 1),
        "calls": sum(operations.values()),
        "throttled": sum(call["status"] in (400, 429) and "hrottl" in json.dumps(call) for call in calls),
        "calls_by_operation": dict(sorted(operations.items())),
    }


def floor(result):
    """The least time that patchfleet's census could take, in seconds, by what bounds it."""
    calls = result["calls_by_operation"]
    cpu = result["client_cpu_s"] + result["simulator_cpu_s"]
    rates = [
        max(0, calls.get(name, 0) - burst) / rate
        for name, (rate, burst) in fleet.RATES.items()
        # Others are called in each account, and so have a rate in each.
        if name.startswith(("organizations:", "sts:"))
    ]
    return {
        "latency x calls / connections": fleet.LATENCY_MS / 1000 * result["calls"] / AT_ONCE,
        "rates": max(rates),
        "cpu": cpu / CORES,
        "cpu that others left": cpu / max(0.1, CORES - result["other_cores"]),
    }


def main():
    """Compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="where patchfleet and patchfleet-sim are")
    parser.add_argument("--work", type=Path, required=True, help="a folder for files")
    parser.add_argument("--accounts", type=int, default=100, help="100, unless set")
    parser.add_argument("--large", type=int, default=500, help="accounts of patchfleet's second census; 0: none")
    parser.add_argument(
        "--latency",
        type=int,
        default=fleet.LATENCY_MS,
        help="milliseconds that each call takes: 50, unless set. A long one shows how many calls wait for one another, "
        "also on a machine that is busy",
    )
    parser.add_argument("--only", action="append", help="one contender by name; may be said again")
    options = parser.parse_args()
    fleet.LATENCY_MS = options.latency
    options.work.mkdir(parents=True, exist_ok=True)
    request = options.work / "request.toml"
    request.write_text(fleet.request())
    patchfleet = [options.bin / "patchfleet", "plan", "-f", request, "--output", "json"]
    contenders = {
        "patchfleet": patchfleet,
        "boto3, 64 threads": [sys.executable, HERE / "boto.py", "64"],
        "awsrun, 64 threads": [sys.executable, HERE / "by_awsrun.py"],
        "boto3, a loop": [sys.executable, HERE / "boto.py", "1"],
    }
    chosen = options.only or list(contenders)
    results = []
    for name in chosen:
        results.append(measure(options, name, contenders[name], options.accounts))
        print(json.dumps(results[-1]), file=sys.stderr)
    if options.large and "patchfleet" in chosen:
        results.append(measure(options, "patchfleet, large", patchfleet, options.large))
        print(json.dumps(results[-1]), file=sys.stderr)

    own = next((result for result in results if result["by"] == "patchfleet"), None)
    print(f"\n{options.accounts} accounts x {len(fleet.REGIONS)} Regions, {fleet.LATENCY_MS} ms a call, {CORES} cores\n")
    print("| census by | seconds | ÷ patchfleet | calls | throttled | CPU client | CPU simulator | MiB | cores that others used |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for result in results:
        ratio = result["wall_s"] / own["wall_s"] if own else float("nan")
        print(
            f"| {result['by']} | {result['wall_s']} | {ratio:.1f} | {result['calls']} | {result['throttled']} "
            f"| {result['client_cpu_s']} | {result['simulator_cpu_s']} | {result['memory_mib']} | {result['other_cores']} |"
        )
    for result in results:
        if result["by"].startswith("patchfleet"):
            bounds = floor(result)
            least = max(value for name, value in bounds.items() if name != "cpu that others left")
            words = ", ".join(f"{name} {value:.2f} s" for name, value in bounds.items())
            turns = result["wall_s"] * 1000 / fleet.LATENCY_MS
            print(f"\n{result['by']}: {result['wall_s'] / least:.2f} x floor ({words}); as long as {turns:.1f} calls take")


if __name__ == "__main__":
    main()
