//! What has happened to a unit and to its locations.

use super::{ASK_AGAIN_AFTER, LabelStop};
use crate::budget::Seconds;
use crate::campaign::clocks::Placed;
use crate::campaign::ledger::UnitCounts;
use crate::campaign::{AlarmStop, NotWell, StopMode};
use crate::id::{CommandId, ExecutionId, Location, NodeId, RowsDigest, UnitId, WriterId};
use crate::outcome::LocationOutcome;
use crate::outcome::Tally;
use crate::plan::Unit;
use crate::port::{CommandCounts, ExecutionStatus, PortErrorKind, StartRequest, StopType};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What has happened to a unit so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitState {
    /// How far its start is.
    pub start: StartState,
    /// Its locations. Each settles exactly once.
    pub locations: BTreeMap<Location, LocationState>,
    /// The execution's last status, once it is over and every location has settled.
    pub ended: Option<ExecutionStatus>,
    /// The nodes that its plan names; empty if it says in another way which nodes it means.
    pub named: BTreeSet<NodeId>,
    /// Those of them that its next attempt leaves out, because Run Command refused the command that
    /// named them.
    pub away: BTreeSet<NodeId>,
    /// Whether it names other nodes than when it was planned or added, or was added for some of another's.
    pub is_part: bool,
    /// Whether a person had its start sent again: its nodes may have been sent two commands.
    pub was_sent_again: bool,
    /// How many attempts were refused in this way, and so had no effect.
    pub refused_attempts: u32,
    /// AWS's words on the last of them.
    pub not_sent: Option<String>,
    /// When it is begun again at the earliest.
    pub not_before: Option<Timestamp>,
    /// The plan's unit whose locations it has, if that unit's execution was cancelled before it reached them.
    pub instead_of: Option<UnitId>,
    /// The `TimeoutSeconds` that was sent with its start.
    pub timeout: Option<Seconds>,
    /// Whether its own execution was seen to wait at AWS for a while.
    pub waits: bool,
    /// How many attempts other units had that had its locations before it. The rows that they kept are older.
    pub earlier_attempts: u32,
    /// That its execution is stopped by the campaign, if it is.
    pub stop: Option<Stop>,
    /// That AWS stops it for the alarm that it was started with, if it does.
    pub stopped_for_alarm: Option<AlarmStop>,
    /// Whether the log says that it is not begun any more, unless a person says that the campaign goes on.
    pub left_out: bool,
    /// Which value of a label was used up when it was left out, if that was the reason.
    pub kept_back: Option<LabelStop>,
    pub(in crate::campaign) counts: UnitCounts,
}

/// How far the start of a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StartState {
    /// Nothing was sent.
    NotStarted,
    /// Sent, or about to be. Whether it took effect is not known while anything is in doubt.
    Intended(Box<Intent>),
    /// It took effect.
    Started {
        /// Which attempt, from 1.
        attempt: u32,
        /// AWS's execution.
        execution: ExecutionId,
        /// When the log said so first.
        at: Timestamp,
    },
    /// AWS refused it.
    Refused {
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
    /// Nobody knows, and it is not sent again unless a person says so. It may run, so it keeps its places, and
    /// each of its locations may have failed.
    Unresolved {
        /// What was sent.
        intent: Box<Intent>,
        /// What is known.
        detail: String,
    },
}

/// A start that has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    /// From 1.
    pub attempt: u32,
    /// When this attempt was first intended.
    pub since: Timestamp,
    /// The exact request.
    pub request: StartRequest,
    /// Every sending without an answer, in the order of the log. Empty: each sending so far was answered by
    /// "not now", so none took effect.
    pub in_doubt: Vec<Sending>,
    /// AWS's last "not now".
    pub deferred: Option<(PortErrorKind, String)>,
    /// Whether it was sent before a person had it sent again ([`Event::SendAgain`](crate::campaign::Event)). What
    /// was sent then may have taken effect, whatever AWS answers now.
    pub sent_before: bool,
}

