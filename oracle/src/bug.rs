//! Bugs that tests plant. What holds the laws has to notice each of them.

use crate::draft::{Again, Deed, Draft, Fault, Has, How, Of, Selector, Wave};
use jiff::Timestamp;
use patchfleet_core::campaign::Rule;
use patchfleet_core::internals::{Slip, with_slip, without};
use serde_json::Value;

/// A bug that a test plants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// This rule of admission is not asked, nor is the same asked anywhere else.
    NotAsked(Rule),
    /// The campaign is not told this part of its request.
    NotTold(Part),
    /// A line of care is left out.
    Slips(Slip),
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// When nothing is begun.
    Freezes,
    /// The change calendars.
    Calendars,
    /// The instant by which every command has expired.
    Cutoff,
    /// The CloudWatch alarm.
    Alarm,
    /// The breaker of failures in a row.
    FailuresInARow,
    /// The breaker of a share that failed.
    FailureShare,
    /// How many locations may fail.
    LocationErrors,
    /// How many locations are at work at once.
    LocationsAtOnce,
    /// How many nodes of a location are at work at once.
    NodesAtOnce,
    /// What the waves do on their nodes.
    WavePatch,
    /// The waves' own nodes at once.
    WaveNodes,
    /// The waves' own locations at once.
    WaveLocations,
    /// The waves' own failed locations.
    WaveErrors,
    /// The waves' own bounds on their nodes.
    WaveFleet,
    /// How many nodes a wave has.
    WaveSize,
}

impl Bug {
    /// Whether it may well show in this draft.
    pub(crate) fn matters(self, draft: &Draft) -> bool {
        let wish = &draft.wish;
        let breaker = wish.breaker.as_ref();
        let stops_nothing = wish.locations.1 == "100%";
        let in_waves = |is_so: fn(&Wave) -> bool| wish.waves.iter().any(is_so);
        match self {
            Self::Slips(slip) => may_slip(slip, draft),
            Self::NotAsked(Rule::Wave) => !wish.waves.is_empty(),
            Self::NotAsked(Rule::Gate) => {
                in_waves(|wave| wave.gate.is_some_and(|gate| gate.failed == Some("0")))
            }
            Self::NotAsked(Rule::Approval) => in_waves(|wave| wave.approval),
            Self::NotAsked(Rule::Soak) => in_waves(|wave| wave.soak_minutes.is_some()),
            Self::NotAsked(Rule::Breaker) => {
                stops_nothing && breaker.is_some_and(|of| of.consecutive.is_some() || of.share.is_some())
            }
            Self::NotAsked(Rule::Alarm) | Self::NotTold(Part::Alarm) => {
                let alarm = breaker.and_then(|breaker| breaker.alarm.as_ref());
                alarm.is_some_and(|alarm| !alarm.is_handed && !alarm.goes_off(draft.start()).is_empty())
            }
            Self::NotAsked(Rule::Fleet) => wish.fleet.is_some_and(|fleet| fleet.damaged.is_some()),
            Self::NotAsked(Rule::Labels) => wish.label.is_some(),
            Self::NotAsked(Rule::Freeze) | Self::NotTold(Part::Freezes) => !wish.freezes.is_empty(),
            Self::NotAsked(Rule::Calendars) | Self::NotTold(Part::Calendars) => !wish.calendars.is_empty(),
            Self::NotAsked(Rule::Stop) => {
                // What waits for a wave, or for its runbook to be the planned one, would do so for ever.
                let mut cancels = draft.hands.iter().filter(|hand| !hand.is_of_nodes()).peekable();
                cancels.peek().is_some()
                    && wish.waves.is_empty()
                    && cancels.all(|hand| matches!(hand.deed, Deed::CancelExecutions | Deed::CancelCommands))
            }
            Self::NotAsked(Rule::Order) => {
                let slow = |fault: &Fault| {
                    let is_slow = matches!(fault.how, How::Lost(_) | How::Late(_) | How::Delayed(_));
                    fault.of == Of::Starts && is_slow
                };
                wish.locations.0 > 1 && draft.names_nodes() && draft.course.faults.iter().any(slow)
            }
            Self::NotAsked(_) => true,
            Self::NotTold(Part::NodesAtOnce) => wish.nodes.0 == "1",
            Self::NotTold(Part::Cutoff) => wish.cutoff.is_some(),
            Self::NotTold(Part::FailuresInARow) => {
                stops_nothing && breaker.is_some_and(|of| of.consecutive.is_some())
            }
            Self::NotTold(Part::FailureShare) => {
                stops_nothing && breaker.is_some_and(|of| of.share.is_some())
            }
            Self::NotTold(Part::LocationErrors) => wish.locations.1 == "0" && wish.locations.0 == 1,
            Self::NotTold(Part::LocationsAtOnce) => wish.locations.0 == 1,
            Self::NotTold(Part::WavePatch) => in_waves(|wave| wave.own.scans || wave.own.reboot.is_some()),
            Self::NotTold(Part::WaveNodes) => in_waves(|wave| wave.own.nodes.is_some()),
            Self::NotTold(Part::WaveLocations) => in_waves(|wave| wave.own.locations == Some(1)),
            Self::NotTold(Part::WaveErrors) => in_waves(|wave| wave.own.location_errors.is_some()),
            Self::NotTold(Part::WaveFleet) => in_waves(|wave| wave.own.in_flight == Some("1")),
            Self::NotTold(Part::WaveSize) => in_waves(|wave| matches!(wave.has, Has::Nodes(_))),
        }
    }

