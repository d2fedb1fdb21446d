"""Account Management: Regions."""

from clients import HOME, WEB
from known import TOKEN, every_page
from registry import refused, scenario


@scenario()
def regions_are_listed(stage):
    account = stage.client("account")
    mine, pages = every_page(account.list_regions, "Regions", MaxResults=2)
    assert (len(mine), pages) == (5, 3), mine
    theirs = account.list_regions(AccountId=WEB, RegionOptStatusContains=["ENABLED", "ENABLED_BY_DEFAULT"])["Regions"]
    assert {one["RegionName"] for one in theirs} == {"us-east-1", "us-west-2", "eu-west-1", "eu-south-1"}, theirs
    for arguments, status in [
        ({"RegionName": HOME}, "ENABLED_BY_DEFAULT"),
        ({"RegionName": "eu-south-1"}, "DISABLED"),
        ({"RegionName": "eu-south-1", "AccountId": WEB}, "ENABLED"),
    ]:
        found = account.get_region_opt_status(**arguments)
        assert found["RegionOptStatus"] == status, (arguments, found)


@scenario(
    arises=[
        f"account.{operation}.{code}"
        for operation in ["ListRegions", "GetRegionOptStatus"]
        for code in ["AccessDeniedException", "ValidationException"]
    ]
)
def regions_are_not_for_everybody(stage):
    account = stage.client("account")
    there = stage.client("account", HOME, WEB)
    for client, other in [(account, "000000000000"), (there, "333344445555")]:
        refused("AccessDeniedException", client.list_regions, AccountId=other)
        refused("AccessDeniedException", client.get_region_opt_status, AccountId=other, RegionName=HOME)
    refused("ValidationException", account.list_regions, NextToken=TOKEN)
    refused("ValidationException", account.get_region_opt_status, RegionName="mars-north-1")