/// One sending of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Sending {
    /// Who sent it.
    pub writer: WriterId,
    /// When, as far as its reader knows. Waits are counted from here.
    pub at: Timestamp,
    /// It was not sent before this. The age of its client token is counted from here. `None`: nobody knows how old
    /// it is, because the clock of whoever sent it is ahead.
    pub not_before: Option<Timestamp>,
}

/// A stop of a unit's execution by the campaign itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    /// How it is stopped.
    pub kind: StopType,
    /// What became of that.
    pub standing: StopStanding,
}

/// What became of a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum StopStanding {
    /// It was sent, or is about to be.
    Intended,
    /// AWS has taken it.
    Taken,
    /// AWS had taken it, and the execution began something long after.
    InVain,
    /// AWS does not take it, for this reason, in its words.
    Refused(PortErrorKind, String),
}

impl Stop {
    /// Whether what becomes of the execution may be its doing.
    #[must_use]
    pub(crate) fn may_have_worked(&self) -> bool {
        !matches!(self.standing, StopStanding::Refused(..))
    }

    /// The stop that is to be tried now, if one is. `asked` is how a person has the campaign stopped.
    pub(in crate::campaign) fn next(stop: Option<&Self>, asked: Option<StopMode>) -> Option<StopType> {
        let cancels = asked == Some(StopMode::CancelCommands);
        match stop.map(|stop| (stop.kind, &stop.standing)) {
            None | Some((StopType::Complete, _)) if cancels => Some(StopType::Cancel),
            None => Some(StopType::Complete),
            Some((kind, StopStanding::Intended)) => Some(kind),
            Some((StopType::Complete, StopStanding::InVain | StopStanding::Refused(..))) => {
                Some(StopType::Cancel)
            }
            Some(_) => None,
        }
    }
}

/// What has happened to a location so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LocationState {
    /// Its step's status; `None` before it was first seen.
    pub status: Option<ExecutionStatus>,
    /// When its step was first seen to be over, by the log's clock.
    pub ended_at: Option<Timestamp>,
    /// The execution there.
    pub child: Option<ExecutionId>,
    /// When the log said so first.
    pub child_at: Option<Timestamp>,
    /// Whether that execution was seen to wait at AWS for a while.
    pub waits: bool,
    /// AWS's words on why the step failed; empty if it did not.
    pub failure: String,
    /// When the last command there expires as a whole, by AWS's clock.
    pub expires_at: Option<Timestamp>,
    /// The commands that patch there, with their counts. A runbook of one's own may send several.
    pub commands: BTreeMap<CommandId, CommandCounts>,
    /// When its command was first seen to be over, by the log's clock, if some of its results were late
    /// then.
    pub command_ended_at: Option<Timestamp>,
    /// What became of it, once that is known.
    pub settled: Option<Settled>,
}

/// What became of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settled {
    /// What became of it.
    pub outcome: LocationOutcome,
    /// What became of its nodes.
    pub nodes: Tally,
    /// How many of those that were not reached did not answer when the plan was made.
    pub offline_before: u32,
    /// The outcome in words; empty if it needs none.
    pub detail: String,
    /// Which of its nodes did not end well, where a bound on the values of a label has to know.
    pub not_well: NotWell,
    /// Which node came to what by its row. `None` without rows, and by the log of a version that wrote none down.
    pub rows: Option<RowsDigest>,
    /// When.
    pub at: Timestamp,
    /// How many locations had settled before it.
    pub number: u64,
}
impl UnitState {
    pub(super) fn new(planned: &Unit) -> Self {
        let locations = planned
            .locations()
            .map(|location| (location, LocationState::default()));
        Self {
            start: StartState::NotStarted,
            locations: locations.collect(),
            ended: None,
            named: planned.nodes.iter().flatten().cloned().collect(),
            away: BTreeSet::new(),
            is_part: false,
            was_sent_again: false,
            refused_attempts: 0,
            not_sent: None,
            not_before: None,
            instead_of: None,
            timeout: None,
            waits: false,
            earlier_attempts: 0,
            stop: None,
            stopped_for_alarm: None,
            left_out: false,
            kept_back: None,
            counts: UnitCounts::default(),
        }
    }

