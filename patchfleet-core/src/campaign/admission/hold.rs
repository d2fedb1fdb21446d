//! Why a unit waits, as a value and in words.

use crate::campaign::rule::Rule;
use crate::campaign::{AlarmSaid, CalendarsSaid};
use crate::id::{CampaignId, Location, UnitId};
use crate::outcome::LostAtWork;
use crate::plan::value_in_words;
use crate::port::PortErrorKind;
use crate::request::LabelKey;
use crate::text::{by_number, counted};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a unit is not begun yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hold {
    /// The unit.
    pub unit: UnitId,
    /// The rule that holds it.
    pub rule: Rule,
    /// Why.
    pub reason: HoldReason,
    /// When it is looked at again, if that is known. Otherwise whatever happens next is the time.
    pub until: Option<Timestamp>,
}

impl Hold {
    /// Whether it waits for a time or a person, and not for what runs.
    pub(in crate::campaign) fn is_between_waves(&self) -> bool {
        matches!(
            self.rule,
            Rule::Gate | Rule::Approval | Rule::Soak | Rule::Freeze | Rule::Calendars | Rule::Alarm
        )
    }
}

impl Hold {
    /// Whether places under a bound are kept by lost nodes that may be at work: with time they are free, whatever happens.
    pub(in crate::campaign) fn is_for_lost(&self) -> bool {
        match &self.reason {
            HoldReason::Fleet { lost, .. } | HoldReason::Label { lost, .. } => lost.is_some(),
            _ => false,
        }
    }

    /// Whether it waits because AWS does not say what has to be known first.
    pub(in crate::campaign) fn is_unknown(&self) -> bool {
        matches!(
            self.reason,
            HoldReason::Calendars {
                said: CalendarsSaid::Unknown { .. }
            } | HoldReason::Alarm {
                said: AlarmSaid::Unknown { .. }
            }
        )
    }
}

