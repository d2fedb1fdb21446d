//! `patchfleet status` and `patchfleet report`: what a log says. They ask AWS nothing.

use super::run::print_report;
use super::{print_json, print_text};
use crate::args::{CampaignArgs, Output, StatusArgs};
use crate::exit::{Failure, say};
use crate::log::Logs;
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::{CampaignSummary, DamagedLog, Hold, HoldReason, LogKey, NotStopped, SoFar};
use patchfleet_core::id::CampaignId;
use patchfleet_core::port::PortErrorKind;
use patchfleet_core::text::{by_number, counted, in_log, one_line};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// How many units of a campaign have a line of their own that says why they wait.
const REASONS: usize = 3;

pub(crate) async fn report(args: CampaignArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log).await?;
    let state = logs.named_or_newest(args.campaign).await?;
    let now = logs.now_for(state.campaign()).await?;
    print_report(
        logs.watched.report(&state, now).await?,
        args.output.output,
        &args.log,
    )
}

pub(crate) async fn status(args: StatusArgs) -> Result<ExitCode, Failure> {
    let logs = Logs::given(&args.log).await?;
    logs.require_folder()?;
    let wanted = match &args.campaign {
        Some(campaign) => Some(logs.named(campaign).await?),
        None => None,
    };
    let now = Timestamp::now();
    // What one campaign is, its own log says: a bucket may have hundreds of others.
    let all = match wanted {
        Some(campaign) => logs.one(campaign, now).await,
        None => logs.all(now).await?,
    };
    logs.require_campaigns_in_bucket(&all)?;
    let (campaigns, damaged) = (&all.campaigns, &all.damaged);
    for damaged in damaged {
        say(&one_line(&format!("{}: {}", damaged.log, damaged.error.chain())));
    }
    let code = match damaged.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    };
    match args.output.output {
        Output::Json => {
            let log = args.log.log.as_deref();
            let campaigns = campaigns.iter().map(|campaign| as_json(campaign, log));
            let damaged = damaged.iter().map(as_damage);
            print_json(&campaigns.chain(damaged).collect::<Vec<_>>())?;
        }
        Output::Text if campaigns.is_empty() && damaged.is_empty() => {
            let what = wanted.map_or_else(|| "campaign".to_owned(), |wanted| format!("campaign {wanted}"));
            print_text(&format!("{}\n", logs.without(&what)))?;
        }
        Output::Text => {
            let mut text = String::new();
            for campaign in campaigns {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "  {}  {:<24} {:<14} planned {:.0}, last record {:.0}",
                    campaign.campaign,
                    campaign.request,
                    outcome(campaign),
                    campaign.planned_at,
                    campaign.last_at,
                );
                if let Some(why) = campaign.refused_in_words() {
                    let _ = writeln!(text, "      {why}");
                } else if let Some(next) = campaign.next_step() {
                    let _ = writeln!(text, "      {}", so_far(campaign.so_far));
                    for line in standing(campaign) {
                        let _ = writeln!(text, "      {}", one_line(&line));
                    }
                    if let Some(fleet) = campaign.fleet {
                        let _ = writeln!(text, "      {fleet}");
                    }
                    for label in &campaign.labels {
                        let _ = writeln!(text, "      {label}");
                    }
                    if let Some(row) = campaign.failures_in_a_row {
                        let _ = writeln!(text, "      {row}");
                    }
                    let (last, next) = match logs.simulated(campaign.campaign, &campaign.request) {
                        Some(simulated) => (
                            format!(
                                "last record by process {}; its times are by the simulated organisation's own clock",
                                campaign.last_writer
                            ),
                            format!("if its process has ended: {simulated}"),
                        ),
                        None => (last_record(campaign, now), next),
                    };
                    let _ = writeln!(text, "      {last}");
                    let _ = writeln!(text, "      {}", in_log(&next, args.log.log.as_deref()));
                }
                if let (Some(asked), None) = (&campaign.stop_asked, campaign.finished) {
                    let words = format!("stopping, asked by {} at {:.0}", asked.by, asked.at);
                    let _ = writeln!(text, "      {}", one_line(&words));
                }
                for line in not_stopped(campaign.campaign, &campaign.not_stopped) {
                    let line = in_log(&line, args.log.log.as_deref());
                    let _ = writeln!(text, "      {}", one_line(&line));
                }
                for line in waiting(&campaign.holds) {
                    let line = in_log(&line, args.log.log.as_deref());
                    let _ = writeln!(text, "      {}", one_line(&line));
                }
                if let Some(reason) = &campaign.left_out_because {
                    let _ = writeln!(
                        text,
                        "      nothing more was begun: {}",
                        one_line(&in_log(reason, args.log.log.as_deref()))
                    );
                }
                for warning in &campaign.warnings {
                    let _ = writeln!(text, "      {}", one_line(warning));
                }
            }
            for damaged in damaged {
                let why = one_line(&damaged.error.chain());
                let _ = writeln!(text, "  {}: {}: {why}", unreadable(damaged), damaged.log);
                let _ = writeln!(text, "      {}", one_line(what_to_do(damaged)));
            }
            print_text(&text)?;
        }
    }
    Ok(code)
}

