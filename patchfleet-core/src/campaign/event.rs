//! What a campaign's log says.

use crate::id::{
    CampaignId, CommandId, ExecutionId, Location, NodeId, RequestName, RowsDigest, UnitId, WriterId,
};
use crate::outcome::Tally;
use crate::outcome::{FinishedOutcome, LocationOutcome};
use crate::plan::Plan;
use crate::port::{CommandCounts, ExecutionStatus, PortErrorKind, StartRequest, StopType};
use crate::runbook::RunbookChange;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod alarm;
mod calendars;
mod digest;
mod not_well;
mod stop;

pub use alarm::{AlarmSaid, AlarmStop};
pub use calendars::CalendarsSaid;
pub use digest::{ParseDigestError, RecordDigest};
pub use not_well::NotWell;
pub(crate) use stop::AT_CUTOFF;
pub use stop::{NotStopped, StopAsked, StopMode};

/// The version of the records that this version writes. A log of another one is not read and never written to:
/// who does not know an event such as [`CancelledElsewhere`](Event::CancelledElsewhere) would go on after a stop.
pub const RECORD_FORMAT: u32 = 3;

/// What one turn of a driver's loop (or a person) appended. [`Chain::record`](super::Chain::record) makes the next
/// one of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number in its log, from 0, without gaps.
    pub seq: u64,
    /// What it follows: the digest of the record before it, or of the log's name if it is the first.
    pub after: RecordDigest,
    /// When it was made, by the clock of the machine that made it. Clocks differ, so it may be before the record
    /// before it: the order of records is that of their numbers. Nobody waits for another machine's clock.
    pub at: Timestamp,
    /// Who appended it.
    pub writer: WriterId,
    /// What happened, in this order.
    pub events: Vec<Event>,
}

impl Record {
    /// The name of the request, if this is record 0 of a campaign's log.
    #[must_use]
    pub fn request_name(&self) -> Option<&RequestName> {
        self.events.iter().find_map(|event| match event {
            Event::Planned { plan, .. } => Some(&plan.request.name),
            _ => None,
        })
    }

    /// Whether the campaign was refused its name with this record, and has sent nothing.
    pub(super) fn refuses_name(&self) -> bool {
        matches!(self.events.last(), Some(Event::NameTaken { .. }))
    }

