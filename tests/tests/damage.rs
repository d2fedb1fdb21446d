//! Whatever becomes of a log, no node is installed on twice and nothing is started that was not planned.
//!
//! A campaign is left open at some instant. Its log and its claim are damaged at random, by one hand or by two:
//! bits flip, files are cut, emptied or deleted, lines change places, a person edits the plan. Then somebody runs
//! the request again under the same name, and somebody resumes the campaign. What is right follows from the plan
//! as it was made and from the simulator's own state, which know nothing of the log.
//!
//! `PATCHFLEET_DAMAGE=5000` plays that many campaigns; without it there are 400. `PATCHFLEET_DAMAGE_SEED` makes
//! others.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside of #[test]"
)]

#[path = "damage/draft.rs"]
mod draft;
#[path = "damage/run.rs"]
mod run;

use draft::drafts;
use patchfleet_core::outcome::FinishedOutcome;
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};
use run::{Became, Run, Why};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The campaigns run in this many threads, each with a seed of its own.
const SHARES: u32 = 4;

/// What an execution does: where, and with which parameters.
type Order = (String, BTreeMap<String, Value>);

/// The order of a start in the API's JSON, without what a campaign adds of its own.
fn order(targets: &Value, parameters: &Value) -> Order {
    let mut parameters: BTreeMap<String, Value> = serde_json::from_value(parameters.clone()).unwrap();
    parameters.retain(|name, _| !["SnapshotId", "CampaignId", "UnitId"].contains(&name.as_str()));
    let target = &targets[0];
    (
        format!("{} × {}", target["Accounts"], target["Regions"]),
        parameters,
    )
}

fn planned(run: &Run) -> BTreeSet<String> {
    let starts = run.plan.units.iter().map(|unit| &unit.start);
    let order = |start| -> Order {
        let start: Value = serde_json::to_value(start).unwrap();
        order(&start["TargetLocations"], &start["Parameters"])
    };
    starts.map(|start| format!("{:?}", order(start))).collect()
}

/// Law 1: whatever the log says by now, only what was planned is started.
fn only_the_plan_is_started(run: &Run) {
    let planned = planned(run);
    for parent in run.parents() {
        let order = order(&parent["target_locations"], &parent["parameters"]);
        let text = format!("{order:?}");
        assert!(planned.contains(&text), "{text} is not one of {planned:#?}");
    }
}

/// Law 5: no node is installed on twice, and no location is started in twice.
fn nothing_takes_effect_twice(run: &Run) {
    let mut begun: BTreeMap<String, u32> = BTreeMap::new();
    for parent in run.parents() {
        let (at, _) = order(&parent["target_locations"], &parent["parameters"]);
        *begun.entry(at).or_default() += 1;
    }
    assert!(begun.values().all(|n| *n == 1), "started twice: {begun:?}");
    for node in run.nodes() {
        assert!(
            node["installs"].as_u64().unwrap() <= 1,
            "installed on twice: {node}"
        );
    }
}

/// The damage is refused by name, or the campaign ends right.
fn it_is_told_or_it_ends_right(run: &Run) {
    for became in &run.became {
        match became {
            Became::Ended(outcome) => {
                assert_eq!(*outcome, FinishedOutcome::Succeeded);
                let installs = u64::from(run.draft.installs);
                for node in run.nodes() {
                    assert_eq!(node["installs"], installs, "a success, and {node}");
                }
            }
            Became::Refused(why, words) => {
                assert_ne!(*why, Why::Other, "no damage may come to this: {words}");
                let campaign = run.campaign.to_string();
                let named = match why {
                    // The file that a person has to look at.
                    Why::Damaged => vec![format!("campaigns/{campaign}"), "names/weekly".to_owned()],
                    _ => vec![campaign],
                };
                let is_named = named.iter().any(|name| words.contains(name));
                assert!(is_named, "{why:?}, and it names none of {named:?}: {words}");
            }
        }
    }
    assert!(!run.became.is_empty());
}

fn keeps_the_laws(run: &Run) {
    only_the_plan_is_started(run);
    if run.nobody_can_tell {
        return;
    }
    nothing_takes_effect_twice(run);
    it_is_told_or_it_ends_right(run);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn runner(share: u32) -> TestRunner {
    let campaigns = number("PATCHFLEET_DAMAGE").and_then(|n| u32::try_from(n).ok());
    let seed = number("PATCHFLEET_DAMAGE_SEED").unwrap_or(3);
    TestRunner::new(ProptestConfig {
        cases: campaigns.unwrap_or(400).div_ceil(SHARES),
        failure_persistence: None,
        max_shrink_iters: 300,
        rng_seed: RngSeed::Fixed(seed.wrapping_mul(SHARES.into()).wrapping_add(share.into())),
        ..ProptestConfig::default()
    })
}

/// Plays one share of the campaigns. Gives how each of them went.
fn run_share(share: u32) -> Result<Vec<String>, String> {
    let mut runner = runner(share);
    let told = std::cell::RefCell::new(vec![]);
    let checked = runner.run(&drafts(), |draft| {
        let run = Run::of(&draft);
        keeps_the_laws(&run);
        told.borrow_mut().extend(run.words());
        Ok(())
    });
    checked.map_err(|error| format!("share {share}: {error}\n{runner}"))?;
    Ok(told.into_inner())
}

#[test]
fn whatever_becomes_of_a_log_nothing_is_done_twice_and_it_is_told_or_ends_right() {
    let shares: Vec<_> = (0..SHARES)
        .map(|share| std::thread::spawn(move || run_share(share)))
        .collect();
    let mut count: BTreeMap<String, u32> = BTreeMap::new();
    let mut failures = vec![];
    for share in shares {
        match share.join().unwrap() {
            Ok(told) => told
                .into_iter()
                .for_each(|words| *count.entry(words).or_default() += 1),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    println!("{count:#?}");
    // Each way out is taken, or the test shows nothing.
    for words in [
        "ended",
        "refused: damaged",
        "refused: open",
        "nobody can tell",
        "a second campaign",
    ] {
        assert!(count.contains_key(words), "{words} is not among {count:?}");
    }
}
