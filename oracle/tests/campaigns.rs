//! Some of the oracle's campaigns, of both kinds; its program runs as many as one likes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy lets #[test] functions do so, and this is their helper"
)]

use patchfleet_oracle::{Counts, Mix, Trials};

/// The campaigns run in this many threads.
const THREADS: u64 = 4;

/// How many campaigns `cargo test` runs.
const CAMPAIGNS: u64 = 200;

/// How many of the rough ones.
const ROUGH_CAMPAIGNS: u64 = 100;

/// Runs so many campaigns, and counts what happened in them.
fn counted(campaigns: u64, mix: Mix) -> Counts {
    let share = |share: u64| {
        move || {
            let trials = Trials::new(7, mix);
            let mut counts = Counts::default();
            for number in (0..campaigns).filter(|number| number % THREADS == share) {
                match trials.run(number) {
                    Ok(more) => counts.merge(&more),
                    Err(violation) => panic!("{violation}"),
                }
            }
            counts
        }
    };
    let shares: Vec<_> = (0..THREADS).map(|n| std::thread::spawn(share(n))).collect();
    let mut counts = Counts::default();
    for share in shares {
        counts.merge(&share.join().unwrap());
    }
    assert_eq!(counts.get("campaigns"), campaigns);
    counts
}

#[test]
fn laws_1_to_5_hold_while_calls_fail_and_drivers_meet_and_what_is_left_is_tried_again() {
    let counts = counted(ROUGH_CAMPAIGNS, Mix::Rough);
    println!("{counts}");
    for (what, least) in [
        ("campaigns with something to do", 50),
        ("campaigns with calls that failed", 5),
        ("campaigns of two drivers at once", 5),
        ("times that the machine slept", 5),
        ("records that a log lost", 1),
        ("campaigns whose results were read again", 20),
        ("nodes that were tried again", 50),
    ] {
        assert!(counts.get(what) >= least, "{what}: {}", counts.get(what));
    }
}

#[test]
fn laws_1_to_5_and_7_hold_while_others_do_everything() {
    let counts = counted(CAMPAIGNS, Mix::Calm);
    println!("{counts}");
    let deeds = counts.iter().filter(|(what, _)| what.starts_with("deed: "));
    assert_eq!(deeds.count(), 18);
    for (what, least) in [
        ("campaigns with something to do", 100),
        ("locations whose census was struck", 10),
        ("skipped: unknown", 5),
        ("campaigns with bounds on the fleet", 40),
        ("campaigns that a person let go on", 3),
        ("campaigns stopped by others with something left", 10),
        ("campaigns in waves", 40),
        ("campaigns that a person approved of", 5),
        ("drivers killed", 50),
        ("with run-command: nodes begun", 50),
        ("with a breaker of failures in a row: nodes begun", 20),
        ("with a breaker of a share: nodes begun", 20),
        ("with an alarm: nodes begun", 20),
        ("with freezes: nodes begun", 20),
        ("with change calendars: nodes begun", 20),
        ("with a cutoff: nodes begun", 20),
        ("with a wave of so many nodes: nodes begun", 20),
        ("with a wave that scans: nodes begun", 20),
    ] {
        assert!(counts.get(what) >= least, "{what}: {}", counts.get(what));
    }
    for what in [
        "outcome: halted",
        "outcome: partial",
        "outcome: succeeded",
        "node: Done",
        "node: PendingReboot",
        "node: Failed",
        "node: Lost",
        "node: Unreached",
        "node: NotRun",
        "node: Unmanaged",
        "node: Gone",
    ] {
        assert!(counts.get(what) > 0, "{what} is not among\n{counts}");
    }
}
