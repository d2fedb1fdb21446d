"""One job, done by patchfleet and by fleet_patch.py on two simulators with the same world: the nodes
end in the same patch states, and both programs' requests are right by AWS's models.

Usage: differential.py SIMULATOR PATCHFLEET
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import simulator
import wire

HERE = pathlib.Path(__file__).parent
SPEED = 600
ADMINISTRATION_ROLE = "arn:aws:iam::111122223333:role/AWS-SystemsManager-AutomationAdministrationRole"
PAYLOAD = {
    "ResourceGroup": "WebServers",
    "TargetAccounts": ["ou-df01-workload", "111122223333"],
    "Regions": ["us-east-1", "us-west-2", "eu-west-1"],
    "DocumentName": "Fleet-Patch",
    "AutomationAssumeRole": ADMINISTRATION_ROLE,
    "ExecutionRoleName": "AWS-SystemsManager-AutomationExecutionRole",
    "Operation": "Install",
    "RebootOption": "RebootIfNeeded",
    "MaxConcurrency": "50%",
    "MaxErrors": "100%",
    "TargetLocationMaxConcurrency": "10",
    "TargetLocationMaxErrors": "100%",
}
# The same in patchfleet's own words.
REQUEST = {
    "name": "differential",
    "patch": {"operation": "Install", "reboot_option": "RebootIfNeeded"},
    "targets": {
        "resource_group": "WebServers",
        "accounts": PAYLOAD["TargetAccounts"],
        "regions": PAYLOAD["Regions"],
    },
    "budget": {
        "nodes": {"max_concurrency": "50%", "max_errors": "100%"},
        "locations": {"max_concurrency": 10, "max_errors": "100%"},
    },
    "automation": {"document": "Patchfleet-RunPatchBaseline", "assume_role": ADMINISTRATION_ROLE},
}


def by_script(work):
    """The posts' script."""
    payload = work / "payload.json"
    payload.write_text(json.dumps(PAYLOAD), encoding="utf-8")
    return [sys.executable, str(HERE / "fleet_patch.py"), str(payload), "0.5"], {0}


def by_patchfleet(work, binary):
    """The command; 4 says that some nodes did not reach their goal, as this world has it."""
    request = work / "request.json"
    request.write_text(json.dumps(REQUEST), encoding="utf-8")
    log = str(work / "log")
    return [binary, "run", "-f", str(request), "--yes", "--output", "json", "--log", log], {0, 4}


def run(binary, command, codes):
    """Runs a program against a simulator of its own; what it printed, and the truth afterwards."""
    audit = wire.Audit(strict=True)
    with simulator.Simulator(binary, "differential", speed=SPEED) as running:
        environment = os.environ | {
            "AWS_ENDPOINT_URL": running.endpoint,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=540, check=False)
        if done.returncode not in codes:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}{done.stdout}")
        # What is still in flight, and concerns nobody any more, comes to its end in both worlds.
        running.advance(2 * 86400)
        problems = audit.of_all(running.proxy.taken())
        return json.loads(done.stdout), running.state()["nodes"], problems


def patch_states(nodes):
    """By node: what is true of it and what it reported, times and snapshots apart."""
    states = {}
    for node in nodes:
        reported = node["reported"] or {}
        states[node["id"]] = {
            "installs": node["installs"],
            "patches": node["patches"],
            "online": node["online"],
            "reported": {key: reported.get(key) for key in ("operation", "reboot_option", "found")},
        }
    return states


def agrees_with_truth(told, states):
    """What the script said of the nodes against the truth."""
    for place in told["locations"]:
        for node, said in place["nodes"].items():
            found = states[node]["reported"]["found"]
            counts = {"missing": said["patches"]["MissingCount"], "failed": said["patches"]["FailedCount"]}
            if said["details"] == "Success" and counts != {key: found[key] for key in counts}:
                yield f"{node}: the script said {counts}, and it is {found}"


def main():
    binary, patchfleet = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        told, script_nodes, problems = run(binary, *by_script(work))
        _, own_nodes, more = run(binary, *by_patchfleet(work, patchfleet))
    problems += more
    script, own = patch_states(script_nodes), patch_states(own_nodes)
    problems += agrees_with_truth(told, script)
    for node in sorted(script.keys() | own.keys()):
        if script.get(node) != own.get(node):
            problems.append(f"{node}: by the script {script.get(node)}, by patchfleet {own.get(node)}")
    patched = sum(1 for state in script.values() if state["installs"])
    print(f"differential: {len(script)} nodes, {patched} of them installed something, the same in both worlds")
    if not 0 < patched < len(script):
        problems.append("the world has to have nodes which are patched and nodes which are not")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