    /// Does something while the rule is not asked, if the bug is one of a rule.
    pub(crate) fn planted<T>(bug: Option<Self>, what: impl FnOnce() -> T) -> T {
        match bug {
            Some(Self::NotAsked(rule)) => without(rule, what),
            Some(Self::Slips(slip)) => with_slip(slip, what),
            Some(Self::NotTold(_)) | None => what(),
        }
    }

    /// The request as the campaign is told it.
    pub(crate) fn request(bug: Option<Self>, draft: &Draft) -> Value {
        let mut request = draft.request();
        if let Some(Self::NotTold(part)) = bug {
            part.leave_out(&mut request);
        }
        request
    }

    /// The cutoff that the campaign is told.
    pub(crate) fn cutoff(bug: Option<Self>, draft: &Draft) -> Option<Timestamp> {
        let is_told = bug != Some(Self::NotTold(Part::Cutoff));
        draft.cutoff().filter(|_| is_told)
    }
}

/// Whether a slip may well show in a draft.
fn may_slip(slip: Slip, draft: &Draft) -> bool {
    let (wish, course) = (&draft.wish, &draft.course);
    let in_waves = |is_so: fn(&Wave) -> bool| wish.waves.iter().any(is_so);
    match slip {
        Slip::TakesEveryRecord => course.company.is_some(),
        Slip::TrustsTheLog => wish.sends_itself && course.restore.is_some(),
        Slip::TakesWhatMayRun => course.retries.first() == Some(&Again::Unreached),
        Slip::RetriesWhatMayRun => course.retries.first() == Some(&Again::Failed),
        Slip::CountsAnew => {
            let fleet = wish.fleet.is_some_and(|fleet| fleet.damaged.is_some());
            let label = wish.label.is_some_and(|label| label.damaged.is_some());
            (fleet || label) && course.retries.contains(&Again::Failed)
        }
        Slip::PassesWavesOver => {
            let guards = |wave: &Wave| wave.approval || wave.gate.is_some() || wave.soak_minutes.is_some();
            in_waves(guards) && !course.retries.is_empty()
        }
        Slip::UnknownTakesNoRoom => {
            let is_denied = draft.hands.iter().any(|hand| hand.deed == Deed::DenyResults);
            let fleet = wish.fleet.is_some_and(|fleet| fleet.damaged.is_some());
            let label = wish.label.is_some_and(|label| label.damaged.is_some());
            (fleet || label) && (is_denied || course.faults.iter().any(|fault| fault.of == Of::Results))
        }
        Slip::LostTakesNoRoom => {
            // Its agent falls silent while it is at work.
            let is_silenced = draft.hands.iter().any(|hand| hand.deed == Deed::LoseAgent);
            let fleet = wish.fleet.is_some_and(|fleet| fleet.in_flight.is_some());
            let label = wish.label.is_some_and(|label| label.in_flight.is_some());
            is_silenced && (fleet || label) && wish.bounds_name_nodes()
        }
        Slip::SendsLate => !course.faults.is_empty() || !course.pauses.is_empty(),
        Slip::TakesEveryNode => {
            let is_a_part = matches!(wish.selector, Selector::Group | Selector::Tags);
            is_a_part && draft.names_nodes()
        }
        Slip::TakesUnknownForEmpty => !draft.obstacles.is_empty(),
        Slip::LosesANode => true,
    }
}

/// Takes a key out of a table, if there are such.
fn drop_key(table: Option<&mut Value>, key: &str) {
    if let Some(table) = table.and_then(Value::as_object_mut) {
        table.remove(key);
    }
}

impl Part {
    fn leave_out(self, request: &mut Value) {
        let of_waves = |request: &mut Value, change: &dyn Fn(&mut Value)| {
            let waves = request.get_mut("waves").and_then(Value::as_array_mut);
            waves.into_iter().flatten().for_each(change);
        };
        match self {
            Self::Freezes => drop_key(Some(request), "freezes"),
            Self::Calendars => drop_key(Some(request), "change_calendars"),
            Self::Cutoff => {}
            Self::Alarm => {
                let breaker = request.get_mut("breaker");
                drop_key(breaker, "alarm");
                drop_key(request.get_mut("breaker"), "hand_alarm_to_aws");
            }
            Self::FailuresInARow => drop_key(request.get_mut("breaker"), "consecutive_failures"),
            Self::FailureShare => {
                drop_key(request.get_mut("breaker"), "failure_share");
                drop_key(request.get_mut("breaker"), "sample");
            }
            Self::LocationErrors => request["budget"]["locations"]["max_errors"] = "100%".into(),
            Self::LocationsAtOnce => request["budget"]["locations"]["max_concurrency"] = "100%".into(),
            Self::NodesAtOnce => request["budget"]["nodes"]["max_concurrency"] = "100%".into(),
            Self::WavePatch => of_waves(request, &|wave| drop_key(Some(wave), "patch")),
            Self::WaveNodes => of_waves(request, &|wave| drop_key(wave.get_mut("budget"), "nodes")),
            Self::WaveLocations => of_waves(request, &|wave| {
                let budget = wave.get_mut("budget");
                drop_key(budget.and_then(|of| of.get_mut("locations")), "max_concurrency");
            }),
            Self::WaveErrors => of_waves(request, &|wave| {
                let budget = wave.get_mut("budget");
                drop_key(budget.and_then(|of| of.get_mut("locations")), "max_errors");
            }),
            Self::WaveFleet => of_waves(request, &|wave| drop_key(wave.get_mut("budget"), "fleet")),
            Self::WaveSize => of_waves(request, &|wave| {
                if let Some(nodes) = wave.get_mut("nodes") {
                    *nodes = 1000.into();
                }
            }),
        }
        let is_empty = request["breaker"]
            .as_object()
            .is_some_and(serde_json::Map::is_empty);
        if is_empty {
            drop_key(Some(request), "breaker");
        }
    }
}
