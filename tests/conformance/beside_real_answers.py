"""The simulator beside AWS: brings about the situation of each sample in tests/real-answers, and holds
the simulator's answer to it. A sample that is neither held nor listed with a reason fails. A sample of which
something cannot be held is listed beside that, with the reason.

Usage: beside_real_answers.py SIMULATOR
"""

import json
import pathlib
import sys
import traceback

import recorded
import recorded.automation
import recorded.commands
import recorded.fleet
import simulator

SAMPLES = pathlib.Path(__file__).parent.parent / "real-answers"

# Samples of what is not simulated.
LISTED = {
    "09.json": "today's model has one target at most, so that AWS refuses two before it comes to this text",
    "37-sns-run-command.json": "a notification by SNS: none is sent",
    "39-scheduler-default-event.json": "an event of EventBridge Scheduler: there is none",
    "40-list-nodes.json": "ListNodes is not simulated",
    "41-execution-preview.json": "previews of executions are not simulated",
    "42-resource-compliance.json": "compliance items are not simulated",
    "44-window-executions.json": "maintenance windows are not simulated",
    "45-data-sync-layout.json": "a resource data sync is not simulated",
    "47-eventbridge-events.json": "events are not sent",
}

# Samples of which something is not simulated. All else in them is held.
PARTLY = {
    "18.json": "what the script had printed: no script writes anything here",
    "21.json": "Command documents of one's own are not run: the timeouts of their steps",
    "34-concurrency-one.json": "an alarm that is deleted: SendCommand takes none here",
}


def main():
    binary, held, problems = sys.argv[1], 0, []
    for path in sorted(SAMPLES.glob("*.json")):
        if path.name in LISTED:
            continue
        check = recorded.HELD.get(path.name)
        if check is None:
            problems.append(f"{path.name} is neither held nor listed")
            continue
        sample = json.loads(path.read_text(encoding="utf-8"))
        found = run(binary, check, sample["data"])
        problems += [f"{path.name}: {problem}" for problem in found]
        held += not found
    names = {path.name for path in SAMPLES.glob("*.json")}
    problems += [f"{name} is held or listed, and not there" for name in {*recorded.HELD, *LISTED} - names]
    problems += [f"{name} is held in part, and nothing of it is held" for name in set(PARTLY) - set(recorded.HELD)]
    print(f"real answers: {held} held ({len(PARTLY)} of them but for a part), {len(LISTED)} listed with a reason")
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


def run(binary, check, data):
    """Holds one sample in a world of its own."""
    with simulator.Simulator(binary, "recorded") as running:
        try:
            return list(check(recorded.Stage(running), data) or [])
        except Exception as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/recorded/" in frame.filename]
            return [f"line {frames[-1].lineno if frames else '?'}: {type(error).__name__}: {error}"]


main()
