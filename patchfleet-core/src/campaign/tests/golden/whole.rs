//! The campaign of the stored log: everything happens that may happen.

use super::super::world::*;
use crate::campaign::{
    AlarmSaid, AlarmStop, CalendarsSaid, Chain, Event, LogKey, RECORD_FORMAT, Record, Replacement, StopMode,
    TurnedUp,
};
use crate::id::{ExecutionId, Location, UnitId, WriterId};
use crate::outcome::{FinishedOutcome, LocationOutcome, NodeOutcome, Tally};
use crate::port::{CommandCounts, ExecutionStatus, PortErrorKind, StopType, TriggeredAlarm};
use crate::runbook::RunbookChange;
use jiff::{SignedDuration, Timestamp};

/// A log that is being written, one record every ten seconds.
pub(super) struct Writing {
    pub(super) world: World,
    pub(super) records: Vec<Record>,
}

impl Writing {
    fn at(&self) -> Timestamp {
        let begun: Timestamp = "2026-03-01T22:00:00.123456789Z".parse().unwrap();
        begun + SignedDuration::from_secs(10 * self.records.len() as i64)
    }

    fn append(&mut self, events: Vec<Event>) {
        let key = LogKey::Campaign(self.world.campaign());
        let chain = self.records.last().map_or_else(|| Chain::of(&key), Chain::after);
        let writer = WriterId::from_uuid(uuid::Uuid::from_u128(1));
        self.records.push(chain.record(self.at(), writer, events));
    }

    fn location(&self, unit: u32) -> Location {
        let start = &self.world.plan.units[unit as usize].start;
        start.target_location().locations().next().unwrap()
    }

    fn intend(&mut self, unit: u32, attempt: u32) {
        let request = self.world.plan.units[unit as usize].start.clone();
        let unit = UnitId::from_index(unit);
        self.append(vec![Event::StartIntended {
            unit,
            attempt,
            request,
        }]);
    }

    fn start(&mut self, unit: u32, attempt: u32) {
        self.intend(unit, attempt);
        let execution = execution(unit * 10 + attempt);
        let unit = UnitId::from_index(unit);
        self.append(vec![Event::Started { unit, execution }]);
    }

    /// What was seen of the location of a unit.
    fn observed(&self, unit: u32, status: ExecutionStatus, failure: &str) -> Event {
        Event::LocationObserved {
            unit: UnitId::from_index(unit),
            location: self.location(unit),
            status,
            child: Some(execution(900 + unit)),
            failure: failure.to_owned(),
        }
    }

    fn settled(&self, unit: u32, outcome: LocationOutcome, node: NodeOutcome, detail: &str) -> Event {
        settled(unit, self.location(unit), outcome, node, detail)
    }

    fn ended(&self, unit: u32, status: ExecutionStatus) -> Event {
        Event::UnitEnded {
            unit: UnitId::from_index(unit),
            status,
        }
    }
}

fn settled(
    unit: u32,
    location: Location,
    outcome: LocationOutcome,
    node: NodeOutcome,
    detail: &str,
) -> Event {
    Event::LocationSettled {
        unit: UnitId::from_index(unit),
        location,
        outcome,
        nodes: tally(node),
        offline_before: 0,
        detail: detail.to_owned(),
        not_well: Default::default(),
        rows: None,
    }
}

fn execution(number: u32) -> ExecutionId {
    format!("e0000000-0000-4000-8000-{number:012}").parse().unwrap()
}

fn tally(node: NodeOutcome) -> Tally {
    let mut tally = Tally::default();
    tally.add(node, 2);
    tally
}

