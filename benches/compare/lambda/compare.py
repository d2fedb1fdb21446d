"""Runs `bootstrap` and a Python handler as Lambda runs them, and prints what each took beside the other.

Each spawn has a Runtime API that hands out one event, and a simulator of its own in AWS's place. Both have the second
post's variables. The time goes from the start of the process to the first bytes of its first call of AWS. The memory is
the most that was resident until the answer came (VmHWM), and how much of it is the process's own and no file's (RssAnon).
"""

import argparse
import http.server
import json
import os
import queue
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0))
TICK = os.sysconf("SC_CLK_TCK")
CENTRAL = "111122223333"
# The post's example of accounts, and its example of Regions.
ACCOUNTS = ["012345678901", "987654321098"]
REGIONS = ["us-east-1", "us-east-2"]
ROLE = "AWS-SystemsManager-AutomationExecutionRole"
DOCUMENT = "Automation-RunPatchBaseline"
VARIABLES = {
    "TargetAccounts": ",".join(ACCOUNTS),
    "TargetRegionIds": ",".join(REGIONS),
    "RunPatchBaselineOperation": "Scan",
    "RunPatchBaselineRebootOption": "NoReboot",
    "RunPatchBaselineInstallOverrideList": "",
    "ResourceGroupName": "WebServers",
    "MaximumConcurrency": "10%",
    "MaximumErrors": "10%",
    "TargetLocationMaxConcurrency": "1",
    "TargetLocationMaxErrors": "1",
    "ExecutionRoleName": ROLE,
    "MasterAccountID": CENTRAL,
    "AutomationDocumentMamrRunPatchBaseline": DOCUMENT,
}
# What the sample's stack creates, with its group and rates baked in.
RUNBOOK = {
    "schemaVersion": "0.3",
    "assumeRole": "{{ AutomationAssumeRole }}",
    "parameters": {
        "AutomationAssumeRole": {"type": "String"},
        "Operation": {"type": "String", "default": "Scan"},
        "RebootOption": {"type": "String", "default": "RebootIfNeeded"},
        "InstallOverrideList": {"type": "String", "default": ""},
        "SnapshotId": {"type": "String", "default": ""},
    },
    "mainSteps": [
        {
            "name": "runPatchBaseline",
            "action": "aws:runCommand",
            "timeoutSeconds": 7200,
            "onFailure": "Abort",
            "inputs": {
                "DocumentName": "AWS-RunPatchBaseline",
                "Targets": [{"Key": "resource-groups:Name", "Values": ["WebServers"]}],
                "Parameters": {
                    "Operation": "{{Operation}}",
                    "RebootOption": "{{RebootOption}}",
                    "SnapshotId": "{{SnapshotId}}",
                    "InstallOverrideList": "{{InstallOverrideList}}",
                },
                "MaxConcurrency": "10%",
                "MaxErrors": "10%",
            },
        }
    ],
}
# In 2100. Nobody runs out of time.
DEADLINE_MS = 4_102_444_800_000


def world():
    """The world's text."""
    lines = [f'management_account = "{CENTRAL}"', "[organization]", 'root = "r-pf01"']
    for account in [CENTRAL, *ACCOUNTS]:
        lines += ["[[accounts]]", f'id = "{account}"', f'name = "Account {account}"']
    lines += ["[[documents]]", f'name = "{DOCUMENT}"', f"content = '''{json.dumps(RUNBOOK)}'''"]
    lines += [
        "[[groups]]",
        'name = "WebServers"',
        f"accounts = {ACCOUNTS}",
        f"regions = {REGIONS}",
        "nodes = [{ count = 3 }]",
    ]
    return "\n".join(lines) + "\n"


def cpu_of_all():
    """Seconds of CPU that everything on this machine has used."""
    user, nice, system, _idle, _wait, irq, soft = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + soft) / TICK


class Relay:
    """Stands between a process and the simulator, and notes when the first bytes come."""

    def __init__(self, to):
        self.to = to
        self.first = None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        data = client.recv(65536)
        now = time.perf_counter()
        if data and self.first is None:
            self.first = now
        server = socket.create_connection(self.to)
        server.sendall(data)
        threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
        self.copy(client, server)

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side was killed

    def close(self):
        self.listener.close()


class RuntimeApi(http.server.ThreadingHTTPServer):
    """Hands out one event, and takes its answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Runtime)
        self.events = queue.Queue()
        self.answers = queue.Queue()
        self.address = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """Whoever asked for a second event was killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Runtime(http.server.BaseHTTPRequestHandler):
    """The Runtime API's calls."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        request = self.server.events.get()  # the second one waits until the process is killed
        body = b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", request)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(DEADLINE_MS))
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000")
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:us-east-1:{CENTRAL}:function:MultiAccountPatchingBlog"
        )
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        answered = threading.Event()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.answers.put((self.path, body, time.perf_counter(), answered))
        # The process stands still here while its memory is read.
        answered.wait(5)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def memory_of(pid):
    """The most memory that a process has had resident, and what of it now is no file's, in KiB."""
    lines = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    fields = {name: value.split() for name, value in lines if name in ("VmHWM", "RssAnon")}
    return int(fields["VmHWM"][0]), int(fields["RssAnon"][0])


