"""What a caller may not do, how often, and what nobody can: denied actions, rates of calls, operations
that are not there."""

import coverage
import good
from clients import HOME, MAIN, WEB, Clients
from registry import refused, scenario

DENIED = {
    "ssm": "AccessDeniedException",
    "resource-groups": "AccessDeniedException",
    "organizations": "AccessDeniedException",
    "account": "AccessDeniedException",
    "sts": "AccessDenied",
}
THROTTLED = {
    "ssm": "ThrottlingException",
    "resource-groups": "TooManyRequestsException",
    "organizations": "TooManyRequestsException",
    "account": "TooManyRequestsException",
    "sts": "Throttling",
}
NOTHING = {"execution": "00000000-0000-4000-8000-000000000000", "command": "00000000-0000-4000-8000-000000000000"}


def of(codes):
    """The errors that the models list for operations of these services under these codes."""
    every = coverage.modelled_errors(good.inputs(NOTHING))
    return [".".join(error) for error in every if error[2] == codes[error[0]]]


def present(stage):
    """The operations that there are, with an input of each that is right."""
    inputs = good.inputs(NOTHING)
    return [(one, inputs[one][0]) for one in sorted(stage.simulator.operations()) if one in inputs]


@scenario("limits", arises=of(DENIED))
def a_role_without_permission_may_do_nothing(stage):
    for (service, operation), arguments in present(stage):
        if operation != "GetCallerIdentity":
            refused(DENIED[service], good.method(stage.client(service, HOME, WEB), operation), **arguments)


@scenario("limits", arises=of(THROTTLED))
def calls_have_a_rate(stage):
    for (service, operation), arguments in present(stage):
        call = good.method(stage.client(service, "us-west-2", MAIN), operation)
        try:
            call(**arguments)
        except call.__self__.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] != THROTTLED[service], operation
        refused(THROTTLED[service], call, **arguments)


@scenario()
def an_operation_that_is_not_there_is_unknown(stage):
    for service, operation, code in [
        ("ssm", "ListAssociations", "UnknownOperationException"),
        ("organizations", "ListHandshakesForAccount", "UnknownOperationException"),
        ("resource-groups", "GetAccountSettings", "UnknownOperationException"),
        ("account", "GetContactInformation", "UnknownOperationException"),
        ("sts", "GetSessionToken", "InvalidAction"),
    ]:
        told = refused(code, good.method(stage.client(service), operation))["Error"]["Message"]
        assert f"does not simulate {service}:{operation}." in told, told


@scenario()
def a_service_that_is_not_there_is_named(stage):
    # The proxy has no model of these services to hold an answer to.
    past = Clients(stage.simulator.own)
    for service, operation, code, named in [
        ("dynamodb", "ListTables", "UnknownOperationException", "DynamoDB_20120810.ListTables"),
        ("iam", "ListUsers", "InvalidAction", "ListUsers of version 2010-05-08"),
        ("lambda", "ListFunctions", "UnknownOperationException", "GET /2015-03-31/functions"),
    ]:
        told = refused(code, good.method(past.client(service), operation))["Error"]["Message"]
        assert f"does not simulate {named}" in told, told
