"""Kinds of resource that CloudFormation makes and moto's CloudFormation does not.

Each goes to moto by the service's own API, so that botocore's model of AWS checks what the template says.
"""

import base64
import contextlib
import json
import re

import boto3
from moto.cloudformation import parsing


class Made:
    """A resource that was made by an API. moto asks of it what it asks of its own."""

    KIND, ARN = "", ""

    def __init__(self, name, properties, region, account):
        self.name, self.properties, self.region, self.account = name, properties, region, account

    @property
    def physical_resource_id(self):
        return self.name

    def is_created(self):
        return True

    def delete(self, _account, _region):
        """It goes with what it belongs to, unless its kind says otherwise."""

    @classmethod
    def cloudformation_type(cls):
        return cls.KIND

    @staticmethod
    def cloudformation_name_type():
        return ""

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "Arn"

    def get_cfn_attribute(self, attribute):
        assert attribute == "Arn", attribute
        return self.ARN.format(region=self.region, account=self.account, name=self.name)

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
        properties = typed(cloudformation_json["Properties"])
        # AWS takes 64 characters of a schedule's name, and CloudFormation keeps to that.
        return cls(cls.create(resource_name[-64:], properties, region_name), properties, region_name, account_id)


def typed(value):
    """CloudFormation gives numbers and booleans as the property has them, also where a parameter is a text."""
    if isinstance(value, dict):
        return {key: typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        return int(value)
    return value


class ScheduleGroup(Made):
    KIND, ARN = "AWS::Scheduler::ScheduleGroup", "arn:aws:scheduler:{region}:{account}:schedule-group/{name}"

    @staticmethod
    def create(name, properties, region):
        boto3.client("scheduler", region).create_schedule_group(Name=name, **properties)
        return name

    def delete(self, _account, region):
        boto3.client("scheduler", region).delete_schedule_group(Name=self.name)


class Schedule(Made):
    KIND = "AWS::Scheduler::Schedule"

    @staticmethod
    def create(name, properties, region):
        boto3.client("scheduler", region).create_schedule(Name=name, **properties)
        return name

    def delete(self, _account, region):
        client = boto3.client("scheduler", region)
        # It goes with its group. moto does not delete in CloudFormation's order.
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_schedule(Name=self.name, GroupName=self.properties["GroupName"])


class QueuePolicy(Made):
    KIND = "AWS::SQS::QueuePolicy"

    @staticmethod
    def create(name, properties, region):
        document = {"Policy": json.dumps(properties["PolicyDocument"])}
        for queue in properties["Queues"]:
            boto3.client("sqs", region).set_queue_attributes(QueueUrl=queue, Attributes=document)
        return name


class Window(Made):
    KIND = "AWS::SSM::MaintenanceWindow"

    @staticmethod
    def create(_name, properties, region):
        return boto3.client("ssm", region).create_maintenance_window(**properties)["WindowId"]

    def delete(self, _account, region):
        boto3.client("ssm", region).delete_maintenance_window(WindowId=self.name)


class Task(Made):
    KIND = "AWS::SSM::MaintenanceWindowTask"

    @staticmethod
    def create(_name, properties, region):
        given = properties | {"TaskInvocationParameters": {}}
        (kind, parameters), = properties["TaskInvocationParameters"].items()
        assert kind == "MaintenanceWindowLambdaParameters", kind
        # A blob of the API, which CloudFormation takes as Base64.
        payload = base64.b64decode(parameters["Payload"], validate=True)
        given["TaskInvocationParameters"]["Lambda"] = parameters | {"Payload": payload}
        return boto3.client("ssm", region).register_task_with_maintenance_window(**given)["WindowTaskId"]

    def delete(self, _account, region):
        client = boto3.client("ssm", region)
        # It goes with its window.
        with contextlib.suppress(client.exceptions.DoesNotExistException):
            client.deregister_task_from_maintenance_window(WindowId=self.properties["WindowId"], WindowTaskId=self.name)


class Alarm(Made):
    KIND = "AWS::CloudWatch::Alarm"

    @staticmethod
    def create(name, properties, region):
        boto3.client("cloudwatch", region).put_metric_alarm(AlarmName=name, **properties)
        return name

    def delete(self, _account, region):
        boto3.client("cloudwatch", region).delete_alarms(AlarmNames=[self.name])


class BucketPolicy(Made):
    KIND = "AWS::S3::BucketPolicy"

    @staticmethod
    def create(_name, properties, region):
        document = json.dumps(properties["PolicyDocument"])
        boto3.client("s3", region).put_bucket_policy(Bucket=properties["Bucket"], Policy=document)
        return properties["Bucket"]


class TopicPolicy(Made):
    KIND = "AWS::SNS::TopicPolicy"

    @staticmethod
    def create(name, properties, region):
        document = json.dumps(properties["PolicyDocument"])
        for topic in properties["Topics"]:
            client = boto3.client("sns", region)
            client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document)
        return name


class Subscription(Made):
    KIND = "AWS::SNS::Subscription"

    @staticmethod
    def create(_name, properties, region):
        return boto3.client("sns", region).subscribe(**properties, ReturnSubscriptionArn=True)["SubscriptionArn"]


class EventInvokeConfig(Made):
    KIND = "AWS::Lambda::EventInvokeConfig"

    @staticmethod
    def create(name, properties, region):
        boto3.client("lambda", region).put_function_event_invoke_config(**properties)
        return name


def add():
    """Teaches moto these kinds."""
    triggers = (ScheduleGroup, Schedule, QueuePolicy, Window, Task, Alarm)
    for kind in (*triggers, BucketPolicy, TopicPolicy, Subscription, EventInvokeConfig):
        parsing.get_model_map()[kind.KIND] = kind