/// How long ago the log was last written, and by whom. Whether that process lives, no log can say. Where nothing is left
/// to begin, a driver writes no signs of life, and how old the last one is tells nothing.
fn last_record(campaign: &CampaignSummary, now: Timestamp) -> String {
    let last = format!(
        "last record {} by process {}",
        ago(campaign.last_at, now),
        campaign.last_writer
    );
    match campaign.holds.is_empty() && campaign.left_out_because.is_none() {
        true => format!("{last}; nothing is left to begin, so a driver writes only what has changed"),
        false => format!("{last}, last seen to be driven {}", ago(campaign.driven_at, now)),
    }
}

/// How long ago something was, for people.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    let (ago, words) = match seconds {
        0.. => (seconds, "ago"),
        _ => (-seconds, "ahead of this machine's clock"),
    };
    format!("{:#} {words}", SignedDuration::from_secs(ago))
}

/// How far a campaign is, for people.
pub(super) fn so_far(so_far: SoFar) -> String {
    let unresolved = match so_far.unresolved {
        0 => String::new(),
        n => format!(", {n} unresolved"),
    };
    format!(
        "{} of {} through, {} running{unresolved}",
        so_far.settled,
        counted(so_far.locations, "location"),
        so_far.running
    )
}

/// Which wave is under way, with the bounds that it has of its own, and how much of the budget of locations is left.
fn standing(campaign: &CampaignSummary) -> Vec<String> {
    let wave = campaign.wave.as_ref().map(ToString::to_string);
    let failed = format!("locations failed {}", campaign.failed_locations);
    wave.into_iter().chain([failed]).collect()
}

/// Lines that say why units wait. Every unit that waits for a person has one, and those come first. Units that wait
/// for their turn alone have none.
fn waiting(holds: &[Hold]) -> Vec<String> {
    let (persons, holds): (Vec<&Hold>, Vec<&Hold>) = holds
        .iter()
        .partition(|hold| matches!(hold.reason, HoldReason::Person { .. }));
    let (turns, reasons): (Vec<&Hold>, Vec<&Hold>) = holds
        .iter()
        .partition(|hold| matches!(hold.reason, HoldReason::Turn { .. }));
    let told = persons
        .iter()
        .map(|hold| format!("unit {} is unresolved: {}", hold.unit, hold.reason));
    let waits = reasons.iter().take(REASONS);
    let waits = waits.map(|hold| format!("unit {} waits: {}", hold.unit, hold.reason));
    let mut lines: Vec<String> = told.chain(waits).collect();
    let others = reasons.len().saturating_sub(REASONS);
    let more = others + turns.len();
    let wait = by_number(more, "waits", "wait");
    match (lines.len(), more) {
        (_, 0) => {}
        (0, _) => {
            let its = by_number(more, "its", "their");
            lines.push(format!("{} {wait} for {its} turn", counted(more, "unit")));
        }
        // All of them wait for this one.
        (1, _) if others == 0 && persons.is_empty() => {
            lines.push(format!("{} {wait} after it", counted(more, "more unit")));
        }
        _ => lines.push(format!("{} {wait}", counted(more, "more unit"))),
    }
    lines
}

