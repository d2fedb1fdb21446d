"""The store in a bucket keeps core's kit for stores over moto's S3.

    s3_store.py

The kit is a test of the workspace (`tests/tests/s3.rs`), which gets the endpoint of moto's server.
"""

import logging
import os
import subprocess
import sys

from moto.server import ThreadedMotoServer


def main() -> int:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        command = ["cargo", "test", "--quiet", "--workspace", "--locked", "--test", "s3", "--", "--ignored"]
        return subprocess.run(command, env={**os.environ, "PATCHFLEET_TEST_S3": f"http://{host}:{port}"}).returncode
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
