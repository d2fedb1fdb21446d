"""The clock of the programs under test, which this process sets: `clock.c` lays it over theirs."""

import os
import pathlib
import struct
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).parent
SECOND = 1_000_000_000


class Clock:
    """A clock of its own, so many times as fast as the machine's. Deleted with `close`."""

    def __init__(self, speed=1):
        self.speed, self.forward = speed, 0
        self.began, self.day = time.monotonic_ns(), time.time_ns()
        handle, self.path = tempfile.mkstemp(prefix="clock-")
        os.close(handle)
        self.write()

    def write(self):
        """Shows the clock to the programs. Eight bytes are written at once, so nobody reads half of them."""
        with open(self.path, "r+b") as file:
            file.write(struct.pack("=qqqq", self.began, self.day, self.forward, self.speed))

    def close(self):
        """Nobody starts with it any more."""
        os.unlink(self.path)

    def now(self):
        """Nanoseconds since 1970, as the programs see them."""
        return self.day + (time.monotonic_ns() - self.began) * self.speed + self.forward

    def put_forward(self, seconds):
        """The time of day of the programs is later at once."""
        self.forward += round(seconds * SECOND)
        self.write()

    def environment(self):
        """What a program needs to have this clock."""
        return {"LD_PRELOAD": str(library()), "PATCHFLEET_CLOCK": self.path}


def library():
    """The compiled `clock.c`. Whoever builds Rust has a linker, and so `cc`."""
    built = pathlib.Path(os.environ["DEPLOY_WORK"]) / "clock.so"
    source = HERE / "clock.c"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        fresh = built.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", fresh, source], check=True)
        fresh.rename(built)
    return built
