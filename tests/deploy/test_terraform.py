"""The Terraform module: Terraform takes it, and what it makes is what the templates make.

Terraform is real, where there is one. The AWS provider is in no package registry, so a stand-in answers in its place, with
the resources and arguments that the provider has (terraform/provider.py).
"""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import hcl2
import machine
import templates
import test_triggers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "terraform"))
import definition  # noqa: E402
import provider  # noqa: E402

MODULE = templates.FOLDER / "terraform"
MODULES = [MODULE, *sorted((MODULE / "modules").iterdir())]
PROGRAM = shutil.which("terraform") or shutil.which("tofu")
ADMINISTRATION = f"arn:aws:iam::{templates.ACCOUNT}:role/Administration"


class Text(unittest.TestCase):
    """What stands in the files, read by a parser of HCL."""

    def parsed(self, module):
        """The blocks of a module's files."""
        for path in sorted(module.glob("*.tf")):
            with path.open(encoding="utf-8") as file:
                yield path, hcl2.load(file)

    def declared(self, module, kind):
        """The variables, outputs or locals of a module, by their name."""
        found = {}
        for _, blocks in self.parsed(module):
            for block in blocks.get(kind, []):
                found |= {name.strip('"'): one for name, one in block.items() if not name.startswith("__")}
        return found

    def test_every_variable_and_output_is_described_and_every_variable_has_a_type(self):
        for module in MODULES:
            variables, outputs = self.declared(module, "variable"), self.declared(module, "output")
            self.assertGreater(len(variables), 5, module.name)
            self.assertGreater(len(outputs), 1, module.name)
            for name, one in (variables | outputs).items():
                self.assertRegex(one["description"], r"\.\"?$", f"{module.name}: {name}")
            for name, one in variables.items():
                self.assertIn("type", one, f"{module.name}: {name}")

    def test_every_variable_is_used_and_every_reference_is_to_something(self):
        for module in MODULES:
            text = "\n".join(path.read_text(encoding="utf-8") for path, _ in self.parsed(module))
            used = set(re.findall(r"\bvar\.([a-z_0-9]+)", text))
            # A validation reads its own variable.
            outside = re.sub(r'\nvariable "[^"]+" \{\n.*?\n\}\n', "\n", text, flags=re.DOTALL)
            self.assertEqual(set(re.findall(r"\bvar\.([a-z_0-9]+)", outside)), set(self.declared(module, "variable")))
            self.assertLessEqual(used, set(self.declared(module, "variable")), module.name)
            self.assertLessEqual(set(re.findall(r"\blocal\.([a-z_0-9]+)", text)), set(self.declared(module, "locals")))
            made = set()
            for _, blocks in self.parsed(module):
                for block in blocks.get("resource", []):
                    for kind, one in block.items():
                        made |= {f"{kind}.{name}".replace('"', "") for name in one}
                for block in blocks.get("data", []):
                    for kind, one in block.items():
                        made |= {f"data.{kind}.{name}".replace('"', "") for name in one}
            referred = set(re.findall(r"(?<![\w\"])((?:data\.)?aws_[a-z_0-9]+\.[a-z_0-9]+)\b", text))
            self.assertGreater(len(referred), 3, module.name)
            self.assertLessEqual(referred, made, module.name)

    def test_the_definition_is_that_of_the_template(self):
        kept = (MODULE / "state-machine.asl.json").read_text(encoding="utf-8")
        self.assertEqual(kept, definition.text(), "write it again with tests/deploy/terraform/definition.py")

    def test_every_module_and_variable_and_output_is_on_the_page(self):
        page = (MODULE / "README.md").read_text(encoding="utf-8")
        for module in MODULES:
            for name in self.declared(module, "variable") | self.declared(module, "output"):
                self.assertIn(f"`{name}`", page, f"{module.name}: {name}")

    def test_no_partition_account_or_region_is_written_down(self):
        for module in MODULES:
            for path, _ in self.parsed(module):
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    if "error_message" not in line and "description" not in line:
                        self.assertNotRegex(line, r"arn:aws:|\b[0-9]{12}\b|\b(us|eu)-[a-z]+-[0-9]", f"{path}:{number}")


