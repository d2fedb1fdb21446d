//! The hours of a simulated organisation in which nothing happens: only those are skipped in which the campaign waits for
//! what runs.

use crate::support::{Bench, SPEED};
use patchfleet_sim::builtin::{Builtin, CALM, STAGED};

/// How many minutes the campaign of a built-in world takes, if something happens in the organisation long after it is over.
/// Patches take so long there that the driver looks at them a minute apart.
fn minutes(of: &Builtin) -> i64 {
    let bench = Bench::new();
    let slow = of.world.replacen("\nminutes = 2.5", "\nminutes = 15.0", 1);
    assert_ne!(slow, of.world);
    let world = bench.file("world.toml", format!("{slow}\n{IN_THE_MORNING}"));
    let request = bench.file(
        "request.toml",
        format!("{}\n[policy]\noffline = \"skip\"\n", of.request),
    );
    let (world, request) = (world.to_str().unwrap(), request.to_str().unwrap());
    let named = ["run", "--sim", world, "-f", request];
    let report = bench
        .run(&[&named[..], &["--sim-speed", SPEED, "--output", "json"]].concat())
        .exits(0)
        .json();
    let at = |field: &str| -> jiff::Timestamp {
        let at = report.get(field).and_then(serde_json::Value::as_str);
        at.unwrap().parse().unwrap()
    };
    at("finished_at").duration_since(at("started_at")).as_mins()
}

/// At hour 20.
const IN_THE_MORNING: &str = "[[changes]]\nat = \"20h\"\n[changes.change]\nstart = {}\n";

#[test]
fn a_campaign_is_over_when_its_last_node_is_whatever_happens_in_the_organisation_hours_later() {
    let took = minutes(&CALM);
    assert!(took < 4 * 60, "{took} minutes");
}

#[test]
fn a_soak_ends_when_it_should_whatever_happens_in_the_organisation_hours_later() {
    let took = minutes(&STAGED);
    assert!(took < 12 * 60, "{took} minutes");
}
