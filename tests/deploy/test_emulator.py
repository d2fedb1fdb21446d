"""The function's binary behind cargo-lambda's emulator of Lambda: what the triggers send is what it takes."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import templates
import test_triggers

sys.path.insert(0, str(templates.ROOT / "tests" / "conformance"))
import simulator  # noqa: E402

PROGRAM = str(pathlib.Path(sys.executable).with_name("cargo-lambda"))
PATIENCE = 60


class Emulator:
    """Lambda as cargo-lambda has it, with the function in it, while it is entered."""

    def __init__(self, endpoint):
        self.endpoint, self.port = endpoint, free_port()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            words = [PROGRAM, "lambda", "watch", "--only-lambda-apis", "--timeout", "900"]
            words += ["--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.watch = stack.enter_context(subprocess.Popen(words, cwd=templates.ROOT, **quiet))
            stack.callback(self.watch.kill)
            self.reach()
            # These are the variables that the emulator asks for.
            environment = {"AWS_LAMBDA_RUNTIME_API": f"http://127.0.0.1:{self.port}/.rt", "AWS_LAMBDA_FUNCTION_NAME": "_"}
            environment |= {"AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "4096"}
            environment |= {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1", "NO_PROXY": "127.0.0.1"}
            environment |= {"AWS_ACCESS_KEY_ID": "AKIAADMINISTRATOR", "AWS_SECRET_ACCESS_KEY": "none"}
            binary = [os.environ["PATCHFLEET_BOOTSTRAP"]]
            self.function = stack.enter_context(subprocess.Popen(binary, env=environment, **quiet))
            stack.callback(self.function.kill)
            self.leave = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.leave.close()

    def reach(self):
        """Waits until it listens."""
        until = time.monotonic() + PATIENCE
        while True:
            assert self.watch.poll() is None and time.monotonic() < until, "the emulator does not listen"
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
                return

    def invoke(self, event):
        """What `cargo lambda invoke` says of an event."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(event, file)
            file.flush()
            words = [PROGRAM, "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
            words += ["--data-file", file.name, "--output-format", "json"]
            return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Triggers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = cls.enterClassContext(simulator.Simulator(os.environ["PATCHFLEET_SIM"], "calm", speed=600, start="now"))
        cls.emulator = cls.enterClassContext(Emulator(cls.sim.own))

    def answer(self, event):
        done = self.emulator.invoke(event)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_window_starts_a_campaign_and_the_same_window_again_starts_none(self):
        with test_triggers.MaintenanceWindow.deployed(None, KeepWithinWindow="no") as stack:
            payload = test_triggers.MaintenanceWindow.payload(test_triggers.MaintenanceWindow(), stack)
        first, again = self.answer(payload), self.answer(payload)
        self.assertEqual((first["outcome"], again["outcome"]), ("started", "already_started"))
        self.assertEqual(first["campaign_id"], again["campaign_id"])

    def test_a_schedule_starts_a_campaign(self):
        with test_triggers.Schedule.deployed(None) as stack:
            event = test_triggers.Schedule.event(test_triggers.Schedule(), stack)
        self.assertEqual(self.answer(event)["outcome"], "started")

    def test_an_event_that_is_wrong_is_a_function_error_that_names_the_field(self):
        done = self.emulator.invoke({"Regions": "us-east-1", "ResourceGroup": "WebServers", "Operations": "Install"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("InvalidRequest", done.stderr)
        self.assertIn("Operations", done.stderr)


if __name__ == "__main__":
    unittest.main()
