"""AssumeRole and GetCallerIdentity."""

from clients import HOME, MAIN, ROLE, WEB
from registry import refused, scenario

ROLE_OF_WEB = f"arn:aws:iam::{WEB}:role/{ROLE}"


@scenario()
def callers_are_who_they_are(stage):
    main = stage.client("sts").get_caller_identity()
    assert main["Account"] == MAIN, main
    there = stage.client("sts", HOME, WEB).get_caller_identity()
    assert there["Arn"] == f"arn:aws:sts::{WEB}:assumed-role/{ROLE}/conformance", there
    assumed = stage.client("sts").assume_role(
        RoleArn=ROLE_OF_WEB, RoleSessionName="conformance", DurationSeconds=900, ExternalId="any"
    )
    assert assumed["AssumedRoleUser"]["AssumedRoleId"] == there["UserId"], (assumed, there)


@scenario()
def roles_are_not_for_everybody(stage):
    call = stage.client("sts").assume_role
    for role in [
        f"arn:aws:iam::{WEB}:role/Nobodys",
        f"arn:aws:iam::000000000000:role/{ROLE}",
        f"arn:aws:iam::444455556666:role/{ROLE}",
    ]:
        refused("AccessDenied", call, RoleArn=role, RoleSessionName="conformance")
    chained = stage.client("sts", HOME, WEB).assume_role
    refused("ValidationError", chained, RoleArn=ROLE_OF_WEB, RoleSessionName="long", DurationSeconds=7200)


@scenario()
def a_region_that_is_not_enabled_has_no_sts(stage):
    refused(
        "InvalidClientTokenId",
        stage.client("sts", "af-south-1").assume_role,
        RoleArn=ROLE_OF_WEB,
        RoleSessionName="conformance",
    )
    ssm = stage.client("ssm", "af-south-1")
    refused("UnrecognizedClientException", ssm.list_commands)


@scenario(arises=["sts.AssumeRole.MalformedPolicyDocument", "sts.AssumeRole.PackedPolicyTooLarge"])
def session_policies_are_read(stage):
    call = stage.client("sts").assume_role
    known = {"RoleArn": ROLE_OF_WEB, "RoleSessionName": "conformance"}
    refused("MalformedPolicyDocument", call, Policy="{", **known)
    refused("PackedPolicyTooLarge", call, Policy='{"Version": "2012-10-17", "Statement": []}' + " " * 4000, **known)
