"""What a world cannot bring about, with the reason: errors that come only as injected faults, and
members that are never on the wire. A row that is not true any more fails the check."""

OF_ITSELF = "the service's own failure: nothing in a world causes it"
NO_INVOCATION = "InvocationDoesNotExist is that a command ID and a managed node ID matched no invocation"
BY_THE_MODEL = "the model's enum has every key or type; others are refused by it, as ValidationException"
METHOD = "no route has another method that a client would use"

# `service.Operation.Code`, or `service.*.Code` for every operation of a service that has it.
FAULT_ONLY = {
    "ssm.*.InternalServerError": OF_ITSELF,
    "resource-groups.*.InternalServerErrorException": OF_ITSELF,
    "organizations.*.ServiceException": OF_ITSELF,
    "account.*.InternalServerException": OF_ITSELF,
    "ssm.DescribeAutomationExecutions.InvalidFilterKey": BY_THE_MODEL,
    "ssm.DescribeAutomationStepExecutions.InvalidFilterKey": BY_THE_MODEL,
    "ssm.DescribeInstanceInformation.InvalidFilterKey": "recorded: an unknown key is a ValidationException",
    "ssm.ListCommands.InvalidCommandId": "recorded: an unknown id finds nothing",
    "ssm.ListCommandInvocations.InvalidCommandId": "recorded: an unknown id finds nothing",
    "ssm.ListCommands.InvalidFilterKey": BY_THE_MODEL,
    "ssm.GetCommandInvocation.InvalidCommandId": NO_INVOCATION,
    "ssm.GetCommandInvocation.InvalidInstanceId": NO_INVOCATION,
    "ssm.ModifyDocumentPermission.InvalidPermissionType": BY_THE_MODEL,
    "ssm.DescribeDocumentPermission.InvalidPermissionType": BY_THE_MODEL,
    "ssm.CreateDocument.TooManyUpdates": "a name that is taken is DocumentAlreadyExists",
    "ssm.UpdateDocumentDefaultVersion.InvalidDocumentSchemaVersion": "no wrong schema gets into a document",
    "ssm.ModifyDocumentPermission.DocumentLimitExceeded": "the limit of sharing is DocumentPermissionLimit",
    "ssm.CreateDocument.NoLongerSupportedException": "no feature of documents is retired in a world",
    "ssm.DeleteDocument.AssociatedInstances": "a world has no State Manager associations",
    "resource-groups.*.MethodNotAllowedException": METHOD,
    "resource-groups.*.UnauthorizedException": "a call without credentials is MissingAuthenticationTokenException",
    "resource-groups.*.ForbiddenException": "of groups that a service manages, which no world has",
    "sts.AssumeRole.RegionDisabledException": "recorded: in a Region that is not enabled the key is not known",
    "sts.AssumeRole.ExpiredTokenException": "of a web identity's token; a session that has ended is ExpiredToken",
    "organizations.DescribeOrganization.ConcurrentModificationException": "nothing modifies the organization",
}

# Why, and which: `service.Structure.Member`, `service.*.Member` or `service.Structure.*`.
NOT_SENT = {}

NOT_SHOWN = {
    "of CloudWatch alarms of steps and of target locations, which are refused": [
        "ssm.StepExecution.TriggeredAlarms",
        "ssm.*.TargetLocationAlarmConfiguration",
    ],
    "of Change Manager, OpsCenter and State Manager, which are not simulated": [
        "ssm.*.AssociationId",
        "ssm.*.AutomationSubtype",
        "ssm.*.ChangeRequestName",
        "ssm.*.OpsItemId",
        "ssm.*.Runbooks",
        "ssm.*.ScheduledTime",
        "ssm.Runbook.*",
    ],
    "of loops in a runbook, whose action is not simulated": ["ssm.*.ParentStepDetails", "ssm.ParentStepDetails.*"],
    "a document's attachments, with which it is refused": [
        "ssm.*.AttachmentsContent",
        "ssm.*.AttachmentsInformation",
        "ssm.AttachmentContent.*",
        "ssm.AttachmentInformation.*",
    ],
    "of reviews in Change Manager": [
        "ssm.*.ApprovedVersion",
        "ssm.*.PendingReviewVersion",
        "ssm.*.ReviewInformation",
        "ssm.*.ReviewStatus",
        "ssm.ReviewInformation.*",
    ],
    "of documents that AWS or a partner publishes": ["ssm.*.Author", "ssm.*.Category", "ssm.*.CategoryEnum"],
    "deprecated for Hash": ["ssm.DocumentDescription.Sha1"],
    "of starts with a list of locations in S3, which are refused": ["ssm.*.TargetLocationsURL"],
    "of variables in a runbook, whose action is not simulated": ["ssm.AutomationExecution.Variables"],
    "recorded: it is never there": ["ssm.CommandInvocation.TraceOutput", "ssm.StepExecution.ResponseCode"],
    "no document says when it is there, or what stands in it": [
        "ssm.*.WarningMessage",
        "ssm.FailureDetails.Details",
        "ssm.StepExecution.Response",
        "sts.AssumeRoleResponse.SessionTokenSize",
        "sts.AssumeRoleResponse.SessionTokenUtilization",
    ],
    "why a document could not be made, which does not happen": ["ssm.*.StatusInformation"],
    "of AWS IoT things as nodes": ["ssm.InstanceInformation.SourceLocation"],
    "of configurations that are not yet, or could not be, a group's; here they are at once": [
        "resource-groups.GroupConfiguration.FailureReason",
        "resource-groups.GroupConfiguration.ProposedConfiguration",
    ],
    "of members that GroupResources puts into a group, an operation that is not simulated": [
        "resource-groups.ListGroupResourcesItem.Status",
        "resource-groups.ResourceStatus.*",
    ],
    "of applications in myApplications": ["resource-groups.Group.ApplicationTag"],
}