/// Whether a log is damaged, or just could not be read: its store did not answer, or did not allow it. Such a log may be
/// whole.
fn unreadable(log: &DamagedLog) -> &'static str {
    match log.error.kind() {
        PortErrorKind::Incompatible | PortErrorKind::Invalid | PortErrorKind::Other => "damaged",
        _ => "unread",
    }
}

/// What a person can do about a log that cannot be read.
fn what_to_do(damaged: &DamagedLog) -> &'static str {
    match &damaged.log {
        _ if unreadable(damaged) == "unread" => {
            "it may be whole: ask again once it can be read, and move nothing out of the log"
        }
        LogKey::Campaign(_) => {
            "put a good copy there; or, once you know that nothing of it runs, move it and its claim out of the log"
        }
        LogKey::Name(_) => {
            "put a good copy of the campaign there; or move this file out of the log: the campaigns there say \
             themselves whether one of them is open"
        }
    }
}

fn as_damage(damaged: &DamagedLog) -> Value {
    let (campaign, request) = match &damaged.log {
        LogKey::Campaign(campaign) => (Some(campaign), None),
        LogKey::Name(name) => (None, Some(name)),
    };
    json!({
        "campaign_id": campaign,
        "request": request,
        "outcome": unreadable(damaged),
        "log": damaged.log.to_string(),
        "detail": damaged.error.chain(),
        "advice": what_to_do(damaged),
    })
}

fn outcome(campaign: &CampaignSummary) -> &'static str {
    match (campaign.finished, campaign.name_taken_by) {
        (Some(finished), _) => finished.as_str(),
        (None, Some(_)) => "refused",
        (None, None) => "open",
    }
}

/// How much of what AWS did not let patchfleet stop is named. The report of the campaign and the JSON have all.
const NOT_STOPPED: usize = 20;

/// What AWS did not let patchfleet stop, a line each.
fn not_stopped(campaign: CampaignId, all: &[NotStopped]) -> Vec<String> {
    let mut lines: Vec<String> = all.iter().take(NOT_STOPPED).map(ToString::to_string).collect();
    if let Some(more) = all.len().checked_sub(NOT_STOPPED).filter(|more| *more > 0) {
        lines.push(format!(
            "{more} more {} not stopped: `patchfleet report {campaign}` has them all",
            by_number(more, "was", "were")
        ));
    }
    lines
}

fn as_json(campaign: &CampaignSummary, log: Option<&Path>) -> Value {
    let as_hold = |hold| as_hold(hold, log);
    json!({
        "campaign_id": campaign.campaign,
        "request": campaign.request,
        "outcome": outcome(campaign),
        "planned_at": campaign.planned_at,
        "last_at": campaign.last_at,
        "last_writer": campaign.last_writer,
        "driven_at": campaign.driven_at,
        "has_begun": campaign.has_begun,
        "so_far": campaign.so_far,
        "wave": campaign.wave,
        "failed_locations": campaign.failed_locations,
        "fleet": campaign.fleet,
        "labels": campaign.labels,
        "failures_in_a_row": campaign.failures_in_a_row,
        "holds": campaign.holds.iter().map(as_hold).collect::<Vec<_>>(),
        "left_out_because": campaign.left_out_because.as_ref().map(|why| in_log(why, log)),
        "stop_asked": campaign.stop_asked,
        "not_stopped": campaign.not_stopped,
        "name_taken_by": campaign.name_taken_by,
        "warnings": campaign.warnings,
    })
}