    /// Whether the campaign is over with this record, as far as this record says.
    pub(super) fn ends_campaign(&self) -> bool {
        let mut events = self.events.iter().rev();
        let last = events.find(|event| matches!(event, Event::Finished { .. } | Event::GoneOn { .. }));
        matches!(last, Some(Event::Finished { .. }))
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Initial, and only in record 0 of a campaign's log: what is run, and from where.
    Planned {
        /// [`RECORD_FORMAT`].
        format: u32,
        /// The campaign.
        campaign: CampaignId,
        /// Its plan, with the request, the central account and the central Region.
        plan: Box<Plan>,
    },
    /// In a name's log: the campaign that has the request's name now. In a campaign's own log, before anything is
    /// sent: it has its name, and may begin. A campaign without that record has sent nothing.
    Claimed {
        /// The campaign.
        campaign: CampaignId,
    },
    /// Another campaign had the request's name when this one was to begin. Nothing of it was sent, and it is not open.
    /// Whoever begins it again when the name is free has it go on ([`Claimed`](Self::Claimed)).
    NameTaken {
        /// The campaign that had the name.
        by: CampaignId,
    },
    /// Nobody drove the campaign for long. Whoever went on with it then has nothing more of it begun: what
    /// was begun is followed to its end, and the rest is left out.
    Unattended {
        /// When somebody last drove it: the last record that shows a driver to whom AWS answered.
        since: Timestamp,
    },
    /// A driver follows the campaign and AWS answers it, but nothing has changed for five
    /// minutes. Written only while something is left to begin.
    Watched,
    /// What the change calendars of the request say, if it is not what they said last. Nothing begins unless they are open.
    CalendarsSaid {
        /// What.
        #[serde(flatten)]
        said: CalendarsSaid,
    },
    /// What the CloudWatch alarm of the request says, if it is not what it said last. Once it was in the state ALARM nothing more
    /// is begun, for good, whatever it says later. Nothing begins while nobody knows.
    AlarmSaid {
        /// What.
        #[serde(flatten)]
        said: AlarmSaid,
    },
    /// A driver that stops for now has looked for starts that the log may have lost, and cannot tell yet whether there
    /// are any: it cannot be seen, or AWS may show only later what was sent. Whoever goes on within a quarter of an hour
    /// counts from here. Written at most every five minutes. A driver that goes on elsewhere says only since when it cannot be seen.
    StillLooking {
        /// Whether it goes on elsewhere. Who comes next looks by itself then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        elsewhere: bool,
        /// Why it cannot be seen; `None`: AWS answered, and so soon that it does not count.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<PortErrorKind>,
        /// AWS's words; empty if it answered.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// A start is about to be sent. From here on it may have taken effect. Stands before every
    /// sending, also of the same request again.
    StartIntended {
        /// The unit.
        unit: UnitId,
        /// From 1.
        attempt: u32,
        /// The exact request, but for the client token, which follows from campaign, unit and
        /// attempt.
        request: StartRequest,
    },
    /// AWS has started (or had started) the unit.
    Started {
        /// The unit.
        unit: UnitId,
        /// AWS's execution.
        execution: ExecutionId,
    },
    /// AWS did not take the start for now: what this writer sent last had no effect, and is sent
    /// again later, with the same client token.
    StartDeferred {
        /// The unit.
        unit: UnitId,
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
    /// A start that AWS had put off is not sent, because nothing more may begin: the unit is as if it
    /// had not been begun.
    StartWithdrawn {
        /// The unit.
        unit: UnitId,
        /// AWS's words on why it was put off.
        detail: String,
    },
    /// AWS refused the start, or put it off for too long: it had no effect and will have none. Ends
    /// the unit.
    StartRefused {
        /// The unit.
        unit: UnitId,
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
    /// A person has the campaign stopped: nothing more of it is begun, for good, and what was begun is stopped. Whoever
    /// drives the campaign does so, and still collects what became of every node. Said again, it has what AWS refused
    /// tried once more.
    StopAsked {
        /// Who: a name for the log, as far as it is known.
        by: String,
        /// What becomes of what runs. Of several, the one that stops more counts.
        mode: StopMode,
    },
    /// A person approves of a wave that is over, so that the next one may begin although the request asks for an
    /// approval, or the gate of the wave is inconclusive. It counts until more of the wave is begun.
    Approved {
        /// The number of the wave, from 1.
        wave: u32,
        /// Who: a name for the log, as far as it is known.
        by: String,
    },
    /// A person closes the campaign: AWS knew nothing of what it had begun and was not over, and all of that was past
    /// its end. What follows in the same record says what is known of each location.
    Abandoned {
        /// Who: a name for the log, as far as it is known.
        by: String,
    },
    /// Somebody else cancelled what this campaign had started: nothing more is begun until a person
    /// says so ([`GoneOn`](Self::GoneOn)).
    CancelledElsewhere {
        /// The unit.
        unit: UnitId,
        /// The location in which it was cancelled; `None`: the unit's execution.
        location: Option<Location>,
    },
    /// AWS has a reason to stop the unit's execution, which was started with the CloudWatch alarm of the request. What is
    /// cancelled of it is no cancel by somebody else. Nothing more is begun, for good.
    StoppedForAlarm {
        /// The unit.
        unit: UnitId,
        /// The reason.
        #[serde(flatten)]
        alarm: AlarmStop,
    },
    /// A person says that the campaign goes on, whatever was cancelled before. It is open again, and
    /// what had not been begun is begun. What was cancelled stays so.
    GoneOn {
        /// Who: a name for the log, as far as it is known.
        by: String,
        /// Units that are added after the last one, in this order. They take the locations that cancelled
        /// executions never began.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        begin: Vec<Replacement>,
        /// Executions that turned up in locations which seemed never to have been begun. The locations are open
        /// again, and their results are read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        found: Vec<TurnedUp>,
    },
    /// A unit that was not begun names fewer nodes from now on, because a bound on the fleet has no room for all of them. A unit
    /// with the others is added after the last one.
    Divided {
        /// The unit.
        unit: UnitId,
        /// The nodes that it keeps.
        keeps: Vec<NodeId>,
    },
    /// Run Command refused the whole command of a unit that names its nodes, because one of them is
    /// stopped, terminated or not registered: no node was sent anything. The unit is begun again, as
    /// its next attempt, without those that are away.
    CommandNotSent {
        /// The unit.
        unit: UnitId,
        /// The attempt that was refused, from 1.
        attempt: u32,
        /// The nodes that the next attempt leaves out.
        away: Vec<NodeId>,
        /// AWS's words.
        detail: String,
    },
    /// What would run is not what the plan was made for: nothing more is started. Nothing was sent.
    RunbookChanged {
        /// The unit that was about to be started.
        unit: UnitId,
        /// What is different.
        change: RunbookChange,
        /// In words: the document, where, and its versions.
        detail: String,
    },
    /// Nobody knows whether the start took effect, and AWS may have forgotten its client token: it is not sent
    /// again unless a person says so ([`SendAgain`](Self::SendAgain)). The unit may run. So it keeps its places,
    /// each of its locations may have failed, and the campaign is not over.
    StartUnresolved {
        /// The unit.
        unit: UnitId,
        /// What is known.
        detail: String,
    },
    /// A person says that an unresolved start is sent again: the same request, with the same client token. It was
    /// looked for once more just before, and AWS knew nothing of it.
    SendAgain {
        /// The unit.
        unit: UnitId,
        /// Who: a name for the log, as far as it is known.
        by: String,
    },
    /// A location's step changed.
    LocationObserved {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
        /// The step's status.
        status: ExecutionStatus,
        /// The execution in the location, if there is one.
        child: Option<ExecutionId>,
        /// AWS's words on why it failed; empty if it did not.
        failure: String,
    },
    /// A command that patches in a location is new, or its counts changed.
    CommandObserved {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
        /// The command.
        command: CommandId,
        /// How far it is.
        counts: CommandCounts,
        /// When it expires as a whole, by AWS's clock. A command that is alive patches and reboots a node
        /// whenever that comes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// An execution of the unit has waited at AWS for a while, as for a quota of running automations: that in the
    /// location, or the unit's own. What it is to send lives from when it is sent.
    WaitsAtAws {
        /// The unit.
        unit: UnitId,
        /// The location; `None`: the unit's own execution.
        location: Option<Location>,
    },
    /// The command of a location was seen to be over for the first time, and some of its results may be
    /// late. Whoever waits for them counts from here, as a command may run on long after its step.
    CommandEnded {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
    },
    /// There is a reason to begin nothing more, or these units have one of their own. They are not begun, whatever
    /// becomes of that reason, unless a person says that the campaign goes on ([`GoneOn`](Self::GoneOn)).
    LeftOut {
        /// The units.
        units: Vec<UnitId>,
    },
    /// The execution of a unit that runs is about to be stopped. More locations failed than the plan allows, and it
    /// carries the whole error budget and would go on; or a person has the campaign stopped. Nodes that are at work come
    /// to their end.
    StopIntended {
        /// The unit.
        unit: UnitId,
        /// How it is stopped.
        stop: StopType,
    },
    /// AWS has taken the stop of a unit's execution. It may run on for a while.
    StopTaken {
        /// The unit.
        unit: UnitId,
        /// How it is stopped.
        stop: StopType,
    },
    /// The unit's execution was over when the stop came: the stop did nothing.
    StopNotNeeded {
        /// The unit.
        unit: UnitId,
        /// How it was to be stopped.
        stop: StopType,
    },
    /// The unit's execution has begun something long after AWS had taken the stop. It is stopped in another way.
    StopInVain {
        /// The unit.
        unit: UnitId,
        /// How it was stopped.
        stop: StopType,
    },
    /// AWS does not let a person's stop reach what runs in a location. It runs on, unless a person asks again.
    NotStoppedBelow {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
    /// AWS does not stop a unit's execution. Its own error limit ends it.
    StopRefused {
        /// The unit.
        unit: UnitId,
        /// How it was to be stopped.
        stop: StopType,
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
    /// Terminal for a location: what became of it and of its nodes.
    LocationSettled {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
        /// What became of it.
        outcome: LocationOutcome,
        /// What became of its nodes.
        nodes: Tally,
        /// How many of the nodes that were not reached did not answer when the plan was made.
        #[serde(default, skip_serializing_if = "is_zero")]
        offline_before: u32,
        /// The outcome in words; empty if it needs none.
        detail: String,
        /// Which of its nodes did not end well, where a bound on the values of a label has to know.
        #[serde(default, skip_serializing_if = "NotWell::is_empty")]
        not_well: NotWell,
        /// Which node came to what by its row. `None` without rows: where there is no node, or nodes are known by number alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<RowsDigest>,
    },
    /// A location has settled, and the rows of its nodes could not be kept. They are read again before the campaign is
    /// over. [`Recollected`](Self::Recollected) says that they are kept.
    RowsMissing {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
        /// Why they could not be kept.
        detail: String,
    },
    /// The results of a location that could not be read or kept before: what became of it and of its nodes, in
    /// place of what the log said. It comes after the location has settled, and also after the
    /// campaign is over.
    Recollected {
        /// The unit.
        unit: UnitId,
        /// The location.
        location: Location,
        /// What became of it.
        outcome: LocationOutcome,
        /// What became of its nodes.
        nodes: Tally,
        /// How many of the nodes that were not reached did not answer when the plan was made.
        #[serde(default, skip_serializing_if = "is_zero")]
        offline_before: u32,
        /// The outcome in words; empty if it needs none.
        detail: String,
        /// Which of its nodes did not end well, where a bound on the values of a label has to know.
        #[serde(default, skip_serializing_if = "NotWell::is_empty")]
        not_well: NotWell,
        /// Which node came to what by its row. `None` without rows: where there is no node, or nodes are known by number alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<RowsDigest>,
    },
    /// Terminal for a unit: its execution is over and every location of it settled.
    UnitEnded {
        /// The unit.
        unit: UnitId,
        /// The execution's last status.
        status: ExecutionStatus,
    },
    /// Terminal for the campaign.
    Finished {
        /// How it ended.
        outcome: FinishedOutcome,
    },
    /// Something that only a newer version knows.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// Whether it shows that somebody drives the campaign, and is answered. What is only about to be sent,
    /// or cannot be sent for want of credentials or of a network, shows no more than that somebody tries. So does a look
    /// before a start that is denied: nothing can be begun for as long, and when it can the time for it may be past.
    pub(super) fn is_sign_of_life(&self) -> bool {
        match self {
            Self::Claimed { .. }
            | Self::NameTaken { .. }
            | Self::Unattended { .. }
            | Self::StartIntended { .. }
            | Self::StopAsked { .. }
            | Self::Approved { .. }
            | Self::CalendarsSaid {
                said: CalendarsSaid::Unknown { .. },
            }
            | Self::AlarmSaid {
                said: AlarmSaid::Unknown { .. },
            }
            | Self::Unknown => false,
            Self::StartDeferred { kind, .. }
            | Self::StillLooking {
                failed: Some(kind), ..
            } => matches!(kind, PortErrorKind::Throttled | PortErrorKind::LimitExceeded),
            _ => true,
        }
    }
}

/// A unit for locations that another unit's execution never began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The other unit, whose execution is over. The locations of the request are not its own any more.
    pub of: UnitId,
    /// The expected start: the other unit's, with some of its locations.
    pub request: StartRequest,
}

/// An execution that turned up in a location after the execution that began it seemed never to have reached
/// that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedUp {
    /// The unit that began it.
    pub of: UnitId,
    /// Where.
    pub location: Location,
    /// The execution there.
    pub child: ExecutionId,
}

/// Left out of a record, as a count of nothing says nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}
