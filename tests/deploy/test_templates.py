"""Every template: what CloudFormation's linter says, what our own rules say, and what moto makes of it."""

import pathlib
import re
import subprocess
import sys
import unittest

import evaluator
import templates

CENTRAL = "111122223333"
ADMINISTRATION = f"arn:aws:iam::{CENTRAL}:role/patching-AdministrationRole-1A2B3C"
FUNCTION = f"arn:aws:iam::{CENTRAL}:role/patching-FunctionRole-1A2B3C"
ROLE = {"CentralAccountId": CENTRAL, "AdministrationRoleArn": ADMINISTRATION, "CallerRoleArns": FUNCTION}

# Properties that name a resource for good. A name that is written down lets a template be deployed once only.
NAMES = {"BucketName", "FunctionName", "LogGroupName", "ManagedPolicyName", "Name", "QueueName", "RoleName", "TopicName"}


def nodes(value, path=()):
    """Everything that stands in a template, with its path."""
    yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from nodes(child, (*path, key))


class EveryTemplate(unittest.TestCase):
    def test_the_linter_finds_nothing(self):
        words = [pathlib.Path(sys.executable).parent / "cfn-lint", "--", *map(str, templates.ALL)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertEqual((done.stdout, done.returncode), ("", 0), done.stderr)

    def test_any_partition_is_served(self):
        for path in templates.ALL:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                example = "Pattern" in line or "ConstraintDescription" in line
                self.assertFalse("arn:aws:" in line and not example, f"{path.name}:{number}: {line}")

    def test_every_parameter_says_what_it_is_and_what_it_may_be(self):
        for path in templates.ALL:
            template = templates.read(path)
            grouped = set()
            for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
                grouped |= set(group["Parameters"])
            self.assertEqual(grouped, set(template["Parameters"]), path.name)
            for name, one in template["Parameters"].items():
                self.assertIn("Description", one, f"{path.name}: {name}")
                bounded = {"AllowedPattern", "AllowedValues", "MinValue"} & set(one) or one["Type"].startswith("AWS::")
                self.assertTrue(bounded, f"{path.name}: {name} takes anything")
                if "AllowedPattern" in one:
                    self.assertIn("ConstraintDescription", one, f"{path.name}: {name}")
                    default = str(one.get("Default", ""))
                    if default:
                        self.assertTrue(re.fullmatch(one["AllowedPattern"], default), f"{path.name}: {name}")

    def test_no_resource_has_a_name_that_is_written_down(self):
        # A query's name is no resource's, and a table's belongs to the database, which has a parameter for its own.
        fixed_by_their_place = {"AWS::Athena::NamedQuery", "AWS::Glue::Table"}
        for path in templates.ALL:
            for name, resource in templates.read(path)["Resources"].items():
                if resource["Type"] in fixed_by_their_place:
                    continue
                # AWS::SSM::Association's Name is that of its document.
                if resource["Type"] == "AWS::SSM::Association":
                    continue
                for key, value in resource.get("Properties", {}).items():
                    self.assertFalse(key in NAMES and isinstance(value, str), f"{path.name}: {name}.{key} = {value}")

    def test_every_output_says_what_it_is_for(self):
        for path in templates.ALL:
            outputs = templates.read(path).get("Outputs", {})
            self.assertTrue(outputs, path.name)
            for name, one in outputs.items():
                self.assertIn("Description", one, f"{path.name}: {name}")

    def test_every_template_has_its_page(self):
        for path in templates.ALL:
            page = path.with_suffix(".md")
            self.assertTrue(page.exists(), page.name)
            text = page.read_text(encoding="utf-8")
            for heading in ("## What it makes", "## Deploy it", "## What it costs", "## Undo it"):
                self.assertIn(heading, text, page.name)
            for name in templates.read(path)["Parameters"]:
                self.assertIn(f"`{name}`", text, f"{page.name} does not tell of {name}")


class ExecutionRole(unittest.TestCase):
    """execution-role.yaml."""

    def test_it_makes_the_role_by_the_name_that_is_asked_for(self):
        for name in ("AWS-SystemsManager-AutomationExecutionRole", "Patching"):
            with templates.Deployed("execution-role.yaml", ROLE | {"ExecutionRoleName": name}) as stack:
                arn = f"arn:aws:iam::{templates.ACCOUNT}:role/{name}"
                self.assertEqual(stack.outputs, {"ExecutionRoleArn": arn, "ExecutionRoleName": name})
                _, policies = stack.role(name)
                passed = [
                    statement["Resource"]
                    for policy in policies.values()
                    for statement in policy["Statement"]
                    if statement["Action"] == "iam:PassRole"
                ]
                self.assertEqual(passed, [arn], "a role of another name may hand on itself, and no other")

    def trusted(self, parameters, principal, context):
        """Whether the role may be assumed."""
        with templates.Deployed("execution-role.yaml", ROLE | parameters) as stack:
            trust, _ = stack.role(stack.outputs["ExecutionRoleName"])
            arn = stack.outputs["ExecutionRoleArn"]
        may = {"may": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}}
        own = may if principal.startswith("arn:") else None
        question = evaluator.simulation(principal, "sts:AssumeRole", arn, own, trust, context)
        return evaluator.evaluate([question])[0]["result"] == "Allowed"

    def of(self, role, **more):
        """The context of a call of a role."""
        return {"aws:PrincipalArn": role, "aws:PrincipalOrgID": "o-a1b2c3d4e5"} | more

    def test_the_administration_role_and_the_callers_may_assume_it_and_nobody_else_of_their_account(self):
        for role in (ADMINISTRATION, FUNCTION):
            self.assertTrue(self.trusted({}, role, self.of(role)), role)
        other = f"arn:aws:iam::{CENTRAL}:role/Developer"
        self.assertFalse(self.trusted({}, other, self.of(other)))

    def test_a_role_of_identity_center_is_named_with_a_star(self):
        path = f"arn:aws:iam::{CENTRAL}:role/aws-reserved/sso.amazonaws.com"
        callers = {"CallerRoleArns": f"{FUNCTION},{path}/AWSReservedSSO_Patching_*"}
        for name, may in (("AWSReservedSSO_Patching_0a1b2c3d", True), ("AWSReservedSSO_Admin_0a1b2c3d", False)):
            self.assertEqual(self.trusted(callers, f"{path}/{name}", self.of(f"{path}/{name}")), may, name)

    def test_another_organization_may_not(self):
        organization = {"OrganizationId": "o-zzzzzzzzzz"}
        for role in (ADMINISTRATION, FUNCTION):
            self.assertFalse(self.trusted(organization, role, self.of(role)), role)
            self.assertTrue(self.trusted({"OrganizationId": "o-a1b2c3d4e5"}, role, self.of(role)), role)

    def test_an_external_id_is_asked_of_the_callers_and_not_of_automation(self):
        asked = {"ExternalId": "a-secret", "OrganizationId": "o-a1b2c3d4e5"}
        self.assertTrue(self.trusted(asked, ADMINISTRATION, self.of(ADMINISTRATION)))
        self.assertFalse(self.trusted(asked, FUNCTION, self.of(FUNCTION)))
        self.assertTrue(self.trusted(asked, FUNCTION, self.of(FUNCTION, **{"sts:ExternalId": "a-secret"})))

    def test_systems_manager_may_for_an_execution_of_this_account_only(self):
        for account, may in ((templates.ACCOUNT, True), ("999999999999", False)):
            source = f"arn:aws:ssm:eu-west-1:{account}:automation-execution/342dfa0a-ca6d-40ab-bcf2-59157da52829"
            context = {"aws:SourceAccount": account, "aws:SourceArn": source}
            self.assertEqual(self.trusted({}, "ssm.amazonaws.com", context), may, account)


class Compliance(unittest.TestCase):
    """compliance.yaml."""

    def test_the_bucket_is_encrypted_by_the_key_and_kept_from_the_public(self):
        with templates.Deployed("compliance.yaml", {"OrganizationId": "o-a1b2c3d4e5"}) as stack:
            bucket, s3 = stack.outputs["SyncBucketName"], stack.client("s3")
            rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
            key = rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
            self.assertEqual(key, stack.outputs["SyncKeyArn"])
            self.assertTrue(stack.client("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"])

    def test_with_a_bucket_it_makes_the_sync_alone(self):
        template = templates.read(templates.FOLDER / "compliance.yaml")
        conditions = {name: one.get("Condition") for name, one in template["Resources"].items()}
        everywhere = {name for name, condition in conditions.items() if condition != "IsCentral"}
        self.assertEqual(everywhere, {"MemberSync", "Inventory"})


if __name__ == "__main__":
    unittest.main()
