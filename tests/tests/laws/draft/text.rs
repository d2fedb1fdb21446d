//! Accounts, locations and nodes of a draft, as a world file writes them.

use super::{Account, Block, EXECUTION_ROLE, Group, Place, Role, Unit};

impl Account {
    pub(super) fn describe(&self, id: &str) -> String {
        let parent = match self.unit {
            Unit::Root => "r-test",
            Unit::A => "ou-test-aaaaaaaa",
            Unit::B => "ou-test-bbbbbbbb",
            Unit::C => "ou-test-cccccccc",
        };
        let state = if self.active { "ACTIVE" } else { "SUSPENDED" };
        let opt_in = if self.opt_in { "\"eu-south-1\"" } else { "" };
        let role = |role| match role {
            Role::Ok => "ok",
            Role::Missing => "missing",
            Role::Denied => "denied",
        };
        format!(
            r#"[[accounts]]
id = "{id}"
name = "{id}"
parent = "{parent}"
state = "{state}"
opt_in_regions = [{opt_in}]
roles = [{{ name = "Reader", state = "{}" }}, {{ name = "{EXECUTION_ROLE}", state = "{}" }}]
"#,
            role(self.reader),
            role(self.execution)
        )
    }
}

impl Place {
    pub(super) fn describe(&self, account: &str, region: &str) -> String {
        let group = |name: &str, errors: &str, nodes: &str| {
            format!(
                "[[groups]]\nname = \"{name}\"\naccounts = [\"{account}\"]\nregions = [\"{region}\"]\nquery_errors = [{errors}]\nnodes = [{nodes}]\n"
            )
        };
        let nodes = |blocks: &[Block]| blocks.iter().map(Block::describe).collect::<String>();
        let web = match &self.group {
            Group::None => String::new(),
            Group::Partial(blocks) => group("Web", "\"CLOUDFORMATION_STACK_INACTIVE\"", &nodes(blocks)),
            Group::Whole(blocks) => group("Web", "", &nodes(blocks)),
        };
        let others = match self.bystanders {
            0 => String::new(),
            count => group("Other", "", &format!("{{ count = {count} }}")),
        };
        web + &others
    }
}

impl Block {
    pub(super) fn describe(&self) -> String {
        let Self {
            count, reachability, ..
        } = self;
        // The simulator takes no behaviour for a node that nothing can reach.
        let outcome = match self.reachability {
            "unmanaged" => "ok",
            _ => self.outcome,
        };
        let kind = if self.hybrid { "hybrid" } else { "ec2" };
        let tag = if self.production { "prod" } else { "dev" };
        format!(
            "{{ count = {count}, kind = \"{kind}\", reachability = \"{reachability}\", tags = {{ Env = \"{tag}\" }}, patch = {{ outcome = \"{outcome}\" }} }}, "
        )
    }
}
