//! What holds the laws notices bugs: a rule of admission that is not asked, a part of the request that the campaign is not told,
//! and a line of care that is left out. Of the campaigns in which one may show, it shows in one of the first, and the law says so
//! in its own words.
//!
//! Some rules are asked once more right before a start is sent. A rule that is left out is left out there as well. That of the order
//! shows only where a start has no answer at once.

use patchfleet_core::campaign::Rule;
use patchfleet_oracle::{Bug, Mix, Part, Slip, Trials};

/// In how many campaigns at most.
const CAMPAIGNS: usize = 100;

/// What is said where a bug is not noticed.
const NOT_NOTICED: &str = "is not noticed";

/// Panics if the laws do not notice these, each in these words.
fn assert_noticed(mix: Mix, bugs: &[(Bug, &str)]) {
    // Each bug that is noticed is a panic, of which nobody needs to hear.
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        if text.contains(NOT_NOTICED) {
            eprintln!("{text}");
        }
    }));
    let trials = Trials::new(7, mix);
    for (bug, words) in bugs {
        let noticed = trials.notice(*bug, words, CAMPAIGNS);
        assert!(noticed.is_some(), "{bug:?} {NOT_NOTICED}");
        println!("{bug:?} is noticed in campaign {}", noticed.unwrap_or_default());
    }
}

#[test]
fn a_rule_of_waves_that_is_not_asked_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[
            (Bug::NotAsked(Rule::Wave), "was over"),
            (Bug::NotAsked(Rule::Gate), "with Gate"),
            (Bug::NotAsked(Rule::Approval), "nobody had approved"),
            (Bug::NotAsked(Rule::Soak), "after wave"),
        ],
    );
}

#[test]
fn a_rule_of_budgets_that_is_not_asked_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[
            (Bug::NotAsked(Rule::Budget), "are at work at once, allowed are"),
            (Bug::NotAsked(Rule::Fleet), "are damaged, allowed are"),
            (Bug::NotAsked(Rule::Labels), "at work at once, allowed are"),
        ],
    );
}

#[test]
fn a_breaker_or_an_alarm_that_is_not_heeded_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[
            (Bug::NotAsked(Rule::Breaker), "had failed"),
            (Bug::NotTold(Part::FailuresInARow), "had failed in a row"),
            (Bug::NotTold(Part::FailureShare), "of the last"),
            (Bug::NotAsked(Rule::Alarm), "the alarm had gone off"),
            (Bug::NotTold(Part::Alarm), "the alarm had gone off"),
        ],
    );
}

#[test]
fn a_stop_that_is_not_heeded_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[(Bug::NotAsked(Rule::Stop), "after somebody's stop at")],
    );
}

#[test]
fn a_freeze_or_a_calendar_that_is_not_heeded_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[
            (Bug::NotAsked(Rule::Freeze), "began in Freeze"),
            (Bug::NotAsked(Rule::Calendars), "the calendars had not been open"),
        ],
    );
}

#[test]
fn a_start_beside_another_of_which_nobody_knows_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(
            Bug::NotAsked(Rule::Order),
            "nobody knew whether another had taken effect",
        )],
    );
}

#[test]
fn times_that_a_campaign_does_not_know_are_noticed() {
    assert_noticed(
        Mix::Calm,
        &[
            (Bug::NotTold(Part::Freezes), "began in Freeze"),
            (Bug::NotTold(Part::Freezes), "was alive in Freeze"),
            (Bug::NotTold(Part::Calendars), "the calendars had not been open"),
            (Bug::NotTold(Part::Cutoff), "was alive after"),
        ],
    );
}

#[test]
fn budgets_that_a_campaign_does_not_know_are_noticed() {
    assert_noticed(
        Mix::Calm,
        &[
            (
                Bug::NotTold(Part::LocationErrors),
                "locations had failed, allowed are",
            ),
            (
                Bug::NotTold(Part::LocationsAtOnce),
                "are at work at once, allowed are",
            ),
            (Bug::NotTold(Part::NodesAtOnce), "nodes at once, allowed are"),
        ],
    );
}

#[test]
fn what_a_wave_has_of_its_own_and_a_campaign_does_not_know_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[
            (
                Bug::NotTold(Part::WavePatch),
                "does not do what is asked for in its location",
            ),
            (Bug::NotTold(Part::WaveNodes), "nodes at once, allowed are"),
            (
                Bug::NotTold(Part::WaveLocations),
                "are at work at once, allowed are",
            ),
            (
                Bug::NotTold(Part::WaveErrors),
                "locations had failed, allowed are",
            ),
            (Bug::NotTold(Part::WaveFleet), "of wave"),
            (Bug::NotTold(Part::WaveSize), "and may have"),
        ],
    );
}

#[test]
fn a_plan_that_takes_nodes_that_were_not_selected_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[(
            Bug::Slips(Slip::TakesEveryNode),
            "is none of the campaign's nodes",
        )],
    );
}

#[test]
fn a_census_that_takes_a_failed_call_for_an_empty_location_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[(Bug::Slips(Slip::TakesUnknownForEmpty), "is said to be empty")],
    );
}

#[test]
fn a_node_that_is_left_out_of_the_results_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[(
            Bug::Slips(Slip::LosesANode),
            "the report has not each node of the census once",
        )],
    );
}

#[test]
fn a_driver_that_takes_every_record_for_its_own_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(
            Bug::Slips(Slip::TakesEveryRecord),
            "the log was damaged by its own drivers",
        )],
    );
}

#[test]
fn a_driver_that_does_not_look_for_what_the_log_lost_is_noticed() {
    assert_noticed(Mix::Rough, &[(Bug::Slips(Slip::TrustsTheLog), "twice")]);
}

#[test]
fn a_second_attempt_of_what_may_run_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(Bug::Slips(Slip::TakesWhatMayRun), "is tried again by Unreached")],
    );
}

#[test]
fn a_retry_of_what_may_run_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(Bug::Slips(Slip::RetriesWhatMayRun), "is tried again by Failed")],
    );
}

#[test]
fn a_retry_that_counts_anew_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(Bug::Slips(Slip::CountsAnew), "are damaged, allowed are")],
    );
}

#[test]
fn a_retry_that_passes_a_wave_over_with_what_it_asks_for_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(Bug::Slips(Slip::PassesWavesOver), "of an earlier campaign")],
    );
}

#[test]
fn a_node_of_which_nothing_is_known_and_that_takes_no_room_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(Bug::Slips(Slip::UnknownTakesNoRoom), "damaged, allowed are")],
    );
}

#[test]
fn a_lost_node_on_which_a_script_may_run_on_and_that_takes_no_room_is_noticed() {
    assert_noticed(
        Mix::Calm,
        &[(Bug::Slips(Slip::LostTakesNoRoom), "at work at once, allowed are")],
    );
}

#[test]
fn a_start_that_is_sent_late_is_noticed() {
    assert_noticed(
        Mix::Rough,
        &[(Bug::Slips(Slip::SendsLate), "handed to AWS's port")],
    );
}
