"""The zip of the function: cargo-lambda builds it from a copy of the template with the line of its README, and the binary out of
it answers an event. The only word that may differ from the README's line is the machine's architecture, which is this one's.

    zipped.py COPY SIMULATOR    the copied template, and the simulator's binary
"""

import io
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import tempfile
import time
import zipfile

from elftools.elf.elffile import ELFFile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "deploy"), str(ROOT / "tests" / "conformance")]
import function  # noqa: E402
import simulator  # noqa: E402

# cargo-lambda's word for this machine, and the machine's name in an ELF header.
WORD, MACHINE = {"x86_64": ("--x86-64", "EM_X86_64"), "aarch64": ("--arm64", "EM_AARCH64")}[platform.machine()]
# What Amazon Linux 2023 has: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
GLIBC = (2, 34)
# Those of glibc, which the runtime provided.al2023 has, and the compiler's own, which it has too.
LIBRARIES = ("libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so", "libgcc_s.so", "ld-linux")
PATIENCE = 120


def build_line(readme):
    """The README's line, for this machine."""
    lines = [line.strip() for line in readme.splitlines() if line.strip().startswith("cargo lambda build ")]
    assert len(lines) == 1, f"the README shows {len(lines)} lines that build the zip"
    words = shlex.split(lines[0])
    assert words.count("--arm64") == 1 and "--output-format" in words, lines[0]
    return [WORD if word == "--arm64" else word for word in words]


def binary_of(path):
    """The one file of the zip."""
    with zipfile.ZipFile(path) as file:
        assert file.namelist() == ["bootstrap"], file.namelist()
        mode = file.getinfo("bootstrap").external_attr >> 16
        assert mode & 0o777 == 0o755, f"bootstrap has the mode {mode:o}"
        return file.read("bootstrap")


def check(binary):
    """Whether Lambda can run it. Says the newest version of glibc that it needs."""
    elf = ELFFile(io.BytesIO(binary))
    assert elf["e_machine"] == MACHINE, elf["e_machine"]
    needed = [tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")]
    strange = [name for name in needed if not name.startswith(LIBRARIES)]
    assert not strange, f"it needs {strange}"
    versions = [
        tuple(int(part) for part in version.name.removeprefix("GLIBC_").split("."))
        for _, wanted in elf.get_section_by_name(".gnu.version_r").iter_versions()
        for version in wanted
        if version.name.startswith("GLIBC_")
    ]
    newest = max(versions)
    assert newest <= GLIBC, f"it needs glibc {newest}, and Amazon Linux 2023 has {GLIBC}"
    return ".".join(map(str, newest))


def answers(binary, simulated, *events):
    """What the binary says of each event behind a Runtime API: whether it is an error, and which."""
    variables = {"AWS_LAMBDA_FUNCTION_NAME": "patchfleet", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "NO_PROXY": "127.0.0.1"}
    variables |= {"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": simulated}
    variables |= {"AWS_ACCESS_KEY_ID": "AKIAADMINISTRATOR", "AWS_SECRET_ACCESS_KEY": "none"}
    sandbox = function.Sandbox(binary, variables, subprocess.DEVNULL)
    # The binary asks for the next event when it is killed.
    sandbox.server.handle_error = lambda *_: None
    try:
        for number, event in enumerate(events):
            deadline = int((time.time() + PATIENCE) * 1000)
            kind, body = sandbox.serve(str(number), json.dumps(event).encode(), deadline, PATIENCE)
            assert kind in ("response", "error"), f"no answer within {PATIENCE} s, or the process ended"
            yield kind, json.loads(body)
    finally:
        sandbox.kill()


def main(copy, program):
    copy = pathlib.Path(copy)
    words = build_line((copy / "README.md").read_text())
    print("$", shlex.join(words), flush=True)
    subprocess.run(words, cwd=copy, check=True)
    path = pathlib.Path(os.environ["CARGO_TARGET_DIR"], "lambda", "bootstrap", "bootstrap.zip")
    binary = binary_of(path)
    glibc = check(binary)
    with tempfile.TemporaryDirectory() as folder, simulator.Simulator(program, "calm", speed=600, start="now") as sim:
        unpacked = pathlib.Path(folder, "bootstrap")
        unpacked.write_bytes(binary)
        unpacked.chmod(0o755)
        event = {"Regions": "us-east-1, eu-west-1", "ResourceGroup": "WebServers"}
        wrong = event | {"Operations": "Install"}
        (kind, started), (other, refused) = answers(unpacked, sim.own, event, wrong)
        assert kind == "response" and started["outcome"] == "started", (kind, started)
        assert len(sim.state()["executions"]) > 0, "it says that it started, and nothing was started"
        assert other == "error" and "Operations" in refused["errorMessage"], (other, refused)
    print(f"a zip of {path.stat().st_size / 1e6:.1f} MB, a binary of {len(binary) / 1e6:.1f} MB that needs glibc {glibc}: ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
