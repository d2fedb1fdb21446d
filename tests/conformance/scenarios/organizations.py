"""The organization's tree, and what is known of its accounts."""

from clients import HOME, MAIN, WEB
from known import TOKEN, every_page
from registry import refused, scenario

ROOT, WORK, PROD, EMPTY = "r-cf01", "ou-cf01-workload", "ou-cf01-prodprod", "ou-cf01-empty000"


@scenario()
def the_tree_is_walked(stage):
    org = stage.client("organizations")
    assert org.describe_organization()["Organization"]["MasterAccountId"] == MAIN
    assert [one["Id"] for one in org.list_roots(MaxResults=20)["Roots"]] == [ROOT]
    accounts, pages = every_page(org.list_accounts, "Accounts", MaxResults=2)
    assert len(accounts) == 4 and pages >= 2, accounts
    units, _ = every_page(org.list_organizational_units_for_parent, "OrganizationalUnits", ParentId=ROOT, MaxResults=1)
    assert sorted(one["Id"] for one in units) == sorted([WORK, EMPTY]), units
    for parent, wanted in [(ROOT, [MAIN]), (WORK, ["333344445555", "444455556666"]), (PROD, [WEB]), (EMPTY, [])]:
        direct, _ = every_page(org.list_accounts_for_parent, "Accounts", ParentId=parent, MaxResults=1)
        assert [one["Id"] for one in direct] == wanted, (parent, direct)
        children, _ = every_page(org.list_children, "Children", ParentId=parent, ChildType="ACCOUNT", MaxResults=1)
        assert [one["Id"] for one in children] == wanted, (parent, children)
    below = org.list_children(ParentId=WORK, ChildType="ORGANIZATIONAL_UNIT")["Children"]
    assert below == [{"Id": PROD, "Type": "ORGANIZATIONAL_UNIT"}], below
    assert org.describe_account(AccountId="444455556666")["Account"]["State"] == "SUSPENDED"
    assert org.describe_organizational_unit(OrganizationalUnitId=PROD)["OrganizationalUnit"]["Name"] == "Prod"


@scenario()
def accounts_have_tags(stage):
    org = stage.client("organizations")
    tags, pages = every_page(org.list_tags_for_resource, "Tags", ResourceId=WEB)
    assert tags == [{"Key": "Stage", "Value": "canary"}, {"Key": "Team", "Value": ""}] and pages == 1, tags
    many, pages = every_page(org.list_tags_for_resource, "Tags", ResourceId="333344445555")
    assert len(many) == 21 and pages == 2, many
    for untagged in [MAIN, ROOT, PROD]:
        assert org.list_tags_for_resource(ResourceId=untagged)["Tags"] == [], untagged


@scenario(
    arises=[
        f"organizations.{operation}.AccessDeniedException"
        for operation in [
            "DescribeAccount",
            "DescribeOrganizationalUnit",
            "ListAccounts",
            "ListAccountsForParent",
            "ListChildren",
            "ListOrganizationalUnitsForParent",
            "ListRoots",
            "ListTagsForResource",
        ]
    ]
)
def members_may_not_ask(stage):
    org = stage.client("organizations", HOME, WEB)
    denied = "AccessDeniedException"
    assert org.describe_organization()["Organization"]["MasterAccountId"] == MAIN
    refused(denied, org.list_roots)
    refused(denied, org.list_accounts)
    refused(denied, org.list_accounts_for_parent, ParentId=ROOT)
    refused(denied, org.list_organizational_units_for_parent, ParentId=ROOT)
    refused(denied, org.list_children, ParentId=ROOT, ChildType="ACCOUNT")
    refused(denied, org.describe_account, AccountId=WEB)
    refused(denied, org.describe_organizational_unit, OrganizationalUnitId=PROD)
    refused(denied, org.list_tags_for_resource, ResourceId=WEB)


