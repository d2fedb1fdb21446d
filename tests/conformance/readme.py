"""What patchfleet-sim's README shows works as it stands there: its shell and Python blocks are run.

Usage: readme.py SIMULATOR PATCHFLEET
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import simulator

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / "patchfleet-sim" / "README.md"
SHOWN = "http://127.0.0.1:4600"
# Not every machine has curl: this is as much of it as the README uses.
CURL = """curl() { python - "$@" <<'END'
import sys, urllib.request
words = [word for word in sys.argv[1:] if word != "-s"]
data = words.pop(words.index("-d") + 1).encode()
print(urllib.request.urlopen(words[-1], data).read().decode())
END
}
"""


def block(text, heading, language):
    """The first block of a language below a heading."""
    below = text.split(f"\n### {heading}\n", 1)[1]
    return re.search(rf"```{language}\n(.*?)```", below, re.DOTALL).group(1)


def run(words, environment, given):
    """Runs a program that reads `given`, and gives back what it prints."""
    done = subprocess.run(words, env=environment, input=given, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        sys.exit(f"{words} ended with {done.returncode}:\n{given}\n{done.stdout}{done.stderr}")
    return done.stdout


def main():
    text = README.read_text(encoding="utf-8")
    tools = str(pathlib.Path(sys.executable).parent)
    with simulator.Simulator(sys.argv[1], "troubled", speed=600) as running:
        shell = block(text, "AWS CLI", "sh")
        assert SHOWN in shell, f"{SHOWN} is not in the README's shell block"
        shell = shell.replace(SHOWN, running.endpoint)
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "AWS_PAGER": ""}
        printed = run(["bash", "-euo", "pipefail"], environment, CURL + shell + "\nenv | grep ^AWS_")
        settings = dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("AWS_"))
        assert '"now"' in printed and "ResourceIdentifiers" in printed, printed
        nodes = run([sys.executable, "-"], environment | settings, block(text, "boto3", "python"))
        assert re.search(r"\bm?i-0[0-9a-f]{16}", nodes), nodes
    patchfleet = pathlib.Path(sys.argv[2]).resolve()
    with simulator.Simulator(sys.argv[1], "calm", speed=600, start="now") as running, tempfile.TemporaryDirectory() as log:
        shell = block(text, "patchfleet", "sh")
        command, request, folder = "cargo run --bin patchfleet --", "patchfleet-sim/worlds/", "--log simulated"
        for shown, here in [(SHOWN, running.endpoint), (command, patchfleet), (request, ROOT / request), (folder, f"--log {log}")]:
            assert shown in shell, f"{shown} is not in the README's block of patchfleet"
            shell = shell.replace(shown, f"{here}/" if shown.endswith("/") else str(here))
        printed = run(["bash", "-euo", "pipefail"], os.environ, shell)
        assert printed.count("calm-night (Install): succeeded") == 2, printed
    print("the README's shell and Python blocks run")


main()
