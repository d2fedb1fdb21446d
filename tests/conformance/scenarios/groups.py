"""Resource groups: listing, reading, searching, making and deleting them."""

from clients import HOME, MAIN, WEB
from known import TOKEN, WEB_TIER, every_page
from registry import refused, scenario


@scenario()
def members_are_listed(stage):
    rg = stage.client("resource-groups")
    arn = rg.get_group(Group="WebServers")["Group"]["GroupArn"]
    for named in [{"Group": "WebServers"}, {"Group": arn}, {"GroupName": "WebServers"}]:
        entries, pages = every_page(rg.list_group_resources, "ResourceIdentifiers", MaxResults=3, **named)
        assert (len(entries), pages) == (7, 3), (named, entries)
    only = [{"Name": "resource-type", "Values": ["AWS::SSM::ManagedInstance"]}]
    assert len(rg.list_group_resources(Group="WebServers", Filters=only)["Resources"]) == 1
    assert rg.list_group_resources(Group="Broken")["QueryErrors"]
    assert stage.client("resource-groups", "eu-west-1").list_group_resources(Group="WebServers")["Resources"] == []
    found, pages = every_page(rg.search_resources, "ResourceIdentifiers", ResourceQuery=WEB_TIER, MaxResults=3)
    assert (len(found), pages) == (7, 3), found


@scenario()
def a_group_lives(stage):
    rg = stage.client("resource-groups")
    about = {"Description": "made here", "Criticality": 3, "Owner": "ops", "DisplayName": "Made here"}
    made = rg.create_group(Name="Made-Here", ResourceQuery=WEB_TIER, Tags={"Team": "ops"}, **about)
    assert made["Group"]["Name"] == "Made-Here" and made["ResourceQuery"] == WEB_TIER, made
    assert len(rg.list_group_resources(Group="Made-Here")["Resources"]) == 7
    for named in [{"Group": "Made-Here"}, {"GroupName": "Made-Here"}]:
        assert rg.get_group_query(**named)["GroupQuery"]["ResourceQuery"] == WEB_TIER
        assert rg.get_group(**named)["Group"]["Description"] == "made here"
    listed, pages = every_page(rg.list_groups, "GroupIdentifiers", MaxResults=1)
    assert sorted(one["GroupName"] for one in listed) == ["Broken", "Made-Here", "WebServers"], listed
    own = next(one for one in listed if one["GroupName"] == "Made-Here")
    assert {key: own[key] for key in about} == about, own
    assert pages == 3, pages
    filtered = rg.list_groups(Filters=[{"Name": "resource-type", "Values": ["AWS::EC2::Instance"]}])
    assert filtered["GroupIdentifiers"], filtered
    assert rg.delete_group(Group="Made-Here")["Group"]["Name"] == "Made-Here"
    refused("NotFoundException", rg.get_group, Group="Made-Here")


@scenario()
def a_group_shows_its_configuration(stage):
    rg = stage.client("resource-groups")
    hosts = [{"Name": "allowed-resource-types", "Values": ["AWS::EC2::Host"]}]
    items = [{"Type": "AWS::ResourceGroups::Generic", "Parameters": hosts}]
    made = rg.create_group(Name="Configured", Configuration=items)
    assert made["GroupConfiguration"] == {"Configuration": items, "Status": "UPDATE_COMPLETE"}, made
    assert "ResourceQuery" not in made, made
    assert rg.list_group_resources(Group="Configured")["Resources"] == []


@scenario(
    arises=[
        f"resource-groups.{operation}.NotFoundException"
        for operation in ["ListGroupResources", "GetGroup", "GetGroupQuery", "DeleteGroup"]
    ]
)
def a_group_is_known_in_its_own_place_alone(stage):
    for account, region, name in [(MAIN, HOME, "Nobodys"), (WEB, HOME, "Broken"), (MAIN, "us-west-2", "Broken")]:
        rg = stage.client("resource-groups", region, account)
        for call in [rg.list_group_resources, rg.get_group, rg.get_group_query, rg.delete_group]:
            refused("NotFoundException", call, Group=name)


@scenario(
    arises=[
        f"resource-groups.{operation}.BadRequestException"
        for operation in [
            "ListGroupResources",
            "GetGroup",
            "GetGroupQuery",
            "ListGroups",
            "SearchResources",
            "CreateGroup",
            "DeleteGroup",
        ]
    ]
)
def bad_requests_are_refused(stage):
    rg = stage.client("resource-groups")
    for call in [rg.list_group_resources, rg.get_group, rg.get_group_query, rg.delete_group]:
        refused("BadRequestException", call)
    foreign = [{"Name": "resource-type", "Values": ["AWS::S3::Bucket"]}]
    refused("BadRequestException", rg.list_group_resources, Group="WebServers", Filters=foreign)
    refused("BadRequestException", rg.list_group_resources, Group="WebServers", NextToken=TOKEN)
    refused("BadRequestException", rg.list_groups, NextToken=TOKEN)
    for query in ["", "{", '{"ResourceTypeFilters": 1}']:
        bad = {"Type": "TAG_FILTERS_1_0", "Query": query}
        refused("BadRequestException", rg.search_resources, ResourceQuery=bad)
        refused("BadRequestException", rg.create_group, Name="Made-Here", ResourceQuery=bad)
    refused("BadRequestException", rg.create_group, Name="WebServers", ResourceQuery=WEB_TIER)