def once(options, name, command):
    """One spawn, from nothing to its answer."""
    simulator = subprocess.Popen(
        [options.simulator, "--world", options.work / "lambda-world.toml", "--listen", "127.0.0.1:0", "--speed", "1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    host, port = simulator.stdout.readline().split("//")[1].strip().rsplit(":", 1)
    relay, api = Relay((host, int(port))), RuntimeApi()
    surroundings = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "MultiAccountPatchingBlog",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "group",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIACOMPARE000000000",
        "AWS_SECRET_ACCESS_KEY": "compared",
        "AWS_ENDPOINT_URL": relay.endpoint,
        # A function's folder cannot be written to. The modules of packages are compiled when they are installed.
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(HERE),
        **VARIABLES,
    }
    api.events.put(str(uuid.uuid4()))
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=surroundings, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        path, body, ended, answered = api.answers.get(timeout=60)
        memory, own = memory_of(process.pid)
        answered.set()
        if not path.endswith("/response"):
            sys.exit(f"{name}: {path}: {body.decode(errors='replace')}")
        calls = started(f"http://{host}:{port}", name)
        return relay.first - began, ended - began, memory, own, calls
    except queue.Empty:
        sys.exit(f"{name} gave no answer within 60 seconds")
    finally:
        for one in (process, simulator):
            one.kill()
            one.wait()
        simulator.stdout.close()
        relay.close()
        api.shutdown()
        api.server_close()


def started(endpoint, name):
    """How many calls were made. It has to be one start, of what the variables say."""
    from urllib.request import ProxyHandler, build_opener

    with build_opener(ProxyHandler({})).open(f"{endpoint}/_sim/requests") as answer:
        calls = json.load(answer)
    calls = calls["requests"] if isinstance(calls, dict) else calls
    starts = [call["input"] for call in calls if call["operation"] == "StartAutomationExecution"]
    where = [(sorted(one["Accounts"]), sorted(one["Regions"])) for start in starts for one in start["TargetLocations"]]
    if where != [(sorted(ACCOUNTS), sorted(REGIONS))] or starts[0]["DocumentName"] != DOCUMENT:
        sys.exit(f"{name} did not start what the variables say: {starts}")
    return len(calls)


def zipped(binary, at):
    """The size of the function's zip, which holds the binary alone."""
    with zipfile.ZipFile(at, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(binary, "bootstrap")
    return at.stat().st_size


def main():
    """Compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    parser.add_argument("--simulator", type=Path, required=True, help="patchfleet-sim")
    parser.add_argument("--work", type=Path, required=True, help="a folder for files")
    parser.add_argument("--rounds", type=int, default=15, help="spawns of each: 15, unless set")
    options = parser.parse_args()
    options.bootstrap, options.simulator = options.bootstrap.resolve(), options.simulator.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    (options.work / "lambda-world.toml").write_text(world())
    contenders = {
        "python": [sys.executable, "-m", "awslambdaric", "handler.handler"],
        "bootstrap": [options.bootstrap],
    }
    for name, command in contenders.items():
        once(options, name, command)  # the disk's cache is warm for both
    busy, since = cpu_of_all(), time.monotonic()
    taken = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, command in contenders.items():
            taken[name].append(once(options, name, command))
    busy = (cpu_of_all() - busy) / (time.monotonic() - since)

    middle = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in taken.items()}
    # Each round has both, one after the other, so its ratio is less shaken by what else the machine does.
    by_round = list(zip(taken["python"], taken["bootstrap"]))
    faster = [theirs[0] / ours[0] for theirs, ours in by_round]
    print(f"{options.rounds} spawns each, {CORES} cores, of which {busy:.1f} were busy\n")
    print("| | to the first call of AWS, ms | to the answer, ms | most memory, MiB | of its own, MiB | calls of AWS |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, (first, answer, memory, own, calls) in middle.items():
        print(
            f"| {name} | {first * 1000:.1f} | {answer * 1000:.1f} | {memory / 1024:.1f} | {own / 1024:.1f} | {calls:.0f} |"
        )
    theirs, ours = middle["python"], middle["bootstrap"]
    print(
        f"\nbootstrap's first call comes {theirs[0] / ours[0]:.1f} times as fast (by round {min(faster):.1f} to "
        f"{max(faster):.1f}), its answer {theirs[1] / ours[1]:.1f} times. It takes {ours[2] / theirs[2]:.2f} of the memory, "
        f"and {ours[3] / theirs[3]:.2f} of what is no file's"
    )
    size, zip_size = options.bootstrap.stat().st_size, zipped(options.bootstrap, options.work / "bootstrap.zip")
    print(f"bootstrap has {size / 1e6:.1f} MB, and its zip {zip_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
