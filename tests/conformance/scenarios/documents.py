"""Documents: made, read, changed, shared and deleted; and change calendars."""

from clients import HOME, MAIN, SHOP, WEB
from known import TOKEN, every_page, make, runbook
from registry import refused, scenario


@scenario()
def a_document_lives(stage):
    ssm = stage.client("ssm")
    made = make(
        stage,
        VersionName="first",
        DisplayName="Made here",
        TargetType="/AWS::EC2::Instance",
        Tags=[{"Key": "Team", "Value": "ops"}],
        Content=runbook(parameters={"Who": {"type": "String", "default": "us", "description": "by whom"}}),
    )
    assert made["DocumentVersion"] == "1", made
    stage.advance(60)
    step = '{name: wait, action: "aws:sleep", inputs: {Duration: PT1M}}'
    yaml = f'schemaVersion: "0.3"\ndescription: b\nmainSteps:\n  - {step}\n'
    changed = ssm.update_document(
        Name="Made-Here", Content=yaml, DocumentFormat="YAML", DocumentVersion="$LATEST", VersionName="second"
    )["DocumentDescription"]
    assert (changed["LatestVersion"], changed["DefaultVersion"]) == ("2", "1"), changed
    stage.advance(60)
    for version, number in [("$LATEST", "2"), ("$DEFAULT", "1"), ("2", "2")]:
        assert ssm.describe_document(Name="Made-Here", DocumentVersion=version)["Document"]["DocumentVersion"] == number
    assert ssm.get_document(Name="Made-Here", VersionName="second", DocumentFormat="YAML")["Content"] == yaml
    assert ssm.describe_document(Name="Made-Here", VersionName="first")["Document"]["DocumentVersion"] == "1"
    ssm.update_document_default_version(Name="Made-Here", DocumentVersion="2")
    assert ssm.get_document(Name="Made-Here")["DocumentVersion"] == "2"
    versions, pages = every_page(ssm.list_document_versions, "DocumentVersions", Name="Made-Here", MaxResults=1)
    assert (len(versions), pages) == (2, 2), versions
    assert [one["DocumentVersion"] for one in versions if one["IsDefaultVersion"]] == ["2"], versions
    for filters in [
        [{"Key": "Owner", "Values": ["Self"]}, {"Key": "DocumentType", "Values": ["Automation"]}],
        [{"Key": "Name", "Values": ["Made"]}],
        [{"Key": "tag:Team", "Values": ["ops"]}],
    ]:
        listed, _ = every_page(ssm.list_documents, "DocumentIdentifiers", Filters=filters, MaxResults=1)
        assert "Made-Here" in [one["Name"] for one in listed], (filters, listed)
    ssm.list_documents(DocumentFilterList=[{"key": "Owner", "value": "Self"}])
    ssm.delete_document(Name="Made-Here")
    refused("InvalidDocument", ssm.describe_document, Name="Made-Here")


@scenario()
def a_document_shows_what_it_requires(stage):
    ssm = stage.client("ssm")
    requires = [{"Name": "Made-Here", "Version": "1", "RequireType": "runbook", "VersionName": "first"}]
    make(stage, VersionName="first")
    assert make(stage, "Requiring", Requires=requires)["Requires"] == requires
    assert ssm.describe_document(Name="Requiring")["Document"]["Requires"] == requires
    assert ssm.get_document(Name="Requiring")["Requires"] == requires
    listed = ssm.list_documents(Filters=[{"Key": "Name", "Values": ["Requiring"]}])["DocumentIdentifiers"]
    assert [one["Requires"] for one in listed] == [requires], listed
    assert "Requires" not in ssm.get_document(Name="Made-Here")


