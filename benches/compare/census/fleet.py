"""The organisation whose census is taken, as a world of the simulator and as a request of patchfleet."""

ROLE = "AWS-SystemsManager-AutomationExecutionRole"
GROUP = "WebServers"
ROOT = "r-pf01"
HOME = "us-east-1"
LATENCY_MS = 50
# The Regions that every account has without opting in.
REGIONS = [
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-1", "us-west-2",
]  # fmt: skip
# Every third Region has nodes of the group. In the others it is there, and empty.
POPULATED = REGIONS[::3]
NODES = 3

# What AWS publishes for one account and Region (AWS General Reference, Systems Manager; IAM User Guide;
# AWS Organizations User Guide; AWS Account Management Reference Guide; all 2026). Others have no rate here.
RATES = {
    "organizations:ListAccounts": (8, 12),
    "organizations:ListAccountsForParent": (5, 8),
    "organizations:ListOrganizationalUnitsForParent": (5, 8),
    "organizations:DescribeAccount": (20, 30),
    "sts:AssumeRole": (600, 600),
    "sts:GetCallerIdentity": (600, 600),
    "account:ListRegions": (5, 5),
    "ssm:GetAutomationExecution": (3, 3),
    "ssm:DescribeAutomationExecutions": (3, 3),
}


def accounts(count):
    """The ids of so many accounts. The first is the management account."""
    return [f"{100_000_000_000 + n * 1_000_003:012}" for n in range(count)]


def unit(number):
    """The id of the unit in which an account stands: ten accounts in each."""
    return f"ou-pf01-unit{number // 10:04}"


def world(count):
    """The world's text."""
    ids = accounts(count)
    lines = [
        f'management_account = "{ids[0]}"',
        f"api_latency_ms = {LATENCY_MS}",
        "[organization]",
        f'root = "{ROOT}"',
        "[rates]",
    ]
    lines += [f'"{name}" = {{ rate = {rate}, burst = {burst} }}' for name, (rate, burst) in RATES.items()]
    for number in range(0, count, 10):
        lines += ["[[units]]", f'id = "{unit(number)}"', f'name = "Unit {number // 10}"']
    for number, account in enumerate(ids):
        lines += ["[[accounts]]", f'id = "{account}"', f'name = "Account {number}"']
        if number:
            lines.append(f'parent = "{unit(number)}"')
    lines += ["[[documents]]", 'name = "Patchfleet-RunPatchBaseline"', 'builtin = "patchfleet"']
    empty = [region for region in REGIONS if region not in POPULATED]
    for regions, nodes in ((POPULATED, [NODES]), (empty, [])):
        blocks = ", ".join(f"{{ count = {nodes} }}" for nodes in nodes)
        lines += [
            "[[groups]]",
            f'name = "{GROUP}"',
            f"accounts = {ids}",
            f"regions = {regions}",
            f"nodes = [{blocks}]",
        ]
    return "\n".join(lines) + "\n"


def request():
    """The request's text: a scan of the group in every account and Region."""
    return f"""name = "compared"
[targets]
resource_group = "{GROUP}"
accounts = ["{ROOT}"]
include_child_ous = true
regions = {REGIONS}
[access]
discovery_role = "{ROLE}"
"""


def expected(count):
    """What every census has to find: its locations with nodes, and the nodes of each."""
    return {f"{account}/{region}": NODES for account in accounts(count) for region in POPULATED}
