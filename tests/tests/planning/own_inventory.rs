//! An inventory of one's own: the nodes that it gives are patched, and no others (law 1 for nodes).

use super::{open, refusal, wait};
use patchfleet_core::{
    id::{Location, NodeId},
    port::{BoxFuture, Inventory, ManagedNode, MemberPage, Page, PageToken, PortResult, Ports, Selection},
    refusal::RefusalCode,
    report::ReportOutcome,
    request::PatchRequest,
};
use patchfleet_tests::{Campaign, plan, request};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A list of nodes that somebody keeps, whatever AWS's group says. It does not say who resolves.
struct Cmdb {
    aws: Arc<dyn Inventory>,
    nodes: BTreeSet<NodeId>,
}

impl Inventory for Cmdb {
    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let answer = self.aws.members(location, selection, page);
        Box::pin(async move {
            let mut answer = answer.await?;
            answer.page.items.retain(|node| self.nodes.contains(node));
            Ok(answer)
        })
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        self.aws.managed(location, only, page)
    }
}

const WORLD: &str = r#"
    management_account = "111111111111"
    documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
    accounts = [{ id = "111111111111", name = "Main" }]
    [[groups]]
    name = "WebServers"
    accounts = ["111111111111"]
    regions = ["us-east-1", "eu-west-1"]
    nodes = [{ count = 30 }]
    "#;

fn asked(rest: &str) -> PatchRequest {
    let text = format!(
        r#"
        name = "own"
        patch = {{ operation = "Install" }}
        targets = {{ resource_group = "WebServers", regions = ["us-east-1", "eu-west-1"] }}
        budget = {{ nodes = {{ max_concurrency = "100%", max_errors = "100%" }}, locations = {{ max_concurrency = 2 }} }}
        {rest}
        "#
    );
    request(&text).unwrap()
}

/// The ports with every second node of the group in the list.
async fn with_cmdb(ports: &Ports, request: &PatchRequest) -> (Ports, BTreeSet<NodeId>) {
    let everything = plan(ports, request).await.unwrap();
    let mut nodes = BTreeSet::new();
    for planned in &everything.locations {
        let selection = Selection::Group("WebServers".parse().unwrap());
        let mut page = None;
        loop {
            let answer = ports
                .inventory
                .members(&planned.location(), &selection, page)
                .await;
            let answer = answer.unwrap();
            nodes.extend(answer.page.items.into_iter().step_by(2));
            page = answer.page.next;
            if page.is_none() {
                break;
            }
        }
    }
    let inventory = Arc::new(Cmdb {
        aws: ports.inventory.clone(),
        nodes: nodes.clone(),
    });
    let ports = Ports {
        inventory,
        ..ports.clone()
    };
    (ports, nodes)
}

#[test]
fn an_inventory_of_ones_own_has_its_nodes_patched_and_no_others() {
    let request = asked("");
    let (clock, ports) = open(WORLD, &request);
    let (wanted, plan, ended) = wait(async {
        let (ports, wanted) = with_cmdb(&ports, &request).await;
        let plan = plan(&ports, &request).await.unwrap();
        let campaign = Campaign::begin(&ports, plan.clone()).await.unwrap();
        (wanted, plan, campaign.run().await.unwrap())
    });
    assert_eq!(wanted.len(), 30);
    for start in plan.units.iter().map(|unit| &unit.start) {
        let targets = start.parameters.get("Targets").unwrap().join("");
        assert!(targets.contains("InstanceIds"), "{targets}");
    }
    let state = clock.with_world(|world| world.state());
    let commands = state.get("commands").and_then(Value::as_array).unwrap();
    let touched: BTreeSet<NodeId> = commands
        .iter()
        .flat_map(|command| command.get("invocations").and_then(Value::as_array).unwrap())
        .map(|one| one.get("node").and_then(Value::as_str).unwrap().parse().unwrap())
        .collect();
    assert_eq!(touched, wanted);
    assert_eq!(
        ended.report.outcome,
        ReportOutcome::Succeeded,
        "{}",
        ended.report.to_text()
    );
    let rows: BTreeSet<NodeId> = ended
        .rows
        .values()
        .flatten()
        .map(|row| row.node.clone())
        .collect();
    assert_eq!(rows, wanted);
}

#[test]
fn a_runbook_of_ones_own_cannot_be_told_the_nodes_of_an_inventory_of_ones_own() {
    let own = asked(r#"automation = { document = "Our-Runbook" }"#);
    let (_, ports) = open(WORLD, &own);
    let refused = wait(async {
        let (ports, _) = with_cmdb(&ports, &asked("")).await;
        plan(&ports, &own).await
    });
    let refusal = refusal(refused);
    let reason = refusal.reasons.first().unwrap();
    assert_eq!(reason.code, RefusalCode::Unsupported, "{refusal}");
    assert_eq!(reason.subject, "the inventory");
}

#[test]
fn nodes_that_systems_manager_does_not_manage_cannot_be_named_and_are_not_called_done() {
    // None of the nodes in the one Region, and all of the other's, are managed.
    let world = r#"
        management_account = "111111111111"
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        accounts = [{ id = "111111111111", name = "Main" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["us-east-1"]
        nodes = [{ count = 4, reachability = "unmanaged" }]
        [[groups]]
        name = "WebServers"
        accounts = ["111111111111"]
        regions = ["eu-west-1"]
        nodes = [{ count = 4 }]
        "#;
    let request = asked("");
    let (_, ports) = open(world, &request);
    let refused = wait(async {
        let (ports, _) = with_cmdb(&ports, &request).await;
        plan(&ports, &request).await
    });
    let refusal = refusal(refused);
    assert_eq!(refusal.reasons.len(), 1, "{refusal}");
    let reason = refusal.reasons.first().unwrap();
    assert_eq!(reason.code, RefusalCode::CensusUnknown);
    assert!(reason.detail.contains("manages none of them"), "{refusal}");
}