    /// The unit with one location alone, and with these nodes that it names.
    pub(super) fn within(
        &self,
        location: &Location,
        at: Option<LocationState>,
        named: BTreeSet<NodeId>,
    ) -> Self {
        Self {
            start: self.start.clone(),
            locations: at.into_iter().map(|at| (location.clone(), at)).collect(),
            ended: self.ended.clone(),
            named,
            away: self.away.clone(),
            is_part: self.is_part,
            was_sent_again: self.was_sent_again,
            refused_attempts: self.refused_attempts,
            not_sent: self.not_sent.clone(),
            not_before: self.not_before,
            instead_of: self.instead_of,
            timeout: self.timeout,
            waits: self.waits,
            earlier_attempts: self.earlier_attempts,
            stop: self.stop.clone(),
            stopped_for_alarm: self.stopped_for_alarm.clone(),
            left_out: self.left_out,
            kept_back: self.kept_back.clone(),
            counts: UnitCounts::default(),
        }
    }

    /// Nothing was sent: as if it had not been begun, but for the nodes that are away.
    pub(super) fn not_sent(&mut self, refused: u32, away: &[NodeId], detail: &str, at: Timestamp) {
        let attempt = match &self.start {
            StartState::Started { attempt, .. } => *attempt,
            // patchfleet sent the command itself, and was refused.
            StartState::Intended(intent) => intent.attempt,
            _ => return,
        };
        if attempt != refused {
            return;
        }
        self.start = StartState::NotStarted;
        self.ended = None;
        self.stop = None;
        self.stopped_for_alarm = None;
        for location in self.locations.values_mut() {
            *location = LocationState::default();
        }
        self.away.extend(away.iter().cloned());
        self.refused_attempts = refused;
        self.not_sent = Some(detail.to_owned());
        // Who is away may be seen only later: Systems Manager's list of nodes lags.
        self.not_before = away
            .is_empty()
            .then(|| at.checked_add(ASK_AGAIN_AFTER).unwrap_or(at));
    }

    /// Whether each node that it names is away.
    #[must_use]
    pub(crate) fn has_nobody_left(&self) -> bool {
        !self.named.is_empty() && self.named.is_subset(&self.away)
    }

    pub(super) fn intend(&mut self, attempt: u32, request: &StartRequest, writer: WriterId, placed: Placed) {
        let doubt = Sending {
            writer,
            at: placed.at,
            not_before: placed.not_before,
        };
        match &mut self.start {
            StartState::NotStarted => {
                self.start = StartState::Intended(Box::new(Intent {
                    attempt,
                    since: placed.at,
                    request: request.clone(),
                    in_doubt: vec![doubt],
                    deferred: None,
                    sent_before: false,
                }));
            }
            StartState::Intended(intent) if intent.attempt == attempt => {
                if intent.in_doubt.is_empty() && !intent.sent_before {
                    // Nothing that was sent before took effect, so this may differ from it.
                    intent.request = request.clone();
                }
                intent.in_doubt.push(doubt);
            }
            _ => {}
        }
    }

    /// Whether each of its locations has settled.
    pub(in crate::campaign) fn has_settled(&self) -> bool {
        usize::try_from(self.counts.settled).is_ok_and(|settled| settled == self.locations.len())
    }

