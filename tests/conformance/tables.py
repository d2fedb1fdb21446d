"""What a world cannot bring about, with the reason: errors that come only as injected faults, and
members that are never on the wire. A row that is not true any more fails the check."""

OF_ITSELF = "the service's own failure: nothing in a world causes it"
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
    "ssm.ListCommands.InvalidFilterKey": BY_THE_MODEL,
    "ssm.ModifyDocumentPermission.InvalidPermissionType": BY_THE_MODEL,
    "ssm.DescribeDocumentPermission.InvalidPermissionType": BY_THE_MODEL,
    "ssm.CreateDocument.NoLongerSupportedException": "no feature of documents is retired in a world",
    "ssm.DeleteDocument.AssociatedInstances": "a world has no State Manager associations",
    "resource-groups.*.MethodNotAllowedException": METHOD,
    "resource-groups.*.UnauthorizedException": "without credentials a call is answered MissingAuthenticationTokenException",
    "sts.AssumeRole.ExpiredTokenException": "this is of a web identity's token; a session that has ended is ExpiredToken",
    "organizations.DescribeOrganization.ConcurrentModificationException": "nothing modifies the organization",
}

# Why, and which: `service.Structure.Member`, `service.*.Member` or `service.Structure.*`.
NOT_SENT = {}

NOT_SHOWN = {}