fn as_hold(hold: &Hold, log: Option<&Path>) -> Value {
    let mut value = json!(hold);
    if let Some(fields) = value.as_object_mut() {
        let words = in_log(&hold.reason.to_string(), log);
        fields.insert("words".to_owned(), words.into());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_clock_that_is_ahead_is_not_said_to_be_of_the_past() {
        let now: Timestamp = "2026-03-01T22:00:00Z".parse().unwrap();
        assert_eq!(ago(now - SignedDuration::from_secs(182), now), "3m 2s ago");
        assert_eq!(ago(now, now), "0s ago");
        let ahead = now + SignedDuration::from_hours(2);
        assert_eq!(ago(ahead, now), "2h ahead of this machine's clock");
    }

    fn holds(reasons: &[&str]) -> Vec<Hold> {
        let hold = |(n, reason): (usize, &&str)| {
            serde_json::from_str(&format!(
                r#"{{"unit":{},"rule":"order","reason":{reason},"until":null}}"#,
                n + 1
            ))
            .unwrap()
        };
        reasons.iter().enumerate().map(hold).collect()
    }

    #[test]
    fn what_was_not_stopped_has_a_line_each_and_the_report_has_the_rest() {
        let campaign: CampaignId = "5b6c7d8e-0000-4000-8000-123456789012".parse().unwrap();
        let denied = |region: &str| -> NotStopped {
            let location = json!({ "account": "222233334444", "region": region });
            let one = json!({ "unit": 2, "location": location, "reason": "AccessDeniedException: no" });
            serde_json::from_value(one).unwrap()
        };
        let lines = not_stopped(campaign, &[denied("us-east-1")]);
        assert_eq!(
            lines,
            ["what ran in 222233334444/us-east-1 was not stopped: AccessDeniedException: no"]
        );
        let lines = not_stopped(campaign, &vec![denied("eu-west-1"); NOT_STOPPED + 2]);
        assert_eq!(lines.len(), NOT_STOPPED + 1);
        let rest = format!("2 more were not stopped: `patchfleet report {campaign}` has them all");
        assert_eq!(lines.last(), Some(&rest));
        assert_eq!(not_stopped(campaign, &[]), [""; 0]);
    }

    #[test]
    fn a_thousand_units_that_wait_are_two_lines() {
        let places = r#"{"waits_for":"places","taken":2,"needed":1,"of":2}"#;
        let turn = r#"{"waits_for":"turn","after":1}"#;
        let all = [vec![places], vec![turn; 999]].concat();
        assert_eq!(
            waiting(&holds(&all)),
            [
                "unit 1 waits: 2 of 2 locations at once are taken, and it needs 1",
                "999 more units wait after it"
            ]
        );
        assert_eq!(waiting(&[]), [""; 0]);
    }

    #[test]
    fn units_are_said_to_wait_after_it_only_if_one_unit_was_named_before() {
        let places = r#"{"waits_for":"places","taken":2,"needed":1,"of":2}"#;
        let turn = r#"{"waits_for":"turn","after":1}"#;
        let person = r#"{"waits_for":"person","campaign":"5b6c7d8e-0000-4000-8000-123456789012","unit":1,"detail":"no answer"}"#;
        let last = |all: &[&str]| waiting(&holds(all)).pop().unwrap();
        assert_eq!(last(&[turn]), "1 unit waits for its turn");
        assert_eq!(last(&[turn, turn]), "2 units wait for their turn");
        assert_eq!(last(&[places, turn]), "1 more unit waits after it");
        assert_eq!(last(&[places, places, turn, turn]), "2 more units wait");
        assert_eq!(last(&[person, turn, turn]), "2 more units wait");
        assert_eq!(last(&[places; REASONS + 1]), "1 more unit waits");
    }
}
