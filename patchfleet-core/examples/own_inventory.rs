//! An inventory of one's own: a CMDB says which nodes belong to a group, and Systems Manager says which of them answer.
//!
//! ```sh
//! cargo run -p patchfleet-core --example own_inventory
//! ```
//!
//! The starts then name the nodes that the CMDB gave, and no other node is touched. It needs no feature of
//! patchfleet-core.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_macros,
    reason = "an example prints, and the AWS that it brings along is made up"
)]

use patchfleet_core::Campaigns;
use patchfleet_core::campaign::Store;
use patchfleet_core::id::{CampaignId, WriterId};
use patchfleet_core::plan::Planning;
use patchfleet_core::report::Report;
use patchfleet_core::request::{Format, PatchRequest};
use std::error::Error;
use uuid::Uuid;

// An AWS with one account, one Region and one node, i-0123456789abcdef0, and the names that its traits need. In a program
// of your own: `Aws::load().await?.ports()?` of patchfleet-aws.
include!("../doc/one_node.rs");

/// What the CMDB knows: account, Region, node, and the groups that the node belongs to.
const CMDB: &str = "\
111122223333 us-east-1 i-0123456789abcdef0 WebServers,Linux
111122223333 us-east-1 i-0fedcba9876543210 WebServers
111122223333 us-east-1 i-00000000000000001 Databases
";

/// The inventory. What only Systems Manager knows, it asks the other one.
struct Cmdb {
    nodes: Vec<(Location, NodeId, Vec<String>)>,
    systems_manager: Arc<dyn Inventory>,
}

impl Cmdb {
    /// Reads all of it at once. A line that cannot be read is an error and not a node less: unknown is never taken for
    /// empty.
    fn read(text: &str, systems_manager: Arc<dyn Inventory>) -> Result<Self, Box<dyn Error>> {
        let node = |line: &str| -> Result<_, Box<dyn Error>> {
            let [account, region, node, groups] = line.split(' ').collect::<Vec<_>>()[..] else {
                return Err(format!("not four fields: {line}").into());
            };
            let at = Location::new(account.parse()?, region.parse()?);
            Ok((at, node.parse()?, groups.split(',').map(str::to_owned).collect()))
        };
        let nodes = text.lines().map(node).collect::<Result<_, _>>()?;
        Ok(Self {
            nodes,
            systems_manager,
        })
    }
}

impl Inventory for Cmdb {
    // `resolution` is left as it is. AWS would find other nodes for the group's name, so each node is named.

    fn members(
        &self,
        location: &Location,
        selection: &Selection,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let Selection::Group(group) = selection else {
            let words = "the CMDB knows groups and no tags";
            return answer(Err(PortError::new(PortErrorKind::Invalid, words)));
        };
        let members = self
            .nodes
            .iter()
            .filter(|(at, _, groups)| at == location && groups.iter().any(|name| name == group.as_str()))
            .map(|(_, node, _)| node.clone())
            .collect();
        answer(Ok(MemberPage {
            page: Page::last(members),
            query_errors: vec![],
        }))
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        self.systems_manager.managed(location, only, page)
    }
}

async fn patch() -> Result<Report, Box<dyn Error>> {
    let request = br#"{
        "name": "weekly",
        "patch": { "operation": "Install" },
        "targets": { "resource_group": "WebServers", "regions": ["us-east-1"] },
        "budget": { "nodes": { "max_concurrency": 1, "max_errors": 0 } }
    }"#;
    let request = PatchRequest::parse(request, Format::Json)?;
    let mut ports = one_node();
    ports.inventory = Arc::new(Cmdb::read(CMDB, ports.inventory)?);

    // In a program both ids are new: Uuid::new_v4().
    let writer = WriterId::from_uuid(Uuid::from_u128(1));
    let campaigns = Campaigns::new(ports, Store::in_memory(), writer);
    let campaign = CampaignId::from_uuid(Uuid::from_u128(2));
    Ok(campaigns.run(campaign, &request, &Planning::default()).await?)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", wait(patch())?.to_text());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{patch, wait};
    use patchfleet_core::outcome::NodeOutcome;

    #[test]
    fn the_nodes_of_the_cmdb_are_accounted_for_and_no_others() {
        let report = wait(patch()).unwrap();
        assert_eq!(report.totals.nodes.total(), 2);
        assert_eq!(report.totals.nodes.count(NodeOutcome::Done), 1);
        let [unmanaged] = report.needs_action.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(unmanaged.node.as_str(), "i-0fedcba9876543210");
        assert_eq!(unmanaged.outcome, NodeOutcome::Unmanaged);
    }
}
