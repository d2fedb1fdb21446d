"""boto3 clients of one simulator, in any account and Region."""

import functools

import boto3
import botocore.config

ROLE = "AWS-SystemsManager-AutomationExecutionRole"
MAIN, WEB, SHOP = "111122223333", "222233334444", "333344445555"
HOME = "us-east-1"


class Clients:
    """Clients of an endpoint. They do not retry, so that an error arrives as it was answered."""

    def __init__(self, endpoint, validate=True):
        self.endpoint = endpoint
        self.config = botocore.config.Config(
            retries={"total_max_attempts": 1}, parameter_validation=validate, connect_timeout=10, read_timeout=60
        )
        self.key = functools.cache(self._key)
        self.client = functools.cache(self._client)

    def _key(self, account):
        role = f"arn:aws:iam::{account}:role/{ROLE}"
        return self.client("sts").assume_role(RoleArn=role, RoleSessionName="conformance")["Credentials"]

    def _client(self, service, region=HOME, account=MAIN):
        key = {"AccessKeyId": "any", "SecretAccessKey": "any"} if account == MAIN else self.key(account)
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            config=self.config,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            aws_session_token=key.get("SessionToken"),
        )