@scenario(
    arises=[
        "organizations.ListAccountsForParent.ParentNotFoundException",
        "organizations.ListOrganizationalUnitsForParent.ParentNotFoundException",
        "organizations.ListChildren.ParentNotFoundException",
        "organizations.DescribeAccount.AccountNotFoundException",
        "organizations.DescribeOrganizationalUnit.OrganizationalUnitNotFoundException",
        "organizations.ListTagsForResource.TargetNotFoundException",
    ]
)
def what_is_not_there_is_not_found(stage):
    org = stage.client("organizations")
    nowhere = {"ParentId": "ou-cf01-nowhere0"}
    refused("ParentNotFoundException", org.list_accounts_for_parent, **nowhere)
    refused("ParentNotFoundException", org.list_organizational_units_for_parent, **nowhere)
    refused("ParentNotFoundException", org.list_children, ChildType="ACCOUNT", **nowhere)
    refused("AccountNotFoundException", org.describe_account, AccountId="000000000000")
    unit = {"OrganizationalUnitId": "ou-cf01-nowhere0"}
    refused("OrganizationalUnitNotFoundException", org.describe_organizational_unit, **unit)
    for nothing in ["000000000000", "ou-cf01-nowhere0", "p-12abcdefg3"]:
        refused("TargetNotFoundException", org.list_tags_for_resource, ResourceId=nothing)


@scenario(
    arises=[
        f"organizations.{operation}.InvalidInputException"
        for operation in [
            "DescribeAccount",
            "DescribeOrganizationalUnit",
            "ListAccounts",
            "ListAccountsForParent",
            "ListChildren",
            "ListOrganizationalUnitsForParent",
            "ListRoots",
            "ListTagsForResource",
        ]
    ]
)
def invalid_inputs_have_a_reason(stage):
    org = stage.client("organizations")
    for call, more in [
        (org.list_roots, {}),
        (org.list_accounts, {}),
        (org.list_accounts_for_parent, {"ParentId": ROOT}),
        (org.list_organizational_units_for_parent, {"ParentId": ROOT}),
        (org.list_children, {"ParentId": ROOT, "ChildType": "ACCOUNT"}),
        (org.list_tags_for_resource, {"ResourceId": WEB}),
    ]:
        answer = refused("InvalidInputException", call, NextToken=TOKEN, **more)
        assert answer["Reason"] == "INVALID_NEXT_TOKEN", answer
    for call, wrong in [
        (org.list_accounts_for_parent, {"ParentId": "x"}),
        (org.describe_account, {"AccountId": "12"}),
        (org.describe_organizational_unit, {"OrganizationalUnitId": "ou"}),
        (org.list_tags_for_resource, {"ResourceId": "12"}),
    ]:
        answer = refused("InvalidInputException", call, **wrong)
        assert answer["Reason"], answer


@scenario(
    "alone",
    arises=[
        f"organizations.{operation}.AWSOrganizationsNotInUseException"
        for operation in [
            "DescribeAccount",
            "DescribeOrganization",
            "DescribeOrganizationalUnit",
            "ListAccounts",
            "ListAccountsForParent",
            "ListChildren",
            "ListOrganizationalUnitsForParent",
            "ListRoots",
            "ListTagsForResource",
        ]
    ],
)
def an_account_may_be_alone(stage):
    org = stage.client("organizations")
    none = "AWSOrganizationsNotInUseException"
    refused(none, org.describe_organization)
    refused(none, org.list_roots)
    refused(none, org.list_accounts)
    refused(none, org.list_accounts_for_parent, ParentId=ROOT)
    refused(none, org.list_organizational_units_for_parent, ParentId=ROOT)
    refused(none, org.list_children, ParentId=ROOT, ChildType="ACCOUNT")
    refused(none, org.describe_account, AccountId=MAIN)
    refused(none, org.describe_organizational_unit, OrganizationalUnitId=PROD)
    refused(none, org.list_tags_for_resource, ResourceId=MAIN)