/// What a unit waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "waits_for", rename_all = "snake_case")]
#[non_exhaustive]
pub enum HoldReason {
    /// A wave before its own, which is not over.
    Wave {
        /// The number of that wave, from 1.
        before: u32,
        /// Its name.
        name: String,
        /// How many of its units are not over.
        open: u32,
    },
    /// A person, as the gate of a wave before its own is inconclusive.
    Inconclusive {
        /// The campaign.
        campaign: CampaignId,
        /// The number of that wave, from 1.
        wave: u32,
        /// Its name.
        name: String,
        /// Of how many nodes of it the results are known.
        known: u64,
        /// Of how many they are needed.
        needed: u32,
        /// How many locations of it did not end well, and of whose nodes not even the number is known.
        #[serde(default)]
        blind: u64,
    },
    /// A person, who has to approve of a wave before its own.
    Approval {
        /// The campaign.
        campaign: CampaignId,
        /// The number of that wave, from 1.
        wave: u32,
        /// Its name.
        name: String,
    },
    /// The soak of a wave before its own.
    Soak {
        /// The number of that wave, from 1.
        wave: u32,
        /// Its name.
        name: String,
        /// When that is over.
        until: Timestamp,
    },
    /// A freeze of the request.
    Freeze {
        /// Its name.
        name: String,
        /// When it begins, if it does not hold yet: what is started now might not be through by then.
        begins: Option<Timestamp>,
        /// When a start may be made again as far as freezes go. `None`: never.
        until: Option<Timestamp>,
    },
    /// The change calendars of the request.
    Calendars {
        /// What they said last: one is closed, or nobody knows.
        #[serde(flatten)]
        said: CalendarsSaid,
    },
    /// The CloudWatch alarm of the request.
    Alarm {
        /// What is known of it: nobody knows whether it is in the state ALARM.
        #[serde(flatten)]
        said: AlarmSaid,
    },
    /// Its turn: this unit comes first.
    Turn {
        /// The unit that is begun before it.
        after: UnitId,
    },
    /// The answer to the start of another unit.
    Answer {
        /// The other unit.
        of: UnitId,
    },
    /// The answer to its own start, or its being found.
    OwnAnswer,
    /// AWS, which put its start off, or did not show whether it had been sent before.
    Aws {
        /// Why.
        kind: PortErrorKind,
        /// AWS's words.
        detail: String,
    },
    /// Another unit that is at work in the same location.
    Location {
        /// The location.
        location: Location,
    },
    /// A person, as nobody knows whether its own start took effect.
    Person {
        /// The campaign.
        campaign: CampaignId,
        /// The unit.
        unit: UnitId,
        /// What is known.
        detail: String,
        /// What keeps the start from being sent again, whatever a person says; `None`: nothing does.
        kept: Option<String>,
    },
    /// It to be known whether another unit runs. Each location of that may have failed.
    Unresolved {
        /// The other unit.
        of: UnitId,
        /// How many locations have failed.
        failed: u32,
        /// How many locations of units may have failed of which nobody knows whether they run.
        unknown: u64,
        /// How many locations may fail.
        allowed: u32,
    },
    /// The nodes that Run Command refused to send its last command to.
    NextAttempt,
    /// The results of locations that have ended: any may be one failure too many.
    Results {
        /// How many locations.
        locations: u32,
    },
    /// Room for its nodes under a bound on the whole fleet.
    Fleet {
        /// Whether it is the bound on nodes that are damaged, and not that on nodes in flight.
        of_damage: bool,
        /// How many nodes are in flight or may be; under the bound on damage with those that are damaged.
        taken: u64,
        /// How many nodes it names; where AWS keeps the bound, how many it may have open at once.
        needed: u32,
        /// How many there may be.
        of: u32,
        /// The name of the wave whose own bound it is; `None`: it is that of all waves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wave: Option<String>,
        /// Those of the nodes in flight that are lost and may be at work still.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<LostAtWork>,
    },
    /// Room for its nodes under a bound on a value of a label.
    Label {
        /// The label.
        by: LabelKey,
        /// The value; `None`: that of the nodes without the tag.
        value: Option<String>,
        /// Whether it is the bound on nodes that are damaged, and not that on nodes in flight.
        of_damage: bool,
        /// How many nodes of the value are in flight or may be; under the bound on damage with those that are damaged.
        taken: u64,
        /// How many of them it names.
        needed: u32,
        /// How many there may be.
        of: u32,
        /// Those of the nodes in flight that are lost and may be at work still.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<LostAtWork>,
    },
    /// Places among the locations at once.
    Places {
        /// How many locations the open units have in work at once.
        taken: u64,
        /// How many it needs itself.
        needed: u32,
        /// How many there are.
        of: u32,
    },
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wave { before, name, open } => write!(
                f,
                "wave {before} ({name}) comes first, and {} of it {} not over",
                counted(*open, "unit"),
                by_number(*open, "is", "are"),
            ),
            Self::Inconclusive {
                campaign,
                wave,
                name,
                known,
                needed,
                blind,
            } => {
                if *known < u64::from(*needed) {
                    let nodes = counted(*known, "node");
                    write!(
                        f,
                        "the results of {nodes} of wave {wave} ({name}) are known, and those of {needed} are needed"
                    )?;
                } else {
                    write!(
                        f,
                        "{} of wave {wave} ({name}) did not end well, and nothing is known of {} nodes",
                        counted(*blind, "location"),
                        by_number(*blind, "its", "their"),
                    )?;
                }
                write!(
                    f,
                    "; `patchfleet approve {campaign} --wave {name}` lets the next wave begin all the same, and \
                     `patchfleet stop {campaign}` ends it"
                )
            }
            Self::Approval { campaign, wave, name } => write!(
                f,
                "wave {wave} ({name}) is over and has to be approved: `patchfleet approve {campaign} --wave {name}`"
            ),
            Self::Soak { wave, name, until } => {
                write!(
                    f,
                    "wave {wave} ({name}) is over, and the next one begins at {until:.0}"
                )
            }
            Self::Freeze { name, begins, until } => {
                f.write_str(&crate::plan::frozen_in_words(name, *begins, *until))
            }
            Self::Calendars { said } => said.fmt(f),
            Self::Alarm { said } => said.fmt(f),
            Self::Turn { after } => write!(f, "unit {after} is begun first"),
            Self::Answer { of } => write!(
                f,
                "the start of unit {of} has no answer yet, and one is sent at a time"
            ),
            Self::OwnAnswer => f.write_str("its start has no answer yet"),
            Self::Aws { detail, .. } => write!(f, "its start was put off: {detail}"),
            Self::Location { location } => write!(f, "another unit is at work in {location}"),
            Self::Person {
                campaign,
                unit,
                detail,
                kept: None,
            } => write!(
                f,
                "{detail}. It may run, so it keeps its places. `patchfleet resume {campaign} --send-again {unit}` looks \
                 for it once more and, if AWS still knows nothing of it, sends the same start again"
            ),
            Self::Person {
                campaign,
                detail,
                kept: Some(kept),
                ..
            } => write!(
                f,
                "{detail}. It may run, so it keeps its places, and it may not be sent again: {kept}. \
                 `patchfleet resume {campaign}` looks for it once more; once nothing of it can run any more, \
                 `patchfleet abandon {campaign}` closes the campaign"
            ),
            Self::Unresolved {
                of,
                failed,
                unknown,
                allowed,
            } => write!(
                f,
                "{failed} of the {} that may fail {} failed, and {unknown} more may have, as it is not known whether unit {of} \
                 runs",
                counted(*allowed, "location"),
                by_number(*failed, "has", "have"),
            ),
            Self::NextAttempt => {
                f.write_str("Run Command refused its last command whole, and its nodes are asked for again")
            }
            Self::Results { locations } => write!(
                f,
                "{} ended, and the results are not read yet",
                match locations {
                    1 => "1 location has".to_owned(),
                    n => format!("{n} locations have"),
                }
            ),
            Self::Fleet {
                of_damage,
                taken,
                needed,
                of,
                wave,
                lost,
            } => {
                let of_whom = wave
                    .as_ref()
                    .map_or_else(|| "across the fleet".to_owned(), |name| format!("in wave {name}"));
                match of_damage {
                    false => write!(
                        f,
                        "{taken} of the {} that may be in flight {of_whom} {}, and it needs {needed}",
                        counted(*of, "node"),
                        by_number(*taken, "is", "are"),
                    ),
                    true => write!(
                        f,
                        "{taken} of the {} that may be damaged {of_whom} {} damaged or in flight, and it needs {needed}",
                        counted(*of, "node"),
                        by_number(*taken, "is", "are"),
                    ),
                }?;
                say_lost(*lost, f)
            }
            Self::Label {
                by,
                value,
                of_damage,
                taken,
                needed,
                of,
                lost,
            } => {
                write!(
                    f,
                    "{}: {taken} of the {} that may be {} {} {}, and it needs {needed}",
                    value_in_words(by, value.as_deref()),
                    counted(*of, "node"),
                    match of_damage {
                        true => "damaged",
                        false => "in flight",
                    },
                    by_number(*taken, "is", "are"),
                    match of_damage {
                        true => "damaged or in flight",
                        false => "in flight",
                    },
                )?;
                say_lost(*lost, f)
            }
            Self::Places { taken, needed, of } => write!(
                f,
                "{taken} of {} at once {} taken, and it needs {needed}",
                counted(*of, "location"),
                by_number(*taken, "is", "are"),
            ),
        }
    }
}

/// Says which of the nodes in flight are lost ones.
fn say_lost(lost: Option<LostAtWork>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    lost.map_or(Ok(()), |lost| write!(f, ": {lost}"))
}
