//! Small worlds by what is in each Region.

use patchfleet_sim::{ClockMode, SimClock, world::World};

/// A group of nodes in each of these Regions of one account.
pub(super) fn nodes_in(regions: &[(&str, &str)]) -> SimClock {
    let groups = regions.iter().map(|(region, nodes)| {
        format!(
            "[[groups]]\nname = \"WebServers\"\naccounts = [\"111111111111\"]\nregions = [\"{region}\"]\nnodes = [{nodes}]\n"
        )
    });
    let text = format!(
        r#"
        management_account = "111111111111"
        documents = [{{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }}]
        accounts = [{{ id = "111111111111", name = "Main" }}]
        {}
        "#,
        groups.collect::<String>()
    );
    SimClock::new(World::parse(&text).unwrap(), ClockMode::Jump)
}
