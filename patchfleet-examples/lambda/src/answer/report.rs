//! A campaign's report, for a state machine and for whoever it notifies.

use super::cut;
use patchfleet_aws::S3Uri;
use patchfleet_core::campaign::{NotStopped, StopAsked};
use patchfleet_core::id::{CampaignId, RequestName};
use patchfleet_core::outcome::LocationOutcome;
use patchfleet_core::report::{
    ExecutionReport, LocationReport, NodeReport, Report, ReportOutcome, Totals, UnresolvedReport,
};
use patchfleet_core::text::{counted, in_log, one_line};
use serde::Serialize;
use std::fmt::Write as _;

/// The longest `message`, in bytes as JSON. SNS takes 256 KiB, an e-mail is read by people.
const MESSAGE: usize = 30_000;

/// The longest subject that SNS takes, in characters (SNS API reference, Publish).
const SUBJECT: usize = 100;

/// A campaign's report. Lists are cut so that the answer stays below 200 KiB.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reported {
    /// The campaign. Of a second attempt it is the first campaign, whose report has that of the second one.
    pub campaign_id: CampaignId,
    /// Its request's name.
    pub request: RequestName,
    /// `open` or `over`.
    pub status: &'static str,
    /// How it ended: `succeeded`, `partial`, `halted`, `nothing_to_do`, `refused`, or `open`.
    pub outcome: ReportOutcome,
    /// The exit code of `patchfleet run` that says the same.
    pub exit_code: u8,
    /// What to call the message: at most 100 characters of ASCII.
    pub subject: String,
    /// The report for people, in less than 30 KiB, with the command that gives the whole.
    pub message: String,
    /// The sums.
    pub totals: Totals,
    /// Why locations were never begun, if that is so of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out_because: Option<String>,
    /// Who had it stopped, when and how, if somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_asked: Option<StopAsked>,
    /// What AWS did not let the function stop. It went on to its end, or runs still.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_stopped: Vec<NotStopped>,
    /// Units of which nobody knows whether AWS started them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<UnresolvedReport>,
    /// What AWS started.
    pub executions: Vec<ExecutionReport>,
    /// The planned locations: first those that did not reach their goal.
    pub locations: Vec<LocationReport>,
    /// The nodes that did not reach their goal.
    pub needs_action: Vec<NodeReport>,
    /// How many entries of these lists are left out, since the answer would be too large with them.
    #[serde(skip_serializing_if = "NotShown::is_nothing")]
    pub not_shown: NotShown,
    /// The report of the second attempt. `status`, `outcome`, `exit_code`, `subject` and `message` above are then of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_attempt: Option<Box<Self>>,
}

/// How many entries of the lists of a report are left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotShown {
    /// Of `locations`.
    pub locations: usize,
    /// Of `needs_action`.
    pub needs_action: usize,
    /// Of `executions`.
    pub executions: usize,
    /// Of `unresolved`.
    pub unresolved: usize,
    /// Of `not_stopped`.
    pub not_stopped: usize,
}

impl NotShown {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Reported {
    /// This report, of a campaign whose log is there, and whose plan warned of this.
    pub(crate) fn of(report: Report, warnings: &[String], log: &S3Uri) -> Self {
        Self::within(cut::Room::of_an_answer(), MESSAGE, report, warnings, log)
    }

    /// The reports of a campaign and of its second attempt, each with what its plan warned of.
    pub(crate) fn of_both(first: (Report, &[String]), second: (Report, &[String]), log: &S3Uri) -> Self {
        let (outcome, exit_code) = of_both(&first.0, &second.0);
        let half = |(report, warnings)| {
            Self::within(cut::Room::of_half_an_answer(), MESSAGE / 2, report, warnings, log)
        };
        let (first, second) = (half(first), half(second));
        Self {
            status: second.status,
            outcome,
            exit_code,
            subject: subject(outcome, &first.request),
            message: format!("{}\nThe second attempt\n\n{}", first.message, second.message),
            second_attempt: Some(Box::new(second)),
            ..first
        }
    }

    /// The same, whose message says that a second attempt was asked for and there is none.
    pub(crate) fn without_second(self) -> Self {
        let words = "What it did not reach was to be tried once more, and nothing of that has begun. If it could not be planned, the \
                     function's log says why.";
        Self {
            message: format!("{words}\n{}", self.message),
            ..self
        }
    }

