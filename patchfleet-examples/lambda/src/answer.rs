//! What the function answers.

mod cut;
mod planned;
mod report;
mod summary;

pub use planned::Planned;
pub use report::Reported;
pub use summary::{Execution, Summary};

use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::{Progress, SoFar, State};
use patchfleet_core::id::CampaignId;
use patchfleet_core::report::{Report, ReportOutcome};
use patchfleet_core::text::one_line;
use serde::Serialize;

/// The answer to one delivery.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A campaign that nobody follows was started.
    Fired(Summary),
    /// An event was planned.
    Planned(Planned),
    /// A campaign was written down, with what is planned.
    Begun {
        /// How it stands.
        #[serde(flatten)]
        standing: Standing,
        /// What is planned.
        #[serde(flatten)]
        planned: Planned,
    },
    /// A campaign was driven.
    Driven {
        /// How it stands.
        #[serde(flatten)]
        standing: Standing,
        /// How often it was driven, as the caller counts.
        turn: u64,
    },
    /// A campaign's report.
    Reported(Reported),
    /// Results were read again.
    Collected {
        /// The campaign's report, with what was read.
        #[serde(flatten)]
        reported: Reported,
        /// How many locations have all their results now that could not be read before.
        read: u32,
        /// What still cannot be read, a line each.
        unread: Vec<String>,
    },
    /// Nothing was to be done.
    Nothing {
        /// `none_open` for a stop where no campaign is open, or `ignored`.
        status: &'static str,
        /// Why.
        reason: String,
    },
}

/// How a campaign that is written down stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The campaign, or its second attempt, once that has begun.
    pub campaign_id: CampaignId,
    /// `open` or `over`.
    pub status: &'static str,
    /// How it ended, once it is over. `handed_over` while it is open and a state machine drives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// The exit code of `patchfleet run` that says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// In how many seconds it is to be driven on, from 1 to 3,600, while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<i64>,
    /// How far it is, while it is open and that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<SoFar>,
    /// Why the next execution is not begun, while something keeps it from being begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// How many executions and locations AWS did not let patchfleet stop. More of them may have been patched after the stop.
    /// The report names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_stopped: Option<usize>,
    /// Why the nodes that it did not reach are not tried once more, if that was asked for and cannot be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_tried_again: Option<String>,
}

impl Standing {
    /// One that is open and to be driven on at once. How far it is is not known.
    pub(crate) fn open(campaign_id: CampaignId) -> Self {
        Self {
            campaign_id,
            status: "open",
            outcome: None,
            exit_code: None,
            wait_seconds: Some(wait(SignedDuration::ZERO)),
            running: None,
            waits_for: None,
            not_stopped: None,
            not_tried_again: None,
        }
    }

    /// The same, of a second attempt that is over, with what it and the first campaign came to together.
    pub(crate) fn with_first(self, first: &Report, second: &Report) -> Self {
        let (outcome, exit_code) = report::of_both(first, second);
        Self {
            outcome: Some(outcome.as_str()),
            exit_code: Some(exit_code),
            ..self
        }
    }

    /// The same, of one that a state machine drives.
    pub(crate) fn handed_over(self) -> Self {
        Self {
            outcome: Some("handed_over"),
            wait_seconds: None,
            ..self
        }
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.exit_code.is_some()
    }

    /// As its log says. One that is open is to be driven at `wake_at`.
    pub(crate) fn of(state: &State, wake_at: Timestamp, now: Timestamp) -> Self {
        let not_stopped = state.not_stopped().len();
        let open = Self {
            not_stopped: (not_stopped > 0).then_some(not_stopped),
            ..Self::open(state.campaign())
        };
        let Some((outcome, _)) = state.finished() else {
            let holds = state.holds(now.max(state.last_at()));
            return Self {
                wait_seconds: Some(wait(wake_at.duration_since(now))),
                running: Some(state.locations_so_far()),
                waits_for: holds.first().map(|hold| one_line(&hold.reason.to_string())),
                ..open
            };
        };
        let outcome = ReportOutcome::from(Some(outcome));
        Self {
            status: "over",
            outcome: Some(outcome.as_str()),
            exit_code: Some(outcome.exit_code()),
            wait_seconds: None,
            ..open
        }
    }

    /// What came of driving it.
    pub(crate) fn after(progress: &Progress, now: Timestamp) -> Self {
        match progress {
            Progress::Finished(state) => Self::of(state, now, now),
            Progress::Paused { state, wake_at } => Self::of(state, *wake_at, now),
        }
    }
}

/// In how many seconds, rounded up, so that whoever waits does not come too early.
fn wait(time: SignedDuration) -> i64 {
    let seconds = time.as_secs().saturating_add(i64::from(time.subsec_nanos() > 0));
    seconds.clamp(1, 3_600)
}
