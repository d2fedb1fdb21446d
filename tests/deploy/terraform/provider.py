"""A provider in the place of the AWS provider, which is not in a package registry. Terraform itself is real.

It has the resources and arguments of the AWS provider (aws-provider.json). What it is asked to make it keeps in Terraform's
state, and gives each thing an id, a name and an ARN.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib

import grpc
import msgpack
import protocol

HERE = pathlib.Path(__file__).parent
ACCOUNT, REGION = "111122223333", "us-east-1"
SOURCE = "registry.terraform.io/hashicorp/aws"
# A value that is known only after something is made, as the protocol writes it.
UNKNOWN = msgpack.ExtType(0, b"\0")
# What the AWS provider fills in of what is left out.
FILLED = {"arn", "bucket", "id", "name"}

# The services and the kinds of their resources, in ARNs.
ARNS = {
    "aws_cloudwatch_event_rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "aws_cloudwatch_log_group": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "aws_cloudwatch_metric_alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    "aws_iam_role": "arn:aws:iam::{account}:role/{name}",
    "aws_lambda_function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "aws_s3_bucket": "arn:aws:s3:::{name}",
    "aws_scheduler_schedule": "arn:aws:scheduler:{region}:{account}:schedule/{group}/{name}",
    "aws_scheduler_schedule_group": "arn:aws:scheduler:{region}:{account}:schedule-group/{name}",
    "aws_sfn_state_machine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
    "aws_sns_topic": "arn:aws:sns:{region}:{account}:{name}",
    "aws_sqs_queue": "arn:aws:sqs:{region}:{account}:{name}",
    "aws_ssm_maintenance_window_task": "arn:aws:ssm:{region}:{account}:windowtask/{name}",
}
# Those whose id is something else than their name.
IDS = {
    "aws_scheduler_schedule": "{group}/{name}",
    "aws_sfn_state_machine": "{arn}",
    "aws_sns_topic": "{arn}",
    "aws_sqs_queue": "https://sqs.{region}.amazonaws.com/{account}/{name}",
    "aws_ssm_maintenance_window": "mw-{digest:.17}",
}
DATA = {
    "aws_caller_identity": {"account_id": ACCOUNT, "id": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/somebody", "user_id": "AIDA"},
    "aws_partition": {"partition": "aws", "id": "aws", "dns_suffix": "amazonaws.com"},
    "aws_region": {"region": REGION, "id": REGION, "name": REGION},
}


pb = protocol.messages()


def read_schema(of):
    """A resource's schema as the protocol has it."""
    block = block_of(of)
    for name, one in of["computed"].items():
        block.attributes.append(attribute(name, one["type"], computed=True))
    return pb.Schema(block=block)


def block_of(of):
    block = pb.Block()
    for name, one in of["attributes"].items():
        block.attributes.append(
            attribute(name, one["type"], required=one["required"], optional=not one["required"], computed=not one["required"])
        )
    for name, one in of["blocks"].items():
        nested = pb.NestedBlock(type_name=name, block=block_of(one), nesting=protocol.LIST, min_items=int(one["required"]))
        nested.max_items = 0 if one["several"] else 1
        block.block_types.append(nested)
    return block


def attribute(name, kind, **more):
    return pb.Attribute(name=name, type=json.dumps(kind).encode(), **more)


def unpacked(value):
    return msgpack.unpackb(value.msgpack, ext_hook=lambda code, data: UNKNOWN, strict_map_key=False)


def packed(value):
    return pb.DynamicValue(msgpack=msgpack.packb(value))


class Provider:
    """Serves while it is entered. `environment` is what Terraform needs to find it."""

    def __enter__(self):
        found = json.loads((HERE / "aws-provider.json").read_text(encoding="utf-8"))
        self.resources, self.data = dict(found["resources"]), dict(found["data-sources"])
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        calls = {
            "GetSchema": (self.schema, pb.Empty),
            "PrepareProviderConfig": (lambda one: pb.PrepareResponse(prepared_config=one.config), pb.PrepareRequest),
            "ValidateResourceTypeConfig": (lambda _: pb.Diagnostics(), pb.Empty),
            "ValidateDataSourceConfig": (lambda _: pb.Diagnostics(), pb.Empty),
            "Configure": (lambda _: pb.Diagnostics(), pb.Empty),
            "UpgradeResourceState": (self.upgrade, pb.UpgradeRequest),
            "ReadResource": (lambda one: pb.ReadResponse(new_state=one.current_state), pb.ReadRequest),
            "PlanResourceChange": (self.plan, pb.PlanRequest),
            "ApplyResourceChange": (self.apply, pb.ApplyRequest),
            "ReadDataSource": (self.look, pb.DataRequest),
            "Stop": (lambda _: pb.Empty(), pb.Empty),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                lambda request, _, call=call: call(request), asked.FromString, lambda answer: answer.SerializeToString()
            )
            for name, (call, asked) in calls.items()
        }
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin5.Provider", handlers),))
        port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        attach = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True}
        attach["Addr"] = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
        self.environment = {"TF_REATTACH_PROVIDERS": json.dumps({SOURCE: attach})}
        return self

    def __exit__(self, *_):
        self.server.stop(None)

    def schema(self, _):
        return pb.GetSchemaResponse(
            provider=pb.Schema(block=pb.Block(attributes=[attribute("region", "string", optional=True)])),
            resource_schemas={name: read_schema(of) for name, of in self.resources.items()},
            data_source_schemas={name: read_schema(of) for name, of in self.data.items()},
        )

    def upgrade(self, one):
        return pb.UpgradeResponse(upgraded_state=packed(json.loads(one.raw_state.json)))

    def plan(self, one):
        proposed = unpacked(one.proposed_new_state)
        if proposed is not None and unpacked(one.prior_state) is None:
            for name in FILLED | set(self.resources[one.type_name]["computed"]):
                if name in proposed and proposed[name] is None:
                    proposed[name] = UNKNOWN
        return pb.PlanResponse(planned_state=packed(proposed))

    def apply(self, one):
        made = unpacked(one.planned_state)
        if made is not None:
            digest = hashlib.sha256(one.planned_state.msgpack).hexdigest()
            prefix = made.get("name_prefix") or made.get("bucket_prefix") or ""
            given = [made.get(key) for key in ("function_name", "alarm_name", "bucket", "name")]
            name = next((text for text in given if isinstance(text, str)), None) or prefix + digest[:26]
            facts = {"name": name, "region": REGION, "account": ACCOUNT, "digest": digest, "group": made.get("group_name")}
            facts["arn"] = ARNS.get(one.type_name, "").format(**facts)
            facts["id"] = IDS.get(one.type_name, "{name}").format(**facts)
            facts["bucket"] = name
            for key, value in made.items():
                if value == UNKNOWN:
                    made[key] = facts.get(key)
        return pb.ApplyResponse(new_state=packed(made))

    def look(self, one):
        return pb.DataResponse(state=packed(unpacked(one.config) | DATA[one.type_name]))
