#!/usr/bin/env python3
"""How fast a Lambda's binary asks for its first event, beside another build of it.

    cargo build --release -p patchfleet-lambda
    cargo build --profile deploy -p patchfleet-lambda
    benches/compare/cold_start.py target/release/bootstrap target/deploy/bootstrap

Starts each binary in turn, 30 times, and takes the time from the start of the process to its first call of
the Runtime API. Prints a line of JSON for each, with its size and both as ratios to the first.
"""

import http.server
import json
import os
import statistics
import subprocess
import sys
import threading
import time

ROUNDS = 30


class Api(http.server.BaseHTTPRequestHandler):
    asked = threading.Event()
    at = 0.0

    def do_GET(self):
        if not Api.asked.is_set():
            Api.at = time.perf_counter()
            Api.asked.set()
        # The function waits for its event until it is killed.
        threading.Event().wait(5)

    def log_message(self, *_):
        pass


def once(binary, address):
    Api.asked.clear()
    env = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "patchfleet",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
    }
    began = time.perf_counter()
    process = subprocess.Popen([binary], env=env, stderr=subprocess.DEVNULL)
    try:
        if not Api.asked.wait(30):
            sys.exit(f"{binary} asked for no event within 30 seconds")
        return Api.at - began
    finally:
        process.kill()
        process.wait()


def main():
    binaries = sys.argv[1:]
    if not binaries:
        sys.exit(__doc__)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    times = {binary: [] for binary in binaries}
    for binary in binaries:
        once(binary, address)  # the disk's cache is warm for all
    for _ in range(ROUNDS):
        for binary in binaries:
            times[binary].append(once(binary, address))
    first = binaries[0]
    for binary in binaries:
        took, size = statistics.median(times[binary]), os.path.getsize(binary)
        print(json.dumps({
            "binary": binary,
            "bytes": size,
            "size_ratio": round(size / os.path.getsize(first), 3),
            "cold_start_ms": round(took * 1000, 2),
            "cold_start_ratio": round(took / statistics.median(times[first]), 3),
        }))


main()
