//! What is begun when AWS no longer has the snapshot that the first nodes were patched by.

use super::waves::{named, put_in_waves};
use super::world::*;
use crate::report::Report;

fn report(soak: &str, list: Option<&str>) -> Report {
    let well = |n| [("us-east-1", Script::Nodes(vec![Node::well(n)]))];
    let (one, two) = (well(1), well(2));
    let mut world = World::new(&[&one, &two], 5, 0);
    put_in_waves(&mut world, &[1, 2]);
    let tables = serde_json::json!([{"name": "wave-1", "locations": "50%", "soak": soak}]);
    world.plan.request.waves = named(tables);
    if let Some(list) = list {
        world.plan.request.patch.install_override_list = Some(list.to_owned());
        let central = world.plan.central.clone();
        for unit in &mut world.plan.units {
            let request = &world.plan.request;
            unit.start.parameters = crate::runbook::parameters(request, &central, None).unwrap();
        }
    }
    let state = world.run();
    finish(Report::build(&state, &*world.rows, state.last_at())).unwrap()
}

#[test]
fn the_report_names_the_locations_that_had_another_snapshot() {
    let late = report("72h", None);
    let those = late.locations.iter().map(|at| at.after_snapshot);
    assert_eq!(Vec::from_iter(those), [false, true]);
    assert!(late.to_text().contains(
        "1 location was begun more than 3 days after the first, when AWS no longer had its snapshot of the patch baseline"
    ));
    for (soak, list) in [("70h", None), ("72h", Some("s3://lists/a.yaml"))] {
        let in_time = report(soak, list);
        assert!(
            in_time.locations.iter().all(|at| !at.after_snapshot),
            "{soak} {list:?}"
        );
        assert!(!in_time.to_text().contains("snapshot"), "{soak} {list:?}");
    }
}
