//! What happened in campaigns, counted.

use crate::draft::{Has, How, Wave};
use crate::laws::stops;
use crate::run::{Done, Ending, Run, Tried, Try};
use patchfleet_core::CampaignError;
use patchfleet_core::campaign::{BreakerStop, DriveError, Record, StopReason};
use patchfleet_core::internals::fold;
use patchfleet_core::report::ReportOutcome;
use std::collections::BTreeMap;
use std::fmt;

/// How often each thing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// What happened in one campaign.
    pub(crate) fn of(run: &Run) -> Self {
        let mut counts = Self::default();
        counts.add("campaigns", 1);
        counts.add("nodes", run.nodes().len());
        counts.add("locations whose census was struck", run.unread.len());
        counts.add("deeds of others", run.draft.hands.len());
        for hand in &run.draft.hands {
            counts.add(&format!("deed: {:?}", hand.deed), 1);
        }
        let done = match &run.result {
            Ok(done) => done,
            Err(refusal) => {
                counts.add("campaigns refused", 1);
                for reason in &refusal.reasons {
                    counts.add(&format!("refused: {}", reason.code.as_str()), 1);
                }
                return counts;
            }
        };
        for skip in &done.plan.skipped {
            counts.add(&format!("skipped: {}", skip.reason.as_str()), 1);
        }
        counts.add("drivers killed", done.befell.killed);
        counts.add_begun(run);
        let some = [
            ("campaigns with something to do", !done.plan.locations.is_empty()),
            (
                "campaigns with bounds on the fleet",
                run.draft.wish.fleet.is_some(),
            ),
            ("campaigns with bounds on a label", run.draft.wish.label.is_some()),
            ("campaigns in waves", !run.draft.wish.waves.is_empty()),
            ("campaigns that a person let go on", !done.gone_on.is_empty()),
            ("campaigns that a person approved of", !done.approved.is_empty()),
            ("campaigns that a person stopped", done.stopped.is_some()),
            ("campaigns left open", matches!(done.ending, Ending::Open(_))),
            (
                "campaigns stopped by others with something left",
                run.starts().len() < done.plan.units.len() && !stops(run).is_empty(),
            ),
        ];
        for (what, is_so) in some {
            counts.add(what, usize::from(is_so));
        }
        counts.befell(run, done);
        counts.add(&format!("outcome: {}", done.ended.report.outcome.as_str()), 1);
        if done.ended.report.outcome == ReportOutcome::Halted {
            counts.add(&format!("halted: {}", why(&done.ended.records)), 1);
        }
        for row in done.ended.rows.values().flatten() {
            counts.add(&format!("node: {:?}", row.outcome), 1);
        }
        counts
    }

    /// What the draws of the request came to: how often each was drawn, and what was begun all the same.
    fn add_begun(&mut self, run: &Run) {
        let wish = &run.draft.wish;
        let (starts, begun) = (run.starts().len(), run.begun().len());
        self.add("nodes begun", begun);
        match wish.sends_itself {
            true => self.add("commands that the campaign sent itself", starts),
            false => self.add("executions", starts),
        }
        let breaker = wish.breaker.as_ref();
        let alarm = breaker.and_then(|breaker| breaker.alarm.as_ref());
        let in_waves = |is_so: fn(&Wave) -> bool| wish.waves.iter().any(is_so);
        let drawn = [
            ("run-command", wish.sends_itself),
            (
                "a breaker of failures in a row",
                breaker.is_some_and(|of| of.consecutive.is_some()),
            ),
            (
                "a breaker of a share",
                breaker.is_some_and(|of| of.share.is_some()),
            ),
            ("an alarm", alarm.is_some()),
            ("an alarm that is handed on", wish.hands_an_alarm_on()),
            ("bounds on accounts or Regions", !wish.other_labels.is_empty()),
            ("offline nodes left out", wish.offline == "skip"),
            (
                "a wave of a share",
                in_waves(|wave| matches!(wave.has, Has::ShareOfLocations(_) | Has::ShareOfNodes(_))),
            ),
            ("freezes", !wish.freezes.is_empty()),
            ("change calendars", !wish.calendars.is_empty()),
            ("a cutoff", wish.cutoff.is_some()),
            (
                "a wave of so many nodes",
                in_waves(|wave| matches!(wave.has, Has::Nodes(_))),
            ),
            ("a wave that scans", in_waves(|wave| wave.own.scans)),
            (
                "a wave with its own reboots",
                in_waves(|wave| wave.own.reboot.is_some()),
            ),
            (
                "a wave with its own nodes at once",
                in_waves(|wave| wave.own.nodes.is_some()),
            ),
            (
                "a wave with its own locations at once",
                in_waves(|wave| wave.own.locations.is_some()),
            ),
            (
                "a wave with its own failures",
                in_waves(|wave| wave.own.location_errors.is_some()),
            ),
            (
                "a wave with its own fleet",
                in_waves(|wave| wave.own.in_flight.is_some() || wave.own.damaged.is_some()),
            ),
        ];
        for (what, _) in drawn.into_iter().filter(|(_, is_so)| *is_so) {
            self.add(&format!("with {what}: campaigns"), 1);
            self.add(&format!("with {what}: nodes begun"), begun);
        }
    }

    /// What befell the drivers, and what was done once the campaign was over.
    fn befell(&mut self, run: &Run, done: &Done) {
        let befell = &done.befell;
        let course = &run.draft.course;
        let some = [
            ("campaigns with calls that failed", !done.struck.is_empty()),
            ("campaigns of two drivers at once", befell.second_turns > 0),
            ("campaigns whose log lost its end", befell.lost_records > 0),
            (
                "campaigns taken up after a pause",
                course.gap > 0 && befell.killed > 0,
            ),
            (
                "campaigns that nobody could resolve",
                matches!(done.ending, Ending::Open(DriveError::Unresolved { .. })),
            ),
        ];
        for (what, is_so) in some {
            self.add(what, usize::from(is_so));
        }
        self.add("turns of a second driver", befell.second_turns);
        self.add("times that the machine slept", befell.slept);
        self.add("times that a driver stood still", befell.stood_still);
        self.add("records that a log lost", befell.lost_records);
        self.add("times that a driver gave up", befell.left_open.len());
        self.add("starts that a person had sent again", befell.sent_again);
        for ((of, how), count) in &done.struck {
            let how = match how {
                How::Lost(_) => "Lost".to_owned(),
                How::Late(_) => "Late".to_owned(),
                How::Delayed(_) => "Delayed".to_owned(),
                other => format!("{other:?}"),
            };
            self.add(&format!("calls: {of:?} {how}"), *count);
        }
        if let Some(collected) = &done.collected {
            self.add("campaigns whose results were read again", 1);
            self.add("locations whose results were read again", collected.read as usize);
        }
        for Try { which, came, .. } in &done.retries {
            let what = match came {
                Tried::Refused(CampaignError::Refused(refusal)) => {
                    let reason = refusal.reasons.first();
                    format!("refused: {}", reason.map_or("", |reason| reason.code.as_str()))
                }
                Tried::Refused(_) => "not planned".to_owned(),
                Tried::Nothing => "nothing left".to_owned(),
                Tried::Ran(retry) => match &retry.result {
                    Ok(done) => done.ended.report.outcome.as_str().to_owned(),
                    Err(_) => continue,
                },
            };
            self.add(&format!("again: {which:?} {what}"), 1);
            if let Tried::Ran(retry) = came {
                let rows = retry.result.iter().flat_map(|done| done.ended.rows.values());
                self.add("nodes that were tried again", rows.map(Vec::len).sum());
            }
        }
    }

    fn add(&mut self, what: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        match self.0.get_mut(what) {
            Some(sum) => *sum += count,
            None => drop(self.0.insert(what.to_owned(), count)),
        }
    }

    /// Adds what others counted.
    pub fn merge(&mut self, others: &Self) {
        for (what, count) in &others.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// How often this happened, in the words of [`Display`](fmt::Display).
    #[must_use]
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// All things that are counted, with their number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }
}

