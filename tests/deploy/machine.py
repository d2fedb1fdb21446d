"""The state machine of the engine's template, deployed into moto and run by its interpreter of the states language.

The interpreter is LocalStack's, which moto has taken over. Four things are not as they are there: waiting takes no time
(whoever tests says what it means), the function is what the test gives, how often a state was tried is counted for each
time that it is entered, as AWS does, and the names of StartExecution's parameters begin with a capital, as in AWS's states.
"""

import datetime
import io
import json
import logging
import threading
import types
import uuid
import zipfile

import botocore.exceptions
import moto.core.config
import templates
from moto.sns.models import sns_backends
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sfn,
    state_task_service_sns,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

# The interpreter logs each error of a definition's tasks, and these tests make many.
logging.getLogger("moto").setLevel(logging.CRITICAL)

CODE = {"CodeBucket": "code-of-functions", "CodeKey": "bootstrap.zip"}
# The interpreter is code that runs here: nothing takes longer than this, unless it hangs.
PATIENCE = 600


class Ended(types.SimpleNamespace):
    """How an execution ended: `status`, `output`, `error`, `cause`, and its history's `events`."""


class Engine(templates.Deployed):
    """The engine's stack in moto, and its state machine. `function` has `invoke(event)`, which answers as Lambda does or
    raises a ClientError, and a `clock` if it has one of its own; `wait(seconds)` is told of each wait."""

    def __init__(self, parameters=None, function=None, wait=lambda seconds: None):
        super().__init__("state-machine.yaml", CODE | (parameters or {}))
        self.function, self.wait, self.ended = function, wait, threading.Condition()
        self.undo = []
        # When executions were started, by the machine's clock and by the function's.
        self.asked = {}

    def prepare(self):
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as file:
            file.writestr("bootstrap", "")
        s3 = self.client("s3")
        s3.create_bucket(Bucket=CODE["CodeBucket"])
        s3.put_object(Bucket=CODE["CodeBucket"], Key=CODE["CodeKey"], Body=zipped.getvalue())

    def __enter__(self):
        super().__enter__()
        # Made by CloudFormation where nothing runs it: the interpreter is given what was made.
        machine = self.client("stepfunctions").describe_state_machine(stateMachineArn=self.outputs["StateMachineArn"])
        self.definition, self.role_arn = json.loads(machine["definition"]), machine["roleArn"]
        settings = moto.core.config.default_user_config["stepfunctions"]
        self.patch(settings, "execute_state_machine", True)
        self.patch(retrier_decl, "time", types.SimpleNamespace(sleep=self.wait))
        self.patch(WaitFunction, "_wait_interval", lambda _, env, wait_seconds: self.wait(wait_seconds))
        self.patch(lambda_eval_utils, "boto_client_for", lambda **_: types.SimpleNamespace(invoke=self.invoke))
        other = types.SimpleNamespace(start_execution=self.start_another)
        self.patch(state_task_service_sfn, "boto_client_for", lambda **_: other)
        whole = ExecutionState._eval_state
        self.patch(ExecutionState, "_eval_state", lambda state, env: (forget_attempts(env), whole(state, env))[1])
        told = BaseExecutionWorkerCommunication.terminated
        self.patch(BaseExecutionWorkerCommunication, "terminated", lambda one: self.terminated(told, one))
        created = self.client("stepfunctions").create_state_machine(
            name=machine["name"], definition=machine["definition"], roleArn=machine["roleArn"]
        )
        assert created["stateMachineArn"] == self.outputs["StateMachineArn"]
        return self

    def __exit__(self, *_):
        for undo in reversed(self.undo):
            undo()
        super().__exit__()

    def patch(self, place, name, value):
        """Puts something in the place of another, until the stack is left."""
        if isinstance(place, dict):
            old, place[name] = place[name], value
            self.undo.append(lambda: place.__setitem__(name, old))
        else:
            old = getattr(place, name)
            setattr(place, name, value)
            self.undo.append(lambda: setattr(place, name, old))

    def terminated(self, told, execution):
        with self.ended:
            told(execution)
            self.ended.notify_all()

    def invoke(self, FunctionName, Payload):  # noqa: N803
        """Lambda's Invoke."""
        assert FunctionName == self.outputs["FunctionArn"]
        event, clock = json.loads(Payload), getattr(self.function, "clock", None)
        if clock and "asked_at" in event:
            # The interpreter starts executions by the machine's own clock. The function is told when that was by its own.
            at = self.asked.setdefault(event["asked_at"], clock.now())
            event["asked_at"] = datetime.datetime.fromtimestamp(at / 1e9, datetime.UTC).isoformat()
        given = self.function.invoke(event)
        return given | {"Payload": io.BytesIO(given["Payload"])}

    def start_another(self, **parameters):
        """StartExecution as a state calls it."""
        lower = {name[0].lower() + name[1:]: value for name, value in parameters.items()}
        answer = self.client("stepfunctions").start_execution(**lower)
        return {name[0].upper() + name[1:]: value for name, value in answer.items()}

    def change(self, old, new):
        """Changes the machine's definition, as text."""
        changed = json.dumps(self.definition).replace(old, new)
        assert json.loads(changed) != self.definition, old
        self.definition = json.loads(changed)
        self.client("stepfunctions").update_state_machine(stateMachineArn=self.outputs["StateMachineArn"], definition=changed)

    def start(self, event, name=None):
        """Starts an execution, and gives its ARN."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.outputs["StateMachineArn"], name=name or str(uuid.uuid4()), input=json.dumps(event)
        )
        return started["executionArn"]

    def end_of(self, arn):
        """Waits for the end of an execution."""
        client = self.client("stepfunctions")
        described = lambda: client.describe_execution(executionArn=arn)  # noqa: E731
        with self.ended:
            ended = self.ended.wait_for(lambda: described()["status"] != "RUNNING", PATIENCE)
        assert ended, f"{arn} runs on"
        one = described()
        events = client.get_execution_history(executionArn=arn)["events"]
        output = json.loads(one["output"]) if "output" in one else None
        return Ended(arn=arn, status=one["status"], output=output, error=one.get("error"), cause=one.get("cause"), events=events)

    def run(self, event):
        """Runs an execution to its end, and those in which it goes on. Gives the last one, with all their ARNs."""
        arns, ended = [], None
        arn = self.start(event)
        while arn:
            ended = self.end_of(arn)
            arns.append(arn)
            arn = next((json.loads(one["taskSucceededEventDetails"]["output"])["ExecutionArn"] for one in gone_on(ended)), None)
        ended.arns = arns
        return ended

    def told(self):
        """The subjects and texts that the topic was given."""
        topic = sns_backends[templates.ACCOUNT][self.region].topics[self.outputs["TopicArn"]]
        return [(subject, message) for _, message, subject, _, _ in topic.sent_notifications]


def gone_on(ended):
    """The events of an execution that began another."""
    of = [one for one in ended.events if one["type"] == "TaskSucceeded"]
    return [one for one in of if one["taskSucceededEventDetails"]["resource"] == "startExecution"]


def forget_attempts(env):
    """A state is entered: its retriers have not been used yet."""
    for key in [key for key in env.heap if key.startswith(("MaxAttemptsDecl-", "BackoffRateDecl-"))]:
        del env.heap[key]


def refused(code, message="", status=429):
    """An error of Lambda's Invoke itself."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "1"}}
    return botocore.exceptions.ClientError(answer, "Invoke")
