"""One simulator process, with a recording proxy in front of it."""

import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import proxy

HERE = pathlib.Path(__file__).parent


class Simulator:
    """Runs while it is entered. `world` is the name of a file in worlds/, or of a built-in world. `environment` is what it
    has beside this process's own."""

    def __init__(self, binary, world, speed=0, seed=None, start=None, environment=None):
        path = HERE / "worlds" / f"{world}.toml"
        self.arguments = [binary, "--world", str(path) if path.exists() else world]
        self.arguments += ["--listen", "127.0.0.1:0", "--speed", str(speed)]
        self.arguments += [] if seed is None else ["--seed", str(seed)]
        self.arguments += [] if start is None else ["--start", start]
        self.environment = os.environ | (environment or {})

    def __enter__(self):
        self.process = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, text=True, env=self.environment)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.wait(10)
            raise RuntimeError(f"{' '.join(self.arguments)} did not start: {line!r}")
        self.own = line.split()[-1]
        place = urllib.parse.urlsplit(self.own)
        self.proxy = proxy.Proxy(place.hostname, place.port)
        self.endpoint = self.proxy.endpoint
        return self

    def __exit__(self, *_):
        self.proxy.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def ask(self, method, path, body=None):
        """One of the simulator's own calls, past the proxy."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.own}/_sim/{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} /_sim/{path}: {error.code} {error.read().decode()}") from error

    def advance(self, seconds):
        """Moves virtual time."""
        self.ask("POST", "advance", {"seconds": seconds})

    def state(self):
        """The truth."""
        return self.ask("GET", "state")

    def operations(self):
        """The operations that it says it has, as (service, operation), without those of the tagging API and of CloudWatch.
        botocore speaks CBOR to the first, and the simulator answers it in JSON alone, as the SDK for Rust asks. Alarms stand in
        the file of a world alone, and the worlds here have none."""
        every = {(one["service"], one["operation"]) for one in self.ask("GET", "operations")}
        return {one for one in every if one[0] not in ("tag", "cloudwatch")}
