"""Situations that were recorded, brought about in the world `recorded`."""

import json

import botocore.exceptions

import clients

HELD = {}

MAIN, WEB, BARE = "111122223333", "222222222222", "333333333333"
NODE, HYBRID = "i-0aaaaaaaaaaaaaaa4", "mi-1111aa111aa11a111"
STOPPED, FAILS = "i-0aaaaaaaaaaaaaaa7", "i-0aaaaaaaaaaaaaaa8"
NOBODY = "00000000-0000-4000-8000-000000000000"


def held(*names):
    """Puts a function on the list for these samples. It is called with a `Stage` and the sample's data,
    and gives what is wrong."""

    def put(check):
        HELD.update({name: check for name in names})
        return check

    return put


class Stage(clients.Clients):
    """Clients of a simulator, whose answers are given as they were on the wire."""

    def __init__(self, running):
        super().__init__(running.endpoint, validate=False)
        self.simulator = running

    def advance(self, seconds):
        """Moves virtual time."""
        self.simulator.advance(seconds)

    def wire(self, call, **arguments):
        """The JSON of an answer; of a refusal, its code and message."""
        try:
            call(**arguments)
        except botocore.exceptions.ClientError as error:
            self.refused = error.response
            return {"Code": error.response["Error"]["Code"], "Message": error.response["Error"]["Message"]}
        return json.loads(self.simulator.proxy.taken()[-1].answer)

    def ssm(self, operation, **arguments):
        """What an operation of Systems Manager answers in the main account."""
        return self.wire(getattr(self.client("ssm"), operation), **arguments)

    def as_role(self, role, service, region="us-east-1"):
        """A client in the account WEB, as one of its roles."""
        key = self.client("sts").assume_role(RoleArn=f"arn:aws:iam::{WEB}:role/{role}", RoleSessionName="me")
        return self.with_key(key["Credentials"], service, region)

    def with_key(self, key, service, region="us-east-1"):
        """A client with the credentials that AssumeRole gave."""
        import boto3

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            config=self.config,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key["SessionToken"],
        )


def differs(found, wanted, what="answer"):
    """What is wrong if two values are not the same."""
    if found != wanted:
        yield f"{what}: {found!r:.300}, AWS had {wanted!r:.300}"


def refusal(found, wanted, what="refusal"):
    """What is wrong with a refusal's code and message."""
    return differs((found.get("Code"), found.get("Message")), (wanted["Code"], wanted["Message"]), what)