/// A campaign of eight units, in which everything happens that may happen.
pub(super) fn whole() -> Writing {
    let nodes = || Script::Nodes(vec![Node::well(1), Node::well(2)]);
    let one = [("eu-west-1", nodes())];
    let two = [("eu-west-1", nodes()), ("us-east-1", nodes())];
    let units: Vec<&[(&str, Script)]> = (0..8)
        .map(|unit| if unit == 6 { &two[..] } else { &one[..] })
        .collect();
    let mut log = Writing {
        world: World::new(&units, 8, 8),
        records: vec![],
    };
    let unit = UnitId::from_index;
    let (campaign, plan) = (log.world.campaign(), Box::new(log.world.plan.clone()));
    let format = RECORD_FORMAT;
    log.append(vec![Event::Planned {
        format,
        campaign,
        plan,
    }]);
    // Its name is another campaign's at first.
    let by = log.world.campaign_of("another event");
    log.append(vec![Event::NameTaken { by }]);
    log.append(vec![Event::Claimed { campaign }, Event::Watched]);

    // Unit 1 is put off, waits at AWS, and is well in the end.
    log.intend(0, 1);
    let (kind, detail) = (
        PortErrorKind::LimitExceeded,
        "AutomationExecutionLimitExceededException".to_owned(),
    );
    log.append(vec![Event::StartDeferred {
        unit: unit(0),
        kind,
        detail: detail.clone(),
    }]);
    log.start(0, 1);
    let location = log.location(0);
    log.append(vec![
        Event::WaitsAtAws {
            unit: unit(0),
            location: None,
        },
        Event::WaitsAtAws {
            unit: unit(0),
            location: Some(location.clone()),
        },
        log.observed(0, ExecutionStatus::InProgress, ""),
    ]);
    let counts = CommandCounts {
        targets: 2,
        completed: 1,
        errors: 0,
        undelivered: 0,
    };
    let expires_at = Some(log.at() + SignedDuration::from_hours(7));
    let command = "c0000000-0000-4000-8000-000000000001".parse().unwrap();
    log.append(vec![Event::CommandObserved {
        unit: unit(0),
        location: location.clone(),
        command,
        counts,
        expires_at,
    }]);
    log.append(vec![
        log.observed(0, ExecutionStatus::Success, ""),
        Event::CommandEnded {
            unit: unit(0),
            location: location.clone(),
        },
    ]);
    log.append(vec![log.settled(
        0,
        LocationOutcome::ResultsUnreadable,
        NodeOutcome::Unknown,
        "may not read",
    )]);
    log.append(vec![log.ended(0, ExecutionStatus::Success)]);

    // Unit 2 is put off until nothing more may begin.
    log.intend(1, 1);
    log.append(vec![Event::StartDeferred {
        unit: unit(1),
        kind,
        detail: detail.clone(),
    }]);
    // Its nodes are not named, so nothing is divided.
    log.append(vec![Event::Divided {
        unit: unit(7),
        keeps: vec![Node::well(1).id],
    }]);
    // The request names no change calendars. What they say counts all the same.
    log.append(vec![
        Event::CalendarsSaid {
            said: CalendarsSaid::Unknown {
                kind: PortErrorKind::Denied,
                detail: "AccessDenied".to_owned(),
            },
        },
        Event::CalendarsSaid {
            said: CalendarsSaid::Open,
        },
    ]);
    // Nor does it name an alarm.
    log.append(vec![
        Event::AlarmSaid {
            said: AlarmSaid::Unknown {
                kind: PortErrorKind::NotFound,
                detail: "there is no alarm".to_owned(),
            },
        },
        Event::AlarmSaid {
            said: AlarmSaid::Quiet,
        },
    ]);
    log.append(vec![Event::StartWithdrawn {
        unit: unit(1),
        detail,
    }]);

    // Nobody knows whether unit 4 was begun, until a person has it sent again.
    log.intend(3, 1);
    log.append(vec![Event::StartUnresolved {
        unit: unit(3),
        detail: "no answer".to_owned(),
    }]);
    log.append(vec![Event::SendAgain {
        unit: unit(3),
        by: "someone".to_owned(),
    }]);
    log.start(3, 1);
    log.append(vec![log.observed(3, ExecutionStatus::Failed, "Step fails")]);
    log.append(vec![log.settled(
        3,
        LocationOutcome::NodesFailed,
        NodeOutcome::Failed,
        "",
    )]);
    log.append(vec![log.ended(3, ExecutionStatus::Failed)]);

    // The first command of unit 5 is refused whole.
    log.start(4, 1);
    log.append(vec![Event::CommandNotSent {
        unit: unit(4),
        attempt: 1,
        away: vec![Node::well(2).id],
        detail: "InvalidInstanceId".to_owned(),
    }]);
    log.start(4, 2);
    log.append(vec![log.observed(4, ExecutionStatus::Success, "")]);
    log.append(vec![log.settled(
        4,
        LocationOutcome::Succeeded,
        NodeOutcome::Done,
        "",
    )]);
    log.append(vec![log.ended(4, ExecutionStatus::Success)]);

    // Unit 6 is to be stopped in every way, and unit 7 once.
    log.start(5, 1);
    log.start(6, 1);
    let (complete, cancel) = (StopType::Complete, StopType::Cancel);
    log.append(vec![
        Event::StopIntended {
            unit: unit(5),
            stop: complete,
        },
        Event::StopIntended {
            unit: unit(6),
            stop: complete,
        },
    ]);
    log.append(vec![
        Event::StopTaken {
            unit: unit(5),
            stop: complete,
        },
        Event::StopNotNeeded {
            unit: unit(6),
            stop: complete,
        },
    ]);
    log.append(vec![
        Event::StopInVain {
            unit: unit(5),
            stop: complete,
        },
        Event::StopIntended {
            unit: unit(5),
            stop: cancel,
        },
    ]);
    let (kind, detail) = (PortErrorKind::Denied, "AccessDeniedException: no".to_owned());
    log.append(vec![Event::StopRefused {
        unit: unit(5),
        stop: cancel,
        kind,
        detail,
    }]);
    log.append(vec![log.observed(5, ExecutionStatus::Success, "")]);
    log.append(vec![log.settled(
        5,
        LocationOutcome::Succeeded,
        NodeOutcome::Done,
        "",
    )]);
    log.append(vec![log.ended(5, ExecutionStatus::Success)]);

    // Somebody cancels unit 7. The rest is left out, and a person goes on.
    let mut locations = log.world.plan.units[6].start.target_location().locations();
    let (location, other) = (locations.next().unwrap(), locations.next().unwrap());
    drop(locations);
    log.append(vec![
        Event::CancelledElsewhere {
            unit: unit(6),
            location: None,
        },
        Event::CancelledElsewhere {
            unit: unit(6),
            location: Some(location.clone()),
        },
    ]);
    log.append(vec![Event::LeftOut {
        units: vec![unit(1), unit(7)],
    }]);
    let detail = "somebody cancelled it";
    log.append(vec![
        settled(
            6,
            location,
            LocationOutcome::Cancelled,
            NodeOutcome::NotRun,
            detail,
        ),
        settled(
            6,
            other.clone(),
            LocationOutcome::Cancelled,
            NodeOutcome::NotRun,
            detail,
        ),
    ]);
    log.append(vec![log.ended(6, ExecutionStatus::Cancelled)]);
    // One of its locations is begun by a unit of its own, and an execution turns up in the other one.
    let mut request = log.world.plan.units[6].start.clone();
    request.target_locations[0].regions.truncate(1);
    let turned_up = TurnedUp {
        of: unit(6),
        location: other.clone(),
        child: execution(777),
    };
    log.append(vec![Event::GoneOn {
        by: "someone".to_owned(),
        begin: vec![Replacement { of: unit(6), request }],
        found: vec![turned_up],
    }]);
    log.append(vec![settled(
        6,
        other,
        LocationOutcome::Succeeded,
        NodeOutcome::Done,
        "",
    )]);
    log.append(vec![log.ended(6, ExecutionStatus::Cancelled)]);

    // Unit 3 is refused.
    log.intend(2, 1);
    let detail = "AccessDeniedException: no".to_owned();
    log.append(vec![Event::StartRefused {
        unit: unit(2),
        kind: PortErrorKind::Denied,
        detail,
    }]);
    log.append(vec![log.settled(
        2,
        LocationOutcome::StartRefused,
        NodeOutcome::NotRun,
        "AccessDeniedException: no",
    )]);

    // Then the runbook changes, and nobody drives the campaign for long.
    log.append(vec![Event::RunbookChanged {
        unit: unit(7),
        change: RunbookChange::Differs,
        detail: "Patchfleet-RunPatchBaseline".to_owned(),
    }]);
    let (failed, detail) = (Some(PortErrorKind::Unavailable), "Internal error".to_owned());
    log.append(vec![Event::StillLooking {
        elsewhere: false,
        failed,
        detail,
    }]);
    let since = log.at();
    log.append(vec![Event::Unattended { since }]);
    log.append(vec![Event::LeftOut {
        units: vec![unit(1), unit(7), unit(8)],
    }]);
    log.append(vec![
        log.settled(1, LocationOutcome::NotStarted, NodeOutcome::NotRun, "not begun"),
        log.settled(7, LocationOutcome::NotStarted, NodeOutcome::NotRun, "not begun"),
        settled(
            8,
            log.location(6),
            LocationOutcome::NotStarted,
            NodeOutcome::NotRun,
            "not begun",
        ),
    ]);
    let location = log.location(0);
    log.append(vec![Event::RowsMissing {
        unit: unit(0),
        location,
        detail: "no space is left on the device".to_owned(),
    }]);

    // A person has it stopped, and AWS does not let that reach a location.
    let by = || "someone".to_owned();
    for mode in [StopMode::LetCommandsRun, StopMode::CancelCommands] {
        log.append(vec![Event::StopAsked { by: by(), mode }]);
    }
    log.append(vec![Event::NotStoppedBelow {
        unit: unit(6),
        location: log.location(6),
        kind: PortErrorKind::Denied,
        detail: "AccessDeniedException: no".to_owned(),
    }]);
    log.append(vec![Event::Approved { wave: 1, by: by() }]);
    log.append(vec![Event::Abandoned { by: by() }]);
    log.append(vec![Event::Finished {
        outcome: FinishedOutcome::Halted,
    }]);
    let location = log.location(0);
    log.append(vec![Event::Recollected {
        unit: unit(0),
        location,
        outcome: LocationOutcome::Succeeded,
        nodes: tally(NodeOutcome::Done),
        offline_before: 0,
        detail: String::new(),
        not_well: serde_json::from_value(serde_json::json!({
            "damaged": ["i-00000000000000001"], "unknown": ["i-00000000000000002"],
            "may_run_until": {"i-00000000000000001": "2026-03-02T01:00:00Z"},
        }))
        .unwrap(),
        rows: Some("0123456789abcdef".parse().unwrap()),
    }]);
    // Whoever looks at unit 7 once more is told that AWS stopped it for an alarm.
    log.append(vec![Event::StoppedForAlarm {
        unit: unit(6),
        alarm: AlarmStop {
            name: "web errors".parse().unwrap(),
            triggered: TriggeredAlarm::Alarm,
        },
    }]);
    log
}
