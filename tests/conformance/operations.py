"""Every operation of the simulator through boto3: scenarios, every member, every bad input, every
error. All that was on the wire is held to the models; what is not covered fails.

Usage: operations.py SIMULATOR [WORD…]     with words: only the scenarios whose names have one of them
"""

import sys

import coverage
import deviations
import faults
import refusals
import registry
import scenarios
import simulator
import wire


def main():
    binary, words = sys.argv[1], sys.argv[2:]
    audit, problems = wire.Audit(), []
    chosen = [one for one in registry.SCENARIOS if not words or any(word in one.name for word in words)]
    for one in chosen:
        problems += registry.run(one, binary, audit)
    print(f"{len(chosen)} scenarios of {', '.join(scenarios.__all__)}")
    if not words:
        wrong, sent = refusals.run(binary, audit)
        problems += wrong
        print(f"{sent} bad inputs refused")
        problems += faults.run(binary, audit)
        with simulator.Simulator(binary, "company") as running:
            present = running.operations()
        promised = {error for one in registry.SCENARIOS for error in one.arises}
        problems += coverage.report(present, audit.coverage, promised)
        unused = set(deviations.KNOWN) - audit.coverage.deviated
        problems += [f"deviations.KNOWN has {'.'.join(row)}, and no answer needed it" for row in sorted(unused)]
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