class Terraform:
    """A folder with a configuration, and Terraform in it."""

    def __init__(self, configuration):
        self.configuration = configuration

    def __enter__(self):
        self.provider, self.folder = provider.Provider(), tempfile.TemporaryDirectory()
        environment = self.provider.__enter__().environment
        place = pathlib.Path(self.folder.name)
        (place / "main.tf").write_text(self.configuration, encoding="utf-8")
        (place / "bootstrap.zip").write_bytes(b"a zip")
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder.name, "CHECKPOINT_DISABLE": "1"}
        self.environment |= {"NO_PROXY": "127.0.0.1"} | environment
        self.run("init", "-backend=false", check=True)
        return self

    def __exit__(self, *_):
        self.provider.__exit__()
        self.folder.cleanup()

    def run(self, *words, check=False):
        done = subprocess.run(
            [PROGRAM, *words, "-no-color"],
            cwd=self.folder.name,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        # Terraform wraps its lines, and draws a frame around what is wrong.
        done.said = re.sub(r"[\s│╷╵]+", " ", done.stdout + done.stderr)
        return done

    def state(self):
        """What was made, by its address, and the outputs."""
        shown = json.loads(self.run("show", "-json", check=True).stdout)["values"]
        made = {one["address"]: one["values"] for module in walk(shown["root_module"]) for one in module.get("resources", [])}
        return made, {name: one["value"] for name, one in shown.get("outputs", {}).items()}


def walk(module):
    yield module
    for child in module.get("child_modules", []):
        yield from walk(child)


def call(label, source, arguments):
    """A call of a module, with every output of it handed on."""
    lines = [f'module "{label}" {{', f'  source = "{source}"']
    lines += [f"  {key} = {json.dumps(value)}" for key, value in arguments.items()]
    return "\n".join([*lines, "}", f'output "{label}" {{ value = module.{label} }}', ""])


ENGINE = {"zip_path": "bootstrap.zip"}
WINDOW = {
    "name": "sunday",
    "function_arn": test_triggers.FUNCTION,
    "topic_arn": test_triggers.TOPIC,
    "resource_group": "WebServers",
    "regions": ["us-east-1", "eu-west-1"],
}
REQUEST = {"name": "weekly", "targets": {"resource_group": "WebServers", "regions": ["us-east-1"]}}
SCHEDULE = {
    "name": "weekly",
    "state_machine_arn": test_triggers.MACHINE,
    "topic_arn": test_triggers.TOPIC,
    "request": REQUEST,
}
WHOLE = call("engine", MODULE, ENGINE) + call("window", MODULES[1], WINDOW) + call("schedule", MODULES[2], SCHEDULE)


@functools.cache
def applied():
    """What the three modules make, and their outputs; and that a second apply and a destroy leave nothing to do."""
    with Terraform(WHOLE) as terraform:
        terraform.run("apply", "-auto-approve", check=True)
        made, outputs = terraform.state()
        again = terraform.run("plan", "-detailed-exitcode")
        terraform.run("destroy", "-auto-approve", check=True)
        return made, outputs, again.returncode, terraform.run("state", "list").stdout


@unittest.skipUnless(PROGRAM, "neither terraform nor tofu is on the PATH")
class Module(unittest.TestCase):
    maxDiff = None

    def test_the_files_are_formatted(self):
        done = subprocess.run([PROGRAM, "fmt", "-check", "-recursive", "-diff", str(MODULE)], capture_output=True, text=True)
        self.assertEqual((done.stdout, done.returncode), ("", 0), done.stderr)

    def test_each_module_is_valid_and_an_argument_that_the_provider_does_not_have_would_be_seen(self):
        with Terraform(WHOLE) as terraform:
            terraform.run("validate", check=True)
        wrong = 'resource "aws_sns_topic" "this" { nmae = "x" }\n'
        with Terraform(wrong) as terraform:
            self.assertIn('An argument named "nmae" is not expected here', terraform.run("validate").said)

    def test_the_example_of_the_page_is_valid_and_can_be_planned(self):
        page = (MODULE / "README.md").read_text(encoding="utf-8")
        (example,) = re.findall(r"```hcl\n(.*?)```", page, re.DOTALL)
        example = re.sub(r'"\./patchfleet(/[a-z/-]*)?"', lambda found: f'"{MODULE}{found[1] or ""}"', example)
        with Terraform(example) as terraform:
            terraform.run("plan", check=True)

    def test_a_second_apply_changes_nothing_and_a_destroy_leaves_nothing(self):
        made, _, again, left = applied()
        self.assertGreater(len(made), 40)
        self.assertEqual((again, left), (0, ""))

    def test_the_state_machine_is_that_of_the_template(self):
        made, outputs, *_ = applied()
        state_machine = made["module.engine.aws_sfn_state_machine.this"]
        template = templates.read(templates.FOLDER / "state-machine.yaml")
        given = template["Resources"]["StateMachine"]["Properties"]
        engine = outputs["engine"]
        values = {
            "FunctionArn": engine["function_arn"],
            "LambdaInvoke": "arn:aws:states:::lambda:invoke",
            "SnsPublish": "arn:aws:states:::sns:publish",
            "StartExecution": "arn:aws:states:::states:startExecution",
            "TopicArn": engine["topic_arn"],
            "LogUri": engine["log_uri"],
            "Turns": "1500",
        }
        self.assertEqual(set(values), set(given["DefinitionSubstitutions"]))
        text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], json.dumps(given["Definition"]))
        self.assertEqual(json.loads(state_machine["definition"]), json.loads(text))
        function = made["module.engine.aws_lambda_function.this"]
        self.assertEqual(
            function["environment"][0]["variables"],
            {"PATCHFLEET_LOG": engine["log_uri"], "PATCHFLEET_STATE_MACHINE": engine["state_machine_arn"]},
        )
        self.assertEqual(state_machine["arn"], engine["state_machine_arn"])
        lost = template["Resources"]["LostEvents"]["Properties"]
        asynchronous = made["module.engine.aws_lambda_function_event_invoke_config.this"]
        for ours, theirs in (
            ("maximum_event_age_in_seconds", "MaximumEventAgeInSeconds"),
            ("maximum_retry_attempts", "MaximumRetryAttempts"),
        ):
            self.assertEqual(asynchronous[ours], int(lost[theirs]))

    def policies(self, made, module):
        """Every policy and trust of a module, by its address."""
        found = {}
        for address, one in made.items():
            if address.startswith(f"module.{module}."):
                for key in ("assume_role_policy", "policy"):
                    if isinstance(one.get(key), str):
                        found[address.split(".", 2)[2].replace("[0]", "")] = json.loads(one[key])
        return found

    def test_every_policy_of_the_engine_is_that_of_the_template(self):
        made, outputs, *_ = applied()
        of = outputs["engine"]
        bucket = of["log_uri"].split("/")[2]
        group = made["module.engine.aws_cloudwatch_log_group.function"]["arn"]
        ours = tokens(
            self.policies(made, "engine"),
            {
                f"{group}:*": "LOG-LINES",
                f"arn:aws:s3:::{bucket}": "BUCKET",
                of["stop_topic_arn"]: "STOP-TOPIC",
                of["topic_arn"]: "TOPIC",
                of["function_arn"]: "FUNCTION",
                of["state_machine_arn"]: "MACHINE",
                of["administration_role_arn"]: "ADMINISTRATION",
                provider.ACCOUNT: "ACCOUNT",
            },
        )
        with machine.Engine() as stack:
            theirs = {}
            of = stack.outputs
            for name, logical in (
                ("function", "FunctionRole"),
                ("administration", "AdministrationRole"),
                ("state_machine", "StateMachineRole"),
            ):
                arn = physical(stack, logical)
                trust, policies = stack.role(arn)
                theirs[f"aws_iam_role.{name}"] = trust
                theirs |= {f"aws_iam_role_policy.{one}": policy for one, policy in policies.items()}
            bucket = of["LogUri"].split("/")[2]
            s3, sns = stack.client("s3"), stack.client("sns")
            theirs["aws_s3_bucket_policy.log"] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
            for name, topic in (("told", of["TopicArn"]), ("stop", of["StopTopicArn"])):
                attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
                theirs[f"aws_sns_topic_policy.{name}"] = json.loads(attributes["Policy"])
            group = physical(stack, "FunctionLog")
            theirs = tokens(
                theirs,
                {
                    f"arn:aws:logs:us-east-1:{templates.ACCOUNT}:log-group:{group}:*": "LOG-LINES",
                    f"arn:aws:logs:us-east-1:{templates.ACCOUNT}:log-group:{group}": "LOG-LINES",
                    f"arn:aws:s3:::{bucket}": "BUCKET",
                    of["StopTopicArn"]: "STOP-TOPIC",
                    of["TopicArn"]: "TOPIC",
                    of["FunctionArn"]: "FUNCTION",
                    of["StateMachineArn"]: "MACHINE",
                    of["AdministrationRoleArn"]: "ADMINISTRATION",
                    templates.ACCOUNT: "ACCOUNT",
                },
            )
        self.assertEqual(ours, theirs)

    def test_a_window_has_the_roles_and_the_payload_of_the_template(self):
        made, *_ = applied()
        rule = made["module.window.aws_cloudwatch_event_rule.failed[0]"]["arn"]
        ours = {rule: "RULE", provider.ACCOUNT: "ACCOUNT", templates.ACCOUNT: "ACCOUNT"}
        ours = tokens(self.policies(made, "window"), ours)
        parameters = test_triggers.WINDOW | {"TopicArn": test_triggers.TOPIC}
        with templates.Deployed("maintenance-window.yaml", parameters) as stack:
            theirs = {}
            for name, logical in (("service", "ServiceRole"), ("telling", "TellingRole")):
                trust, policies = stack.role(physical(stack, logical))
                theirs[f"aws_iam_role.{name}"] = trust
                theirs |= {f"aws_iam_role_policy.{one.replace('-', '_')}": policy for one, policy in policies.items()}
            (task,) = test_triggers.MaintenanceWindow.tasks(None, stack)
            payload = json.loads(test_triggers.MaintenanceWindow.registered(None, task))
            (rule,) = stack.client("events").list_rules()["Rules"]
        self.assertEqual(ours, tokens(theirs, {rule["Arn"]: "RULE", templates.ACCOUNT: "ACCOUNT"}))
        task = made["module.window.aws_ssm_maintenance_window_task.this"]
        given = json.loads(task["task_invocation_parameters"][0]["lambda_parameters"][0]["payload"])
        self.assertEqual(given, payload | {"Regions": "us-east-1,eu-west-1"})
        self.assertEqual((task["targets"], task["max_concurrency"], task["max_errors"]), ([], None, None))

    def test_a_schedule_has_the_role_and_the_event_of_the_template(self):
        made, *_ = applied()
        group = made["module.schedule.aws_scheduler_schedule_group.this"]["arn"]
        queue = made["module.schedule.aws_sqs_queue.dead_letters"]["arn"]
        ours = {group: "GROUP", queue: "QUEUE", provider.ACCOUNT: "ACCOUNT", templates.ACCOUNT: "ACCOUNT"}
        ours = tokens(self.policies(made, "schedule"), ours)
        parameters = {"StateMachineArn": test_triggers.MACHINE, "RequestJson": json.dumps(REQUEST)}
        with templates.Deployed("schedule.yaml", parameters) as stack:
            trust, policies = stack.role(physical(stack, "Role"))
            theirs = {"aws_iam_role.this": trust, "aws_iam_role_policy.starting": policies["starting"]}
            target = test_triggers.Schedule.schedule(None, stack)["Target"]
            names = {target["DeadLetterConfig"]["Arn"]: "QUEUE", templates.ACCOUNT: "ACCOUNT"}
            arn = f"arn:aws:scheduler:us-east-1:{templates.ACCOUNT}:schedule-group/{stack.outputs['ScheduleGroupName']}"
            theirs = tokens(theirs, {arn: "GROUP"} | names)
        only = ours.pop("aws_sqs_queue_policy.only_by_tls")
        self.assertEqual([one["Effect"] for one in only["Statement"]], ["Deny"])
        self.assertEqual(ours, theirs)
        schedule = made["module.schedule.aws_scheduler_schedule.this"]
        # The names that Scheduler fills in stand there as they are, and not as codes of JSON.
        self.assertIn('"<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"', schedule["target"][0]["input"])
        self.assertEqual(json.loads(schedule["target"][0]["input"]), json.loads(target["Input"]))
        self.assertEqual(schedule["target"][0]["retry_policy"][0]["maximum_event_age_in_seconds"], 3600)

    def test_the_administration_role_is_put_into_a_request_that_names_none(self):
        automation = {"execution_role": "Patching"}
        more = {"administration_role_arn": ADMINISTRATION, "cutoff": "9h", "flexible_minutes": 30, "tell": False}
        more |= {"carry_over": True, "second_attempt": True}
        own = REQUEST | {"automation": {"assume_role": ADMINISTRATION + "2"}}
        configuration = call("one", MODULES[2], SCHEDULE | more | {"request": REQUEST | {"automation": automation}})
        configuration += call("two", MODULES[2], SCHEDULE | more | {"request": own, "name": "other"})
        with Terraform(configuration) as terraform:
            terraform.run("apply", "-auto-approve", check=True)
            made, _ = terraform.state()
        events = [json.loads(made[f"module.{one}.aws_scheduler_schedule.this"]["target"][0]["input"]) for one in ("one", "two")]
        self.assertEqual(events[0]["request"]["automation"], automation | {"assume_role": ADMINISTRATION})
        self.assertEqual(events[1]["request"], own)
        self.assertEqual([events[0][key] for key in ("cutoff", "carry_over", "second_attempt")], ["9h", True, True])
        window = made["module.one.aws_scheduler_schedule.this"]["flexible_time_window"]
        self.assertEqual(window, [{"mode": "FLEXIBLE", "maximum_window_in_minutes": 30}])
        self.assertNotIn("module.one.aws_cloudwatch_metric_alarm.not_started[0]", made)

    def test_a_wrong_value_is_refused_and_named(self):
        accounts = ["111122223333"] * 300
        wrong = {
            "engine": (MODULE, ENGINE | {"name": "patch fleet", "architecture": "arm", "timeout": 3, "turns": 0}),
            "mail": (MODULE, ENGINE | {"notify_email": "nobody", "log_retention_days": 2, "external_id_parameter": "id"}),
            "window": (MODULES[1], WINDOW | {"regions": [], "operation": "Patch", "target_accounts": ["1"], "duration": 25}),
            "schedule": (MODULES[2], SCHEDULE | {"schedule_expression": "daily", "cutoff": "9", "request": {"name": "x"}}),
            "short": (MODULES[1], WINDOW | {"duration": 5, "cutoff": 5}),
            "long": (MODULES[1], WINDOW | {"target_accounts": accounts}),
            "told": (MODULES[1], WINDOW | {"document_name": "Ours", "carry_over": True, "second_attempt": True}),
            "outlives": (MODULES[1], WINDOW | {"keep_within_window": False, "carry_over": True}),
            "endless": (MODULES[2], SCHEDULE | {"carry_over": True}),
            "offline": (MODULES[1], WINDOW | {"nodes_that_do_not_answer": "wait"}),
            "untold": (MODULES[2], SCHEDULE | {"topic_arn": None}),
        }
        expected = {
            "engine": ["1 to 32 letters", "arm64 or x86_64", "60 to 900 seconds", "1 to 2,000 calls"],
            "mail": ["an e-mail address", "CloudWatch Logs takes", "begins with a slash"],
            "window": ["at least one Region", "Scan or Install", "twelve digits", "1 to 24 whole hours"],
            "schedule": ["such as cron(15 22 ? * TUE *)", "hours and minutes", "a name and targets"],
            "short": ["cutoff has to be less than duration", "duration has to be at least 7, or keep_within_window false"],
            "long": ["longer than the 4,096 bytes"],
            "told": [
                "nodes_that_do_not_answer: a runbook of your own (document_name) cannot be told",
                "carry_over: a runbook of your own (document_name) cannot be told",
                "second_attempt: a runbook of your own (document_name) cannot be told",
            ],
            "outlives": ["keep_within_window has to be true"],
            "endless": ["a campaign without a cutoff leaves nothing"],
            "offline": ["target, skip or refuse"],
            "untold": ["tell needs topic_arn"],
        }
        for name, (source, arguments) in wrong.items():
            with self.subTest(name), Terraform(call(name, source, arguments)) as terraform:
                done = terraform.run("plan")
                self.assertEqual(done.returncode, 1)
                for words in expected[name]:
                    self.assertIn(words, done.said)


def physical(stack, logical):
    """The name of what a stack made."""
    resources = stack.client("cloudformation").describe_stack_resources(StackName="patching")["StackResources"]
    return next(one["PhysicalResourceId"] for one in resources if one.get("LogicalResourceId") == logical)


def tokens(policies, names):
    """Policies in which what has other names here and there has the same one. Statements are sorted by their Sid."""
    text = json.dumps(policies)
    for name, token in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = re.sub(re.escape(name) + r"(?![\w-])", token, text)
    found = json.loads(text)
    for policy in found.values():
        for statement in policy["Statement"]:
            for key in ("Action", "Resource"):
                if isinstance(statement.get(key), list):
                    statement[key].sort()
    return found


if __name__ == "__main__":
    unittest.main()