@scenario(
    arises=[
        f"ssm.{operation}.InvalidDocument"
        for operation in [
            "UpdateDocument",
            "DescribeDocument",
            "GetDocument",
            "UpdateDocumentDefaultVersion",
            "ModifyDocumentPermission",
            "DescribeDocumentPermission",
            "ListDocumentVersions",
            "DeleteDocument",
            "GetCalendarState",
        ]
    ]
)
def a_document_is_known_in_its_own_place_alone(stage):
    make(stage)
    for account, region, name in [
        (MAIN, HOME, "Nobody-Wrote-This"),
        (WEB, HOME, "Made-Here"),
        (MAIN, "us-west-2", "Made-Here"),
    ]:
        ssm = stage.client("ssm", region, account)
        missing = "InvalidDocument"
        refused(missing, ssm.update_document, Name=name, Content=runbook("b"))
        refused(missing, ssm.describe_document, Name=name)
        refused(missing, ssm.get_document, Name=name)
        refused(missing, ssm.update_document_default_version, Name=name, DocumentVersion="1")
        refused(missing, ssm.modify_document_permission, Name=name, PermissionType="Share", AccountIdsToAdd=[SHOP])
        refused(missing, ssm.describe_document_permission, Name=name, PermissionType="Share")
        refused(missing, ssm.list_document_versions, Name=name)
        refused(missing, ssm.delete_document, Name=name)
        refused(missing, ssm.get_calendar_state, CalendarNames=[name])


@scenario(
    arises=[
        "ssm.CreateDocument.DocumentAlreadyExists",
        "ssm.CreateDocument.InvalidDocumentContent",
        "ssm.CreateDocument.InvalidDocumentSchemaVersion",
        "ssm.CreateDocument.MaxDocumentSizeExceeded",
        "ssm.UpdateDocument.DuplicateDocumentContent",
        "ssm.UpdateDocument.DuplicateDocumentVersionName",
        "ssm.UpdateDocument.InvalidDocumentContent",
        "ssm.UpdateDocument.InvalidDocumentSchemaVersion",
        "ssm.UpdateDocument.InvalidDocumentVersion",
        "ssm.UpdateDocument.MaxDocumentSizeExceeded",
        "ssm.DescribeDocument.InvalidDocumentVersion",
        "ssm.GetDocument.InvalidDocumentVersion",
        "ssm.UpdateDocumentDefaultVersion.InvalidDocumentVersion",
    ]
)
def changes_of_documents_are_refused(stage):
    ssm = stage.client("ssm")
    make(stage, VersionName="first")
    create = {"Name": "Other", "DocumentType": "Automation", "DocumentFormat": "JSON"}
    update = {"Name": "Made-Here", "DocumentFormat": "JSON", "DocumentVersion": "$LATEST"}
    refused("DocumentAlreadyExists", ssm.create_document, **create | {"Name": "Made-Here", "Content": runbook()})
    for call, arguments in [(ssm.create_document, create), (ssm.update_document, update)]:
        refused("InvalidDocumentContent", call, Content="{", **arguments)
        refused("InvalidDocumentContent", call, Content='{"schemaVersion": "0.3", "mainSteps": []}', **arguments)
        refused("InvalidDocumentSchemaVersion", call, Content=runbook(schemaVersion="7.0"), **arguments)
        refused("MaxDocumentSizeExceeded", call, Content=runbook("x" * 65536), **arguments)
    refused("DuplicateDocumentContent", ssm.update_document, Content=runbook(), **update)
    refused("DuplicateDocumentVersionName", ssm.update_document, Content=runbook("b"), VersionName="first", **update)
    refused("InvalidDocumentVersion", ssm.update_document, Content=runbook("b"), **update | {"DocumentVersion": "9"})
    refused("InvalidDocumentVersion", ssm.describe_document, Name="Made-Here", DocumentVersion="9")
    refused("InvalidDocumentVersion", ssm.get_document, Name="Made-Here", DocumentVersion="9")
    refused("InvalidDocumentVersion", ssm.update_document_default_version, Name="Made-Here", DocumentVersion="9")


@scenario(arises=["ssm.DescribeDocumentPermission.InvalidDocumentOperation"])
def a_document_is_shared(stage):
    ssm = stage.client("ssm")
    make(stage)
    ssm.modify_document_permission(
        Name="Made-Here", PermissionType="Share", AccountIdsToAdd=[SHOP, WEB], SharedDocumentVersion="$LATEST"
    )
    with_whom, pages = every_page(
        ssm.describe_document_permission, "AccountIds", Name="Made-Here", PermissionType="Share", MaxResults=1
    )
    assert (sorted(with_whom), pages) == ([WEB, SHOP], 2), (with_whom, pages)
    there = stage.client("ssm", HOME, WEB)
    arn = f"arn:aws:ssm:{HOME}:{MAIN}:document/Made-Here"
    assert there.get_document(Name=arn)["Content"] == runbook()
    amazons = {"Name": "AWS-RunPatchBaseline", "PermissionType": "Share"}
    refused("InvalidDocumentOperation", there.describe_document_permission, **amazons)
    ssm.modify_document_permission(Name="Made-Here", PermissionType="Share", AccountIdsToRemove=[WEB])
    assert ssm.describe_document_permission(Name="Made-Here", PermissionType="Share")["AccountIds"] == [SHOP]
    refused("InvalidDocument", there.get_document, Name=arn)


