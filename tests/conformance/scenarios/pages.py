"""Listings whose pages are short or empty still give every entry once."""

from clients import HOME, MAIN, SHOP, WEB
from known import WEB_TIER, every_page
from registry import scenario


@scenario("short")
def every_listing_comes_to_its_end(stage):
    org, rg, ssm = (stage.client(name) for name in ("organizations", "resource-groups", "ssm"))
    ids = [one["InstanceId"] for one in every_page(ssm.describe_instance_information, "InstanceInformationList")[0]]
    place = [{"Accounts": [MAIN, WEB, SHOP], "Regions": [HOME, "us-west-2"], "TargetLocationMaxConcurrency": "9"}]
    execution = ssm.start_automation_execution(DocumentName="Wait", TargetLocations=place)["AutomationExecutionId"]
    scan = {"DocumentName": "AWS-RunPatchBaseline", "Parameters": {"Operation": ["Scan"]}}
    commands = [ssm.send_command(InstanceIds=ids, **scan)["Command"]["CommandId"] for _ in range(3)]
    stage.advance(7200)
    work = {"ParentId": "ou-sp01-workload"}
    share = {"Name": "Wait", "PermissionType": "Share"}
    listings = [
        (org.list_roots, "Roots", 1, {}),
        (org.list_accounts, "Accounts", 3, {}),
        (org.list_accounts_for_parent, "Accounts", 2, work),
        (org.list_organizational_units_for_parent, "OrganizationalUnits", 2, {"ParentId": "r-sp01"}),
        (org.list_children, "Children", 2, work | {"ChildType": "ACCOUNT"}),
        (stage.client("account").list_regions, "Regions", 3, {}),
        (rg.list_group_resources, "Resources", 12, {"Group": "WebServers"}),
        (rg.search_resources, "ResourceIdentifiers", 12, {"ResourceQuery": WEB_TIER}),
        (rg.list_groups, "GroupIdentifiers", 1, {}),
        (ssm.describe_automation_executions, "AutomationExecutionMetadataList", 2, {}),
        (ssm.describe_automation_step_executions, "StepExecutions", 6, {"AutomationExecutionId": execution}),
        (ssm.list_commands, "Commands", 3, {}),
        (ssm.list_command_invocations, "CommandInvocations", 12, {"CommandId": commands[0]}),
        (ssm.describe_instance_patch_states, "InstancePatchStates", 12, {"InstanceIds": ids}),
        (ssm.list_document_versions, "DocumentVersions", 1, {"Name": "Wait"}),
        (ssm.list_documents, "DocumentIdentifiers", 1, {"Filters": [{"Key": "Owner", "Values": ["Self"]}]}),
        (ssm.describe_document_permission, "AccountIds", 2, share),
    ]
    pages = 0
    for call, key, count, arguments in listings:
        entries, there = every_page(call, key, **arguments)
        names = {str(one) for one in entries}
        assert len(entries) == len(names) == count, (call.__name__, count, entries)
        pages += there
    assert pages > len(listings), pages
