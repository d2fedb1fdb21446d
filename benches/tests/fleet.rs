//! Each fleet that is measured comes to the end that it is measured for. Without this a world that is refused is found out by
//! whoever measures next.

use patchfleet_benches::fleet::{Fleet, Size};
use patchfleet_core::census::Depth;

const SMALL: Size = Size {
    accounts: 4,
    nodes: 2,
};

#[test]
fn a_fleet_is_planned_and_its_campaign_begins_every_location() {
    let fleet = Fleet::new(SMALL).unwrap();
    let plan = fleet.plan(Depth::Count).unwrap();
    assert_eq!(plan.locations.len(), 20);
    fleet.campaign(&plan).unwrap();
    assert!(fleet.calls()["StartAutomationExecution"] >= 1);
}

#[test]
fn a_bounded_fleet_has_three_waves_and_begins_one_location_after_another() {
    let fleet = Fleet::bounded(SMALL).unwrap();
    let plan = fleet.plan(Depth::Count).unwrap();
    let waves: Vec<_> = plan.waves().iter().map(|wave| wave.name).collect();
    assert_eq!(waves, ["canary", "some", "rest"]);
    fleet.campaign(&plan).unwrap();
    // A bound on damage has the nodes of each location named, in a start of its own.
    assert!(fleet.calls()["StartAutomationExecution"] >= 20);
}