    /// Whether nothing more will happen in the unit.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        let settled = self.has_settled();
        match self.start {
            StartState::Started { .. } => settled && self.ended.is_some(),
            StartState::Intended(_) => false,
            StartState::NotStarted | StartState::Refused { .. } | StartState::Unresolved { .. } => settled,
        }
    }

    /// Whether the log says that it is not begun: in so many words, or because some location of it has settled
    /// without a start. Such a unit stays so, unless a person says that the campaign goes on.
    #[must_use]
    pub(crate) fn is_left_out(&self) -> bool {
        !self.is_begun() && (self.left_out || self.counts.settled > 0)
    }

    /// Whether locations of it wait for their turn in an execution that runs and could still be stopped. A person who
    /// has commands cancelled has every execution stopped that runs.
    pub(in crate::campaign) fn could_be_stopped(&self, asked: Option<StopMode>) -> bool {
        let runs = matches!(self.start, StartState::Started { .. }) && self.ended.is_none();
        let concerns = match asked {
            Some(StopMode::CancelCommands) => !self.has_settled(),
            _ => self.counts.waiting > 0,
        };
        runs && concerns && Stop::next(self.stop.as_ref(), asked).is_some()
    }

    /// Whether what it did not begin may be the doing of the campaign's own stop, or of AWS for the alarm.
    pub(in crate::campaign) fn may_be_stopped(&self) -> bool {
        self.stopped_for_alarm.is_some() || self.stop.as_ref().is_some_and(Stop::may_have_worked)
    }

    /// Whether what is cancelled in its locations may be the doing of the campaign's own stop, or of AWS for the alarm.
    pub(in crate::campaign) fn may_cancel_below(&self) -> bool {
        let stop = self.stop.as_ref();
        self.stopped_for_alarm.is_some()
            || stop.is_some_and(|stop| stop.may_have_worked() && stop.kind == StopType::Cancel)
    }

    /// Whether the results of its locations are to be read, as far as the log tells.
    pub(in crate::campaign) fn is_to_be_collected(&self) -> bool {
        match self.start {
            StartState::Started { .. } | StartState::Refused { .. } => true,
            StartState::NotStarted => self.is_left_out(),
            StartState::Intended(_) | StartState::Unresolved { .. } => false,
        }
    }

    /// What was sent, or is about to be, while nobody knows whether it took effect.
    pub(in crate::campaign) fn intent(&self) -> Option<&Intent> {
        match &self.start {
            StartState::Intended(intent) | StartState::Unresolved { intent, .. } => Some(intent),
            _ => None,
        }
    }

    /// Whether nobody knows if its start took effect, and a person has to say what becomes of it.
    #[must_use]
    pub(crate) fn is_unresolved(&self) -> bool {
        matches!(self.start, StartState::Unresolved { .. }) && !self.has_settled()
    }

    /// A person has its start sent again: the same bytes, with the same client token.
    pub(super) fn send_again(&mut self, at: Timestamp) {
        if !self.is_unresolved() {
            return;
        }
        self.was_sent_again = true;
        if let StartState::Unresolved { intent, .. } = &self.start {
            self.start = StartState::Intended(Box::new(Intent {
                since: at,
                in_doubt: vec![],
                deferred: None,
                sent_before: true,
                ..(**intent).clone()
            }));
        }
    }

    /// Whether a start was intended.
    #[must_use]
    pub(crate) fn is_begun(&self) -> bool {
        !matches!(self.start, StartState::NotStarted)
    }
}

impl LocationState {
    /// Whether nothing was begun there, as far as the log tells. The step of a location that was not reached
    /// stays Pending (documented). It is not documented that a cancel does not end it as Cancelled.
    pub(super) fn is_untouched(&self) -> bool {
        let status = self.status.as_ref();
        self.child.is_none()
            && self.commands.is_empty()
            && status
                .is_none_or(|status| matches!(status, ExecutionStatus::Pending | ExecutionStatus::Cancelled))
            && self.outcome().is_none_or(|outcome| {
                matches!(outcome, LocationOutcome::Cancelled | LocationOutcome::NotStarted)
            })
    }

    /// The counts of its commands together; `None` if none is known. A node that several were sent to counts
    /// once in each.
    #[must_use]
    pub(crate) fn counts(&self) -> Option<CommandCounts> {
        self.commands.values().copied().reduce(CommandCounts::plus)
    }

    /// What became of it, once that is known.
    #[must_use]
    pub(crate) fn outcome(&self) -> Option<LocationOutcome> {
        self.settled.as_ref().map(|settled| settled.outcome)
    }

    /// Whether nothing is known to run or to have run there: its unit was not begun, or its step was not
    /// reached.
    #[must_use]
    pub(crate) fn is_waiting(&self) -> bool {
        self.settled.is_none() && matches!(self.status, None | Some(ExecutionStatus::Pending))
    }
}
