//! The protocol, and what may happen to it.

use stateright::{Model, Property};
use std::hash::Hash;

/// A start is sent so many ticks after its intent at most.
pub(crate) const SENT_WITHIN: u8 = 1;
/// A start that took effect is listed by its tag by so many ticks after its intent, if AWS lists it soon enough.
pub(crate) const SEEN_WITHIN: u8 = 3;
/// A start is sent again while its first intent is younger than this.
pub(crate) const RESEND_WITHIN: u8 = 4;
/// What never happens within the time of a case.
pub(crate) const NEVER: u8 = u8::MAX;

/// Who begins what runs in a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dispatch {
    /// `StartAutomationExecution`, with a client token.
    Automation,
    /// `SendCommand`, which has none.
    RunCommand,
}

/// A rule of the protocol that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A record is appended by somebody who has not read the one before it.
    AppendsUnread,
    /// A start is sent however long ago it was intended.
    SendsLate,
    /// A start that was not found is intended and sent again, whatever its age and whether or not it has a token.
    SendsAgain,
    /// It is looked for once, and not until it must be listed.
    LooksOnce,
    /// A stop is not looked at.
    PassesStop,
    /// An approval that came before the end of the wave counts.
    ApprovedBefore,
}

/// What is assumed of AWS and of the machines, and how much may go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) dispatch: Dispatch,
    /// For how many ticks AWS remembers a client token.
    pub(crate) token: u8,
    /// After how many ticks at the latest a start is listed by its tag.
    pub(crate) tag: u8,
    /// Whether a process may stand still between looking at the clock and sending.
    pub(crate) stalls: bool,
    pub(crate) ticks: u8,
    pub(crate) deaths: u8,
    pub(crate) lost_answers: u8,
    pub(crate) refusals: u8,
    pub(crate) flaw: Option<Flaw>,
}

/// Where a unit stands by the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    Waiting,
    /// When its start was intended first, and last.
    Intended {
        first: u8,
        last: u8,
    },
    Started,
    Unresolved,
    Ended,
}

/// A record that a driver appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Record {
    Intended(usize),
    /// AWS said that it was not taken.
    NotSent(usize),
    Started(usize),
    Unresolved(usize),
    Ended(usize),
}

/// What a driver is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Doing {
    Nothing,
    /// It has intended a start, and has not looked at the clock since.
    Intended {
        unit: usize,
        at: u8,
    },
    /// It looked at the clock in time, and the call is on its way.
    Sending {
        unit: usize,
    },
    /// It knows that the start took effect.
    Found {
        unit: usize,
    },
    /// It knows that the start was not taken.
    Refused {
        unit: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Driver {
    /// Whether it has read the whole log.
    has_read: bool,
    doing: Doing,
    /// Whether it looked for the start that has no answer, late enough, in vain.
    not_found: bool,
}

/// A driver that has read nothing.
const NEW: Driver = Driver {
    has_read: false,
    doing: Doing::Nothing,
    not_found: false,
};

/// What took effect of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Effects {
    times: u8,
    /// When it did first.
    first: u8,
}

/// When a person approved of the first wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Approval {
    /// Before it was over, so that it is none.
    Before,
    Since,
}

/// What the log and AWS know, and how far each driver is. Records are kept as what they come to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: u8,
    units: [Standing; 2],
    approval: Option<Approval>,
    is_stopped: bool,
    /// Which law was broken, by its name.
    broken: Option<&'static str>,
    /// In order, as they are alike.
    drivers: [Driver; 2],
    effects: [Effects; 2],
    resent: bool,
    deaths: u8,
    lost: u8,
    refused: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Taken,
    NotTaken,
    Lost,
    /// Neither the call nor an answer arrives.
    CallLost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Tick,
    Read(usize),
    Append(usize, Record),
    LookAtClock(usize),
    Arrive(usize, Answer),
    Look {
        driver: usize,
        unit: usize,
        is_found: bool,
    },
    Die(usize),
    Approve,
    Stop,
}

pub(crate) const ONCE: &str = "each unit takes effect once at most";
const INTENDED: &str = "nothing takes effect without an intent in the log";
pub(crate) const STOP: &str = "nothing is intended after a stop";
pub(crate) const APPROVAL: &str = "the second wave waits for the approval of the first";

impl Case {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn may_begin(&self, world: &World, unit: usize) -> bool {
        let is_approved = match world.approval {
            None => false,
            Some(Approval::Before) => self.has(Flaw::ApprovedBefore),
            Some(Approval::Since) => true,
        };
        let is_its_turn = unit == 0 || (world.units[0] == Standing::Ended && is_approved);
        is_its_turn && (!world.is_stopped || self.has(Flaw::PassesStop))
    }

