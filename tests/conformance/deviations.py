"""Where AWS's real answers are known to differ from AWS's own model.

By service and shape: whether a value is one of those, and why it is right all the same. What stands
here is passed by the checks of answers; a row that no answer needed is reported as unused.
"""

import re

# 2020-08-27T21:13:17.109Z, PT0.091S, or nothing before it has begun.
TIME_AS_TEXT = re.compile(
    r"|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z"
    r"|PT(?=\d)(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?"
)
PATCH_STATES = [
    "Failed",
    "Installed",
    "InstalledOther",
    "InstalledPendingReboot",
    "InstalledRejected",
    "Missing",
    "NotApplicable",
]

KNOWN = {
    ("ssm", "PatchComplianceDataState"): (
        lambda value: value in PATCH_STATES,
        "the model has INSTALLED_OTHER, real output and filters have InstalledOther (AWS CLI examples)",
    ),
    ("ssm", "StringDateTime"): (
        lambda value: isinstance(value, str) and TIME_AS_TEXT.fullmatch(value) is not None,
        "the model's pattern has lost its plus signs: no time with milliseconds, and no duration, has it",
    ),
    ("ssm", "AutomationParameterValue"): (
        lambda value: value == "" or len(value) > 512,
        'the model has 1 to 512 characters, real output repeats an empty parameter as [""] (AWS CLI examples), and '
        "a step's Output is what a node wrote",
    ),
    ("ssm", "AutomationParameterMap"): (
        lambda value: value == {},
        "the model has at least one entry, real output has Outputs {} where there are none (AWS CLI examples)",
    ),
    ("ssm", "NotificationType"): (
        lambda value: value == "",
        'the model has two values, a command without notifications has "" (recorded)',
    ),
    ("ssm", "CloudWatchLogGroupName"): (
        lambda value: value == "",
        'the model has 1 character at least, a command without a log group has "" (recorded)',
    ),
    ("ssm", "S3BucketName"): (
        lambda value: value == "",
        'the model has 3 characters at least, a command without a bucket has "" (recorded)',
    ),
    ("ssm", "S3Region"): (
        lambda value: value == "",
        'the model has 3 characters at least, a step that has not run has "" (recorded)',
    ),
    ("ssm", "AlarmList"): (
        lambda value: value == [],
        "the model has one alarm at least, a command without alarms has [] (recorded)",
    ),
    ("ssm", "AlarmStateInformationList"): (
        lambda value: value == [],
        "the model has one alarm at least, a command without alarms has [] (recorded)",
    ),
    ("ssm", "PatchGroup"): (
        lambda value: value == "",
        'the model has 1 character at least, real output has "" for what is absent (AWS CLI examples)',
    ),
    ("ssm", "OwnerInformation"): (
        lambda value: value == "",
        'the model has 1 character at least, real output has "" (AWS CLI examples)',
    ),
}


def of_service(service):
    """The tests of a service's shapes."""
    return {shape: known for (owner, shape), (known, _) in KNOWN.items() if owner == service}
