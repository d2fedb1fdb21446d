"""The state machine's definition for the Terraform module: that of state-machine.yaml, as JSON.

    definition.py > patchfleet-examples/deploy/terraform/state-machine.asl.json
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import templates  # noqa: E402


def text():
    """The definition. What stands in `${…}` has the same names in the module."""
    template = templates.read(templates.FOLDER / "state-machine.yaml")
    return json.dumps(template["Resources"]["StateMachine"]["Properties"]["Definition"], indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(text(), end="")