    /// The same as [`of`](Self::of), with so much room for lists and the message.
    fn within(mut room: cut::Room, most: usize, report: Report, warnings: &[String], log: &S3Uri) -> Self {
        let exit_code = report.exit_code();
        let subject = subject(report.outcome, &report.request);
        let message = message(&report, warnings, log, most);
        let (reached, short): (Vec<_>, Vec<_>) = report.locations.into_iter().partition(|at| {
            matches!(
                at.outcome,
                Some(LocationOutcome::Succeeded | LocationOutcome::Emptied)
            )
        });
        let (unresolved, no_unresolved) = room.fit(report.unresolved);
        let (not_stopped, no_not_stopped) = room.fit(report.not_stopped);
        let (mut locations, no_short) = room.fit(short);
        let (executions, no_executions) = room.fit(report.executions);
        let (needs_action, no_nodes) = room.fit(report.needs_action);
        let (reached, no_reached) = room.fit(reached);
        locations.extend(reached);
        Self {
            campaign_id: report.campaign_id,
            request: report.request,
            status: match report.outcome {
                ReportOutcome::Open => "open",
                _ => "over",
            },
            outcome: report.outcome,
            exit_code,
            subject,
            message,
            totals: report.totals,
            left_out_because: report.left_out_because,
            stop_asked: report.stop_asked,
            not_stopped,
            unresolved,
            executions,
            locations,
            needs_action,
            not_shown: NotShown {
                locations: no_short + no_reached,
                needs_action: no_nodes,
                executions: no_executions,
                unresolved: no_unresolved,
                not_stopped: no_not_stopped,
            },
            second_attempt: None,
        }
    }
}

/// What a campaign and its second attempt came to together: the outcome, and the exit code.
pub(super) fn of_both(first: &Report, second: &Report) -> (ReportOutcome, u8) {
    let exit_code = first.exit_code_with(second);
    let outcome = match (second.outcome, exit_code) {
        (ReportOutcome::Open, _) => ReportOutcome::Open,
        (_, 0) => ReportOutcome::Succeeded,
        (ReportOutcome::Halted, _) => ReportOutcome::Halted,
        _ => first.outcome,
    };
    (outcome, exit_code)
}

/// One line for a mailbox. What is no ASCII is replaced, since SNS takes nothing else.
fn subject(outcome: ReportOutcome, request: &RequestName) -> String {
    let ended = match outcome {
        ReportOutcome::Succeeded => "succeeded",
        ReportOutcome::Partial => "not everything was patched",
        ReportOutcome::Halted => "halted",
        ReportOutcome::NothingToDo => "nothing to do",
        ReportOutcome::Open => "open",
        ReportOutcome::Refused => "refused, another campaign is open",
        _ => outcome.as_str(),
    };
    let words = format!("patchfleet {ended}: {request}");
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let plain = words.chars().map(|c| if is_plain(c) { c } else { '?' });
    plain.take(SUBJECT).collect()
}

/// The report for people, and below it what the plan warned of: whoever reads it has not seen the plan.
fn message(report: &Report, warnings: &[String], log: &S3Uri, most: usize) -> String {
    let id = report.campaign_id;
    let named = |words: &str| in_log(words, Some(log.to_string().as_ref()));
    let whole = named(&format!("The whole report: `patchfleet report {id}`"));
    let warned = warned(warnings);
    let text = format!("{whole}\n\n{}", named(&report.to_text()));
    let room = most.saturating_sub(warned.len());
    cut::text(&text, room, "… and more, in the whole report\n") + &warned
}

/// How many warnings of a plan are shown, and how many characters of each.
const WARNINGS: (usize, usize) = (20, 400);

/// What the plan warned of, a line each.
fn warned(warnings: &[String]) -> String {
    let (most, long) = WARNINGS;
    let mut text = String::new();
    for (n, warning) in warnings.iter().take(most).enumerate() {
        if n == 0 {
            text.push_str("\nThe plan warned:\n");
        }
        let line: String = one_line(warning).chars().take(long).collect();
        let more = if one_line(warning).chars().count() > long {
            "…"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- {line}{more}");
    }
    if let Some(more) = warnings.len().checked_sub(most).filter(|more| *more > 0) {
        let _ = writeln!(text, "- and {}", counted(more, "more warning"));
    }
    text
}
