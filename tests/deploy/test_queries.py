"""The queries of compliance.yaml find what they say they find, in files as a resource data sync writes them.

They are written for Athena. Here they are translated, and run by another engine over the tables of the template.
"""

import datetime
import json
import pathlib
import tempfile
import unittest

import duckdb
import sqlglot

import templates

COUNTS = "InstalledCount MissingCount FailedCount InstalledPendingRebootCount".split()
NOW = datetime.datetime.now(datetime.UTC)


def ago(days):
    """A time as Systems Manager writes it."""
    return (NOW - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def state(node, counts, days=1, snapshot="00000000-0000-0000-0000-000000000000"):
    """The line of a node in AWS:PatchSummary: every count is a text."""
    line = {"resourceId": node, "captureTime": ago(days), "SnapshotId": snapshot, "OperationType": "Install"}
    line |= {"OperationEndTime": ago(days), "ExecutionId": "a-command"}
    return [line | dict(zip(COUNTS, map(str, counts), strict=True))]


def node(name, status="Active"):
    """The line of a node in AWS:InstanceInformation. ResourceType is the column that a crawler would make twice."""
    return [{"resourceId": name, "InstanceId": name, "InstanceStatus": status, "ResourceType": "EC2Instance"}]


def patch(name, node_id, patch_state):
    """A line of AWS:ComplianceItem."""
    return {"resourceId": node_id, "ComplianceType": "Patch", "Id": name, "PatchState": patch_state}


WEB, SHOP = ("111122223333", "us-east-1"), ("222222222222", "eu-west-1")
FILES = [
    ("InstanceInformation", WEB, "i-done", node("i-done")),
    ("InstanceInformation", WEB, "i-lacks", node("i-lacks")),
    ("InstanceInformation", WEB, "i-gone", node("i-gone", "Terminated")),
    ("InstanceInformation", SHOP, "mi-new", node("mi-new")),
    ("InstanceInformation", SHOP, "i-old", node("i-old")),
    ("PatchSummary", WEB, "i-done", state("i-done", (9, 0, 0, 1))),
    ("PatchSummary", WEB, "i-lacks", state("i-lacks", (9, 10, 2, 0), snapshot="7c64b8b8-1274-47db-8f0d-e26f6c0aae7b")),
    ("PatchSummary", WEB, "i-gone", state("i-gone", (9, 5, 5, 5))),
    ("PatchSummary", SHOP, "i-old", state("i-old", (9, 0, 0, 0), days=8)),
    ("ComplianceItem", WEB, "i-lacks", [
        patch("kernel", "i-lacks", "Missing"), patch("bash", "i-lacks", "Installed"), patch("tar", "i-lacks", "Failed"),
        {"resourceId": "i-lacks", "ComplianceType": "Association", "Status": "NON_COMPLIANT"}, {},
    ]),
    ("ComplianceItem", WEB, "i-gone", [patch("kernel", "i-gone", "Missing")]),
]  # fmt: skip


class Queries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.template = templates.read(templates.FOLDER / "compliance.yaml")["Resources"]
        cls.folder = tempfile.TemporaryDirectory()
        cls.engine = duckdb.connect()
        cls.engine.execute("SET TimeZone = 'UTC'")
        for kind, (account, region), name, lines in FILES:
            place = pathlib.Path(cls.folder.name) / f"AWS:{kind}/accountid={account}/region={region}"
            place /= "resourcetype=ManagedInstanceInventory"
            place.mkdir(parents=True, exist_ok=True)
            # An empty line is part of what was found in such files.
            (place / f"{name}.json").write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
        for resource in cls.template.values():
            if resource["Type"] == "AWS::Glue::Table":
                cls.table(resource["Properties"]["TableInput"])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def table(cls, table):
        """Makes a table as the template has it: its columns by their names in small letters, its partitions beside them."""
        columns = [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
        keys = [key["Name"] for key in table["PartitionKeys"]]
        assert not set(columns) & set(keys), f"{table['Name']} has {set(columns) & set(keys)} twice"
        location = table["StorageDescriptor"]["Location"]["Fn::Sub"].removeprefix("s3://${SyncBucket}/")
        cls.engine.execute(f"CREATE TABLE {table['Name']} ({', '.join(f'{name} VARCHAR' for name in columns + keys)})")
        for path in pathlib.Path(cls.folder.name, location).rglob("*.json"):
            partition = dict(part.split("=") for part in path.parts if "=" in part)
            for line in filter(str.strip, path.read_text(encoding="utf-8").splitlines()):
                row = {key.lower(): value for key, value in json.loads(line).items()} | partition
                values = [row.get(name) for name in columns + keys]
                cls.engine.execute(f"INSERT INTO {table['Name']} VALUES ({', '.join('?' * len(values))})", values)

    def rows(self, query):
        """What a query of the template finds, a dict a row."""
        properties = self.template[query]["Properties"]
        self.assertEqual(properties["Database"], {"Ref": "Database"}, "the database that the template makes")
        translated = sqlglot.transpile(properties["QueryString"], read="athena", write="duckdb")[0]
        found = self.engine.execute(translated)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def test_missing_and_failed_patches_of_nodes_that_are_there(self):
        found = {(row["resourceid"], row["id"], row["patchstate"]) for row in self.rows("MissingPatchesQuery")}
        self.assertEqual(found, {("i-lacks", "kernel", "Missing"), ("i-lacks", "tar", "Failed")})

    def test_accounts_and_regions(self):
        of = {(row["accountid"], row["region"]): row for row in self.rows("AccountsQuery")}
        self.assertEqual(set(of), {WEB, SHOP})
        names = ("nodes", "never_scanned", "missing", "failed", "pending_reboot")
        self.assertEqual([of[WEB][name] for name in names], [2, 0, 1, 1, 1])
        self.assertEqual([of[SHOP][name] for name in names], [2, 1, 0, 0, 0])

    def test_nodes_without_a_scan_those_that_never_had_one_first(self):
        self.assertEqual([row["resourceid"] for row in self.rows("StaleNodesQuery")], ["mi-new", "i-old"])

    def test_nodes_of_one_campaign_by_its_snapshot(self):
        self.assertEqual({row["resourceid"] for row in self.rows("CampaignQuery")}, {"i-done", "i-gone", "i-old"})

    def test_every_query_of_the_template_is_asked_here(self):
        queries = {name for name, one in self.template.items() if one["Type"] == "AWS::Athena::NamedQuery"}
        self.assertEqual(queries, {"MissingPatchesQuery", "AccountsQuery", "StaleNodesQuery", "CampaignQuery"})


if __name__ == "__main__":
    unittest.main()