    /// What a driver that has read the whole log appends, if it does nothing else.
    fn next(&self, world: &World, driver: &Driver) -> Option<Record> {
        for unit in 0..2 {
            match world.units[unit] {
                Standing::Waiting if self.may_begin(world, unit) => return Some(Record::Intended(unit)),
                Standing::Intended { .. } if !driver.not_found => return None,
                Standing::Intended { first, .. } => {
                    let is_young = world.now < first + RESEND_WITHIN;
                    let may_be_sent = self.dispatch == Dispatch::Automation && is_young;
                    if may_be_sent || self.has(Flaw::SendsAgain) {
                        return self.may_begin(world, unit).then_some(Record::Intended(unit));
                    }
                    return Some(Record::Unresolved(unit));
                }
                Standing::Started => return Some(Record::Ended(unit)),
                Standing::Waiting | Standing::Unresolved => return None,
                Standing::Ended => {}
            }
        }
        None
    }

    /// Whether a look for a unit finds it: what AWS may answer.
    fn looks(&self, world: &World, unit: usize) -> impl Iterator<Item = bool> {
        let Effects { times, first } = world.effects[unit];
        let must_show = times > 0 && world.now >= first.saturating_add(self.tag);
        [false, true]
            .into_iter()
            .filter(move |is_found| if *is_found { times > 0 } else { !must_show })
    }
}

impl World {
    fn append(&mut self, index: usize, record: Record) {
        let now = self.now;
        match record {
            Record::Intended(unit) => {
                if self.is_stopped {
                    self.broken = Some(STOP);
                }
                if unit == 1 && (self.approval, self.units[0]) != (Some(Approval::Since), Standing::Ended) {
                    self.broken = Some(APPROVAL);
                }
                self.units[unit] = match self.units[unit] {
                    Standing::Intended { first, .. } => {
                        self.resent = true;
                        Standing::Intended { first, last: now }
                    }
                    _ => Standing::Intended {
                        first: now,
                        last: now,
                    },
                };
                self.drivers
                    .iter_mut()
                    .for_each(|driver| driver.not_found = false);
            }
            Record::NotSent(unit) => self.units[unit] = Standing::Waiting,
            Record::Started(unit) => self.units[unit] = Standing::Started,
            Record::Unresolved(unit) => self.units[unit] = Standing::Unresolved,
            Record::Ended(unit) => self.units[unit] = Standing::Ended,
        }
        for (other, driver) in self.drivers.iter_mut().enumerate() {
            driver.has_read &= other == index;
        }
        let driver = &mut self.drivers[index];
        driver.has_read = true;
        driver.not_found = false;
        driver.doing = match record {
            Record::Intended(unit) => Doing::Intended { unit, at: now },
            _ => Doing::Nothing,
        };
    }

    /// A start arrives at AWS.
    fn take(&mut self, unit: usize, token: u8) {
        if self.units[unit] == Standing::Waiting {
            self.broken = Some(INTENDED);
        }
        let Effects { times, first } = &mut self.effects[unit];
        if *times == 0 {
            (*times, *first) = (1, self.now);
        } else if self.now > first.saturating_add(token) {
            self.broken = Some(ONCE);
        }
    }

    /// What a person appends without driving: every driver has to read it.
    fn said(&mut self) {
        self.drivers.iter_mut().for_each(|driver| driver.has_read = false);
    }
}

