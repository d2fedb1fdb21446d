"""Asks an IAM evaluator, which was not written here, whether policies allow a call."""

import json
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent


def simulation(principal, action, resource, policies=None, trust=None, context=None):
    """One question. `policies` are the principal's own, by name; `trust` is the policy of the resource."""
    return {
        "identityPolicies": [{"name": name, "policy": policy} for name, policy in (policies or {}).items()],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
        **({} if trust is None else {"resourcePolicy": trust}),
        "request": {
            "action": action,
            "principal": principal,
            "resource": {"accountId": account(resource, principal), "resource": resource},
            "contextVariables": context or {},
        },
    }


def account(resource, principal):
    """The account that a resource belongs to. AWS's own documents belong to nobody, and count as the caller's here."""
    parts = resource.split(":")
    if len(parts) > 4 and parts[4]:
        return parts[4]
    return principal.split(":")[4] if principal.startswith("arn:") else principal


def evaluate(simulations):
    """An answer for each: what it came to, and the statements that allowed it."""
    work = pathlib.Path(os.environ["DEPLOY_WORK"])
    done = subprocess.run(
        [work / "venv" / "bin" / "node", work / "node" / "evaluate.mjs"],
        input=json.dumps(simulations),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    for question, answer in zip(simulations, answers, strict=True):
        assert "errors" not in answer, (answer, question["request"])
    return answers
