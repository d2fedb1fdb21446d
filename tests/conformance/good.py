"""An input for every operation that is right in the world `company`, and every other member that an
input may have, so that nothing of a request's model is left untried."""

import json

import known
import model
from clients import HOME, MAIN, ROLE, WEB

LIST = {"MaxResults": 50}
ONE_OF_OURS = {"Group": "WebServers"}
ROOT = {"ParentId": "r-cf01"}
SHARE = {"Name": "Made-Here", "PermissionType": "Share"}
ALARM = {"Alarms": [{"Name": "too-many-errors"}], "IgnorePollAlarmFailure": False}
TARGET = {"Key": "tag:Tier", "Values": ["web"]}


def prepare(stage):
    """Brings the world of `stage` to where `inputs` are right; what they refer to."""
    command = known.a_command(stage)
    known.make(stage, VersionName="first")
    stage.client("resource-groups").create_group(Name="Made-Here", ResourceQuery=known.WEB_TIER)
    return {"command": command, "execution": known.start(stage, Mode="Interactive")}


def inputs(ids):
    """By service and operation: an input with what is required, and members that may be added."""
    execution, command = {"AutomationExecutionId": ids["execution"]}, {"CommandId": ids["command"]}
    invocation = command | {"InstanceId": known.NODE}
    patch = {"DocumentName": "Fleet-Patch", "Parameters": {"ResourceGroupName": ["WebServers"]}}
    scan = {"DocumentName": "AWS-RunPatchBaseline", "Parameters": {"Operation": ["Scan"]}}
    return {
        ("ssm", "StartAutomationExecution"): (
            patch,
            [
                {"DocumentVersion": "$DEFAULT"},
                {"ClientToken": "00000000-0000-4000-8000-00000000000a"},
                {"Mode": "Auto"},
                {"Tags": [{"Key": "Team", "Value": "ops"}]},
                {"AlarmConfiguration": ALARM},
                {"TargetLocationsURL": "https://bucket.s3.amazonaws.com/locations.json"},
                {"TargetParameterName": "Operation", "TargetMaps": [{"Operation": ["Scan"]}]},
                {
                    "TargetParameterName": "Operation",
                    "Targets": [{"Key": "ParameterValues", "Values": ["Scan"]}],
                    "MaxConcurrency": "1",
                    "MaxErrors": "0",
                },
                {
                    "TargetLocations": [
                        known.EVERYWHERE
                        | {
                            "ExcludeAccounts": [WEB],
                            "Targets": [TARGET],
                            "TargetsMaxConcurrency": "1",
                            "TargetsMaxErrors": "0",
                            "TargetLocationAlarmConfiguration": ALARM,
                        }
                    ]
                },
            ],
        ),
        ("ssm", "StopAutomationExecution"): (execution, [{"Type": "Cancel"}]),
        ("ssm", "GetAutomationExecution"): (execution, []),
        ("ssm", "DescribeAutomationExecutions"): (
            LIST,
            [{"Filters": [{"Key": "ExecutionStatus", "Values": ["Success"]}]}, {"NextToken": known.TOKEN}],
        ),
        ("ssm", "DescribeAutomationStepExecutions"): (
            execution | LIST,
            [
                {"Filters": [{"Key": "StepName", "Values": ["runPatchBaseline"]}]},
                {"ReverseOrder": True},
                {"NextToken": known.TOKEN},
            ],
        ),
        ("ssm", "SendAutomationSignal"): (
            execution | {"SignalType": "StartStep"},
            [{"Payload": {"StepName": ["runPatchBaseline"]}}],
        ),
        ("ssm", "SendCommand"): (
            scan | {"InstanceIds": [known.NODE]},
            [
                {"Targets": [TARGET]},
                {"DocumentVersion": "$DEFAULT", "DocumentHash": "0" * 64, "DocumentHashType": "Sha256"},
                {"TimeoutSeconds": 600, "Comment": "by hand", "MaxConcurrency": "1", "MaxErrors": "0"},
                {"OutputS3Region": HOME, "OutputS3BucketName": "bucket", "OutputS3KeyPrefix": "prefix"},
                {
                    "ServiceRoleArn": f"arn:aws:iam::{MAIN}:role/{ROLE}",
                    "NotificationConfig": {
                        "NotificationArn": f"arn:aws:sns:{HOME}:{MAIN}:topic",
                        "NotificationEvents": ["All"],
                        "NotificationType": "Command",
                    },
                },
                {"CloudWatchOutputConfig": {"CloudWatchLogGroupName": "patching", "CloudWatchOutputEnabled": True}},
                {"AlarmConfiguration": ALARM},
            ],
        ),
        ("ssm", "ListCommands"): (
            LIST | command | {"InstanceId": known.NODE},
            [{"Filters": [{"key": "Status", "value": "Success"}]}, {"NextToken": known.TOKEN}],
        ),
        ("ssm", "ListCommandInvocations"): (
            LIST | invocation,
            [
                {"Filters": [{"key": "Status", "value": "Success"}]},
                {"Details": True},
                {"NextToken": known.TOKEN},
            ],
        ),
        ("ssm", "GetCommandInvocation"): (invocation, [{"PluginName": "PatchLinux"}]),
        ("ssm", "CancelCommand"): (command, [{"InstanceIds": [known.NODE]}]),
        ("ssm", "DescribeInstanceInformation"): (
            LIST,
            [
                {"Filters": [{"Key": "PingStatus", "Values": ["Online"]}]},
                {"InstanceInformationFilterList": [{"key": "PingStatus", "valueSet": ["Online"]}]},
                {"NextToken": known.TOKEN},
            ],
        ),
        ("ssm", "DescribeInstancePatchStates"): (
            {"InstanceIds": [known.NODE]},
            [{"MaxResults": 10}, {"NextToken": known.TOKEN}],
        ),
        ("ssm", "DescribeInstancePatches"): (
            {"InstanceId": known.NODE},
            [{"MaxResults": 10, "Filters": [{"Key": "State", "Values": ["Installed"]}]}, {"NextToken": known.TOKEN}],
        ),
        ("ssm", "CreateDocument"): (
            {"Name": "Other", "Content": known.runbook("c"), "DocumentType": "Automation"},
            [
                {"DocumentFormat": "JSON", "DisplayName": "Other", "VersionName": "first"},
                {
                    "Name": "Tagged",
                    "TargetType": "/AWS::EC2::Instance",
                    "Tags": [{"Key": "Team", "Value": "ops"}],
                },
                {
                    "Name": "Requiring",
                    "Requires": [{"Name": "Made-Here", "Version": "1", "RequireType": "x", "VersionName": "first"}],
                },
                {"Attachments": [{"Key": "SourceUrl", "Values": ["s3://bucket/package"], "Name": "package"}]},
            ],
        ),
        ("ssm", "UpdateDocument"): (
            {"Name": "Made-Here", "Content": known.runbook("b")},
            [
                {
                    "DocumentFormat": "JSON",
                    "DisplayName": "Made",
                    "VersionName": "second",
                    "DocumentVersion": "$LATEST",
                },
                {"TargetType": "/"},
                {"Attachments": [{"Key": "SourceUrl", "Values": ["s3://bucket/package"], "Name": "package"}]},
            ],
        ),
        ("ssm", "DescribeDocument"): ({"Name": "Made-Here"}, [{"DocumentVersion": "1"}, {"VersionName": "first"}]),
        ("ssm", "GetDocument"): (
            {"Name": "Made-Here"},
            [{"DocumentVersion": "1"}, {"VersionName": "first"}, {"DocumentFormat": "JSON"}],
        ),
        ("ssm", "UpdateDocumentDefaultVersion"): ({"Name": "Made-Here", "DocumentVersion": "1"}, []),
        ("ssm", "ModifyDocumentPermission"): (
            SHARE,
            [{"AccountIdsToAdd": [WEB], "SharedDocumentVersion": "$DEFAULT"}, {"AccountIdsToRemove": [WEB]}],
        ),
        ("ssm", "DescribeDocumentPermission"): (SHARE, [{"MaxResults": 10}, {"NextToken": known.TOKEN}]),
        ("ssm", "ListDocuments"): (
            LIST,
            [
                {"DocumentFilterList": [{"key": "Owner", "value": "Self"}]},
                {"Filters": [{"Key": "Owner", "Values": ["Self"]}]},
                {"NextToken": known.TOKEN},
            ],
        ),
        ("ssm", "ListDocumentVersions"): ({"Name": "Made-Here"} | LIST, [{"NextToken": known.TOKEN}]),
        ("ssm", "DeleteDocument"): (
            {"Name": "Made-Here"},
            [{"DocumentVersion": "1"}, {"VersionName": "first"}, {"Force": True}],
        ),
        ("ssm", "GetCalendarState"): ({"CalendarNames": ["Freeze"]}, [{"AtTime": "2026-03-01T12:00:00Z"}]),
        ("resource-groups", "ListGroupResources"): (
            ONE_OF_OURS | LIST,
            [
                {"GroupName": "WebServers"},
                {"Filters": [{"Name": "resource-type", "Values": ["AWS::EC2::Instance"]}]},
                {"NextToken": known.TOKEN},
            ],
        ),
        ("resource-groups", "GetGroup"): (ONE_OF_OURS, [{"GroupName": "WebServers"}]),
        ("resource-groups", "GetGroupQuery"): ({"Group": "Made-Here"}, [{"GroupName": "Made-Here"}]),
        ("resource-groups", "ListGroups"): (
            LIST,
            [{"Filters": [{"Name": "resource-type", "Values": ["AWS::EC2::Instance"]}]}, {"NextToken": known.TOKEN}],
        ),
        ("resource-groups", "SearchResources"): (
            {"ResourceQuery": known.WEB_TIER} | LIST,
            [{"NextToken": known.TOKEN}],
        ),
        ("resource-groups", "CreateGroup"): (
            # A group has either a query or a configuration.
            {"Name": "Other"},
            [
                {
                    "Name": "Queried",
                    "ResourceQuery": known.WEB_TIER,
                    "Description": "others",
                    "Tags": {"Team": "ops"},
                },
                {"Name": "Critical", "Criticality": 3, "Owner": "ops", "DisplayName": "Others"},
                {
                    "Name": "Configured",
                    "Configuration": [
                        {
                            "Type": "AWS::ResourceGroups::Generic",
                            "Parameters": [{"Name": "allowed-resource-types", "Values": ["AWS::EC2::Host"]}],
                        }
                    ],
                },
            ],
        ),
        ("resource-groups", "DeleteGroup"): ({"Group": "Made-Here"}, [{"GroupName": "Made-Here"}]),
        ("sts", "AssumeRole"): (
            {"RoleArn": f"arn:aws:iam::{WEB}:role/{ROLE}", "RoleSessionName": "conformance"},
            [
                {"DurationSeconds": 900, "ExternalId": "any"},
                {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]},
                {"Policy": json.dumps({"Version": "2012-10-17", "Statement": []})},
                {"Tags": [{"Key": "Team", "Value": "ops"}], "TransitiveTagKeys": ["Team"]},
                {"SerialNumber": "GAHT12345678", "TokenCode": "123456"},
                {"SourceIdentity": "somebody"},
                {
                    "ProvidedContexts": [
                        {"ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter", "ContextAssertion": "abcdef"}
                    ]
                },
                {"MinimumSessionTokenSize": 4096},
            ],
        ),
        ("sts", "GetCallerIdentity"): ({}, []),
        ("organizations", "DescribeOrganization"): ({}, []),
        ("organizations", "ListRoots"): ({"MaxResults": 20}, [{"NextToken": known.TOKEN}]),
        ("organizations", "ListAccounts"): ({"MaxResults": 20}, [{"NextToken": known.TOKEN}]),
        ("organizations", "ListAccountsForParent"): (ROOT, [{"MaxResults": 20}, {"NextToken": known.TOKEN}]),
        ("organizations", "ListOrganizationalUnitsForParent"): (
            ROOT,
            [{"MaxResults": 20}, {"NextToken": known.TOKEN}],
        ),
        ("organizations", "ListChildren"): (
            ROOT | {"ChildType": "ACCOUNT"},
            [{"MaxResults": 20}, {"NextToken": known.TOKEN}],
        ),
        ("organizations", "DescribeAccount"): ({"AccountId": WEB}, []),
        ("organizations", "ListTagsForResource"): ({"ResourceId": WEB}, [{"NextToken": known.TOKEN}]),
        ("organizations", "DescribeOrganizationalUnit"): ({"OrganizationalUnitId": "ou-cf01-workload"}, []),
        ("account", "ListRegions"): (
            LIST,
            [{"AccountId": WEB, "RegionOptStatusContains": ["ENABLED"]}, {"NextToken": known.TOKEN}],
        ),
        ("account", "GetRegionOptStatus"): ({"RegionName": HOME}, [{"AccountId": WEB}]),
    }


def whole(entry):
    """An input with every member that it may have, whether or not they go together."""
    base, additions = entry
    return base | {key: value for addition in additions for key, value in addition.items()}


def method(client, operation):
    """A client's method for an operation."""
    methods = {api: name for name, api in client.meta.method_to_api_mapping.items()}
    return getattr(client, methods[operation])


def shape_of(service, operation):
    """The shape of an operation's input."""
    return model.service(service).operation_model(operation).input_shape