impl Model for Case {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            now: 0,
            units: [Standing::Waiting; 2],
            approval: None,
            is_stopped: false,
            broken: None,
            drivers: [NEW, NEW],
            effects: [Effects { times: 0, first: 0 }; 2],
            resent: false,
            deaths: 0,
            lost: 0,
            refused: 0,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        let is_sending = |driver: &Driver| matches!(driver.doing, Doing::Sending { .. });
        if world.now < self.ticks && (self.stalls || !world.drivers.iter().any(is_sending)) {
            actions.push(Action::Tick);
        }
        for (index, driver) in world.drivers.iter().enumerate() {
            // It takes for waiting what another one has intended since it read.
            if self.has(Flaw::AppendsUnread) && !driver.has_read && driver.doing == Doing::Nothing {
                let is_intended = |unit: &usize| {
                    matches!(world.units[*unit], Standing::Intended { .. }) && self.may_begin(world, *unit)
                };
                let units = (0..2).filter(is_intended);
                actions.extend(units.map(|unit| Action::Append(index, Record::Intended(unit))));
            }
            if !driver.has_read
                && matches!(
                    driver.doing,
                    Doing::Nothing | Doing::Found { .. } | Doing::Refused { .. }
                )
            {
                actions.push(Action::Read(index));
            }
            match driver.doing {
                Doing::Nothing if driver.has_read => {
                    actions.extend(
                        self.next(world, driver)
                            .map(|record| Action::Append(index, record)),
                    );
                    for unit in 0..2 {
                        if matches!(world.units[unit], Standing::Intended { .. }) {
                            actions.extend(self.looks(world, unit).map(|is_found| Action::Look {
                                driver: index,
                                unit,
                                is_found,
                            }));
                        }
                    }
                }
                Doing::Intended { .. } => actions.push(Action::LookAtClock(index)),
                Doing::Sending { .. } => {
                    actions.push(Action::Arrive(index, Answer::Taken));
                    if world.lost < self.lost_answers {
                        actions.push(Action::Arrive(index, Answer::Lost));
                        actions.push(Action::Arrive(index, Answer::CallLost));
                    }
                    if world.refused < self.refusals && self.dispatch == Dispatch::RunCommand {
                        actions.push(Action::Arrive(index, Answer::NotTaken));
                    }
                }
                Doing::Found { unit } if driver.has_read => {
                    actions.push(Action::Append(index, Record::Started(unit)));
                }
                Doing::Refused { unit } if driver.has_read => {
                    actions.push(Action::Append(index, Record::NotSent(unit)));
                }
                Doing::Nothing | Doing::Found { .. } | Doing::Refused { .. } => {}
            }
            if world.deaths < self.deaths && *driver != NEW {
                actions.push(Action::Die(index));
            }
        }
        if world.approval != Some(Approval::Since) {
            actions.push(Action::Approve);
        }
        if !world.is_stopped {
            actions.push(Action::Stop);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Tick => next.now += 1,
            Action::Read(index) => {
                let driver = &mut next.drivers[index];
                driver.has_read = true;
                // Somebody else has found out already.
                if let Doing::Found { unit } | Doing::Refused { unit } = driver.doing
                    && !matches!(next.units[unit], Standing::Intended { .. })
                {
                    driver.doing = Doing::Nothing;
                }
            }
            Action::Append(index, record) => next.append(index, record),
            Action::LookAtClock(index) => {
                let Doing::Intended { unit, at } = next.drivers[index].doing else {
                    return None;
                };
                let in_time = next.now <= at + SENT_WITHIN || self.has(Flaw::SendsLate);
                next.drivers[index].doing = if in_time {
                    Doing::Sending { unit }
                } else {
                    // It is as if it had been sent, and the answer lost.
                    Doing::Nothing
                };
            }
            Action::Arrive(index, answer) => {
                let Doing::Sending { unit } = next.drivers[index].doing else {
                    return None;
                };
                if matches!(answer, Answer::Taken | Answer::Lost) {
                    next.take(unit, self.token);
                }
                next.lost += u8::from(matches!(answer, Answer::Lost | Answer::CallLost));
                next.refused += u8::from(answer == Answer::NotTaken);
                next.drivers[index].doing = match answer {
                    Answer::Taken => Doing::Found { unit },
                    Answer::NotTaken => Doing::Refused { unit },
                    Answer::Lost | Answer::CallLost => Doing::Nothing,
                };
            }
            Action::Look {
                driver,
                unit,
                is_found,
            } => {
                let Standing::Intended { last, .. } = next.units[unit] else {
                    return None;
                };
                let driver = &mut next.drivers[driver];
                if is_found {
                    driver.doing = Doing::Found { unit };
                } else {
                    // An earlier look says nothing.
                    driver.not_found = next.now >= last + SEEN_WITHIN || self.has(Flaw::LooksOnce);
                }
            }
            Action::Die(index) => {
                next.drivers[index] = NEW;
                next.deaths += 1;
            }
            Action::Approve => {
                next.approval = Some(match next.units[0] {
                    Standing::Ended => Approval::Since,
                    _ => Approval::Before,
                });
                next.said();
            }
            Action::Stop => {
                next.is_stopped = true;
                next.said();
            }
        }
        next.drivers.sort();
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, world: &World| world.broken != Some(ONCE)),
            Property::always(INTENDED, |_, world: &World| world.broken != Some(INTENDED)),
            Property::always(STOP, |_, world: &World| world.broken != Some(STOP)),
            Property::always(APPROVAL, |_, world: &World| world.broken != Some(APPROVAL)),
            Property::sometimes("all is over", |_, world: &World| {
                world.units == [Standing::Ended; 2]
            }),
            Property::sometimes("a start is left to a person", |_, world: &World| {
                world.units.contains(&Standing::Unresolved)
            }),
            Property::sometimes(
                "a start is sent again where that is allowed",
                |case: &Self, world: &World| {
                    world.resent || (world.refused > 0 && case.dispatch == Dispatch::RunCommand)
                },
            ),
        ]
    }
}