/// Why a campaign is halted, in a few words.
fn why(records: &[Record]) -> &'static str {
    match fold(records).ok().and_then(|state| state.stop_reason()) {
        None => "something was left out",
        Some(StopReason::Budget { .. }) => "too many locations failed",
        Some(StopReason::Fleet(_)) => "a bound on the fleet",
        Some(StopReason::Wave(_)) => "a budget of a wave",
        Some(StopReason::Label { .. }) => "a bound on a label",
        Some(StopReason::Breaker(BreakerStop::Consecutive { .. })) => "failures in a row",
        Some(StopReason::Breaker(BreakerStop::Share { .. })) => "a share that failed",
        Some(StopReason::Breaker(BreakerStop::Alarm { .. })) => "the alarm",
        Some(StopReason::Breaker(BreakerStop::StoppedForAlarm { .. })) => "AWS stopped it for the alarm",
        Some(StopReason::Gate { .. }) => "a gate",
        Some(StopReason::RunbookChanged { .. }) => "the runbook",
        Some(StopReason::CancelledElsewhere { .. }) => "somebody's cancel",
        Some(StopReason::Asked(_)) => "a person",
        Some(StopReason::Refused(_)) => "AWS refused a start",
        Some(StopReason::BrokenOff(_)) => "an execution that broke off",
        Some(StopReason::Cutoff { .. } | StopReason::PastCutoff { .. }) => "the cutoff",
        Some(_) => "something else",
    }
}

/// A line for each thing.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|(what, count)| writeln!(f, "{count:>12}  {what}"))
    }
}
