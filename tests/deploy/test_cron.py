"""The unit files and the manifest of the cron process: what systemd and a Kubernetes schema say of them."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

CRON = pathlib.Path(__file__).resolve().parents[2] / "patchfleet-examples" / "cron"
MANIFEST = CRON / "kubernetes" / "cronjob.yaml"
PROGRAM = "/usr/local/bin/patchfleet-cron"


class Systemd(unittest.TestCase):
    def verify(self, change=lambda text: text):
        """What `systemd-analyze verify` says of the units, where the program is."""
        with tempfile.TemporaryDirectory() as folder:
            units = []
            for path in sorted((CRON / "systemd").iterdir()):
                text = path.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
                units.append(pathlib.Path(folder, path.name))
                units[-1].write_text(change(text), encoding="utf-8")
            words = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            # Other units of this machine are not ours.
            said = [line for line in done.stderr.splitlines() if "patchfleet" in line]
            return len(units), done.returncode, said

    def test_it_finds_nothing_in_the_units(self):
        self.assertEqual(self.verify(), (3, 0, []))

    def test_it_would_find_a_key_that_is_misspelt(self):
        _, _, said = self.verify(lambda text: text.replace("RestartSec=", "RestartSecs="))
        self.assertTrue(any("RestartSecs" in line for line in said), said)

    def test_the_timer_is_due_three_days_after_each_second_tuesday(self):
        text = (CRON / "systemd" / "patchfleet-once.timer").read_text(encoding="utf-8")
        when = next(line.split("=", 1)[1] for line in text.splitlines() if line.startswith("OnCalendar="))
        words = ["systemd-analyze", "calendar", "--iterations=3", "--base-time=2026-02-20 00:00:00 UTC", when]
        said = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}).stdout
        # Summer time begins in Berlin on 29 March.
        for due in ("2026-03-13 21:15:00", "2026-04-17 20:15:00", "2026-05-15 20:15:00"):
            self.assertIn(due, said)


class Kubernetes(unittest.TestCase):
    def validate(self, path):
        words = [pathlib.Path(sys.executable).parent / "kubernetes-validate", "--strict", "--quiet", str(path)]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    def test_the_schema_finds_nothing_in_the_manifest(self):
        done = self.validate(MANIFEST)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_it_would_find_a_key_that_is_misspelt(self):
        with tempfile.TemporaryDirectory() as folder:
            wrong = pathlib.Path(folder, "wrong.yaml")
            wrong.write_text(MANIFEST.read_text(encoding="utf-8").replace("timeZone:", "timezone:"), encoding="utf-8")
            self.assertNotEqual(self.validate(wrong).returncode, 0)


if __name__ == "__main__":
    unittest.main()