@scenario(
    arises=[
        "ssm.ListDocuments.InvalidFilterKey",
        "ssm.ListDocuments.InvalidNextToken",
        "ssm.ListDocumentVersions.InvalidNextToken",
        "ssm.DescribeDocumentPermission.InvalidNextToken",
        "ssm.DeleteDocument.InvalidDocumentOperation",
    ]
)
def listings_of_documents_refuse(stage):
    ssm = stage.client("ssm")
    make(stage)
    refused("InvalidFilterKey", ssm.list_documents, Filters=[{"Key": "Surprise", "Values": ["x"]}])
    refused("InvalidNextToken", ssm.list_documents, NextToken=TOKEN)
    refused("InvalidNextToken", ssm.list_document_versions, Name="Made-Here", NextToken=TOKEN)
    refused(
        "InvalidNextToken", ssm.describe_document_permission, Name="Made-Here", PermissionType="Share", NextToken=TOKEN
    )
    ssm.modify_document_permission(Name="Made-Here", PermissionType="Share", AccountIdsToAdd=[WEB])
    refused("InvalidDocumentOperation", ssm.delete_document, Name="Made-Here")


@scenario(arises=["ssm.GetCalendarState.InvalidDocumentType", "ssm.GetCalendarState.UnsupportedCalendarException"])
def calendars_are_open_or_closed(stage):
    ssm = stage.client("ssm")
    assert ssm.get_calendar_state(CalendarNames=["Freeze"])["State"] == "OPEN"
    closed = ssm.get_calendar_state(CalendarNames=["Freeze"], AtTime="2026-04-01T00:00:00Z")
    assert (closed["State"], closed["NextTransitionTime"]) == ("CLOSED", "2026-04-02T06:00:00Z"), closed
    refused("InvalidDocumentType", ssm.get_calendar_state, CalendarNames=["Fleet-Patch"])
    freeze = ssm.get_document(Name="Freeze")["Content"]
    foreign = freeze.replace("DTSTART:20260331T180000Z", "DTSTART:20260331T180000Z\nRRULE:FREQ=SOMETIMES")
    ssm.create_document(Name="Foreign", Content=foreign, DocumentType="ChangeCalendar", DocumentFormat="TEXT")
    refused("UnsupportedCalendarException", ssm.get_calendar_state, CalendarNames=["Foreign"])


@scenario(
    "narrow",
    arises=[
        "ssm.CreateDocument.DocumentLimitExceeded",
        "ssm.UpdateDocument.DocumentVersionLimitExceeded",
        "ssm.UpdateDocument.InvalidDocumentOperation",
        "ssm.ModifyDocumentPermission.DocumentPermissionLimit",
        "ssm.DeleteDocument.TooManyUpdates",
    ],
)
def quotas_of_documents(stage):
    ssm = stage.client("ssm")
    make(stage)
    refused("TooManyUpdates", ssm.delete_document, Name="Made-Here")
    refused("InvalidDocumentOperation", ssm.update_document, Name="Made-Here", Content=runbook("b"))
    stage.advance(60)
    refused("DocumentLimitExceeded", ssm.create_document, Name="Other", Content=runbook(), DocumentType="Automation")
    ssm.update_document(Name="Made-Here", Content=runbook("b"), DocumentVersion="$LATEST")
    stage.advance(60)
    refused("DocumentVersionLimitExceeded", ssm.update_document, Name="Made-Here", DocumentVersion="$LATEST", Content=runbook("c"))
    share = {"Name": "Made-Here", "PermissionType": "Share"}
    refused("DocumentPermissionLimit", ssm.modify_document_permission, AccountIdsToAdd=[WEB, SHOP], **share)
