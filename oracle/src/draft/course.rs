//! What befalls the drivers of a campaign, their calls and their log, and what is done once the campaign is over.

use super::Death;
use proptest::prelude::*;

/// How a campaign is driven, beside what the draft says of the deaths of its first driver.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    /// Another driver at the same time.
    pub(crate) company: Option<Company>,
    /// What goes wrong with calls.
    pub(crate) faults: Vec<Fault>,
    /// When nothing is done for a while.
    pub(crate) pauses: Vec<Pause>,
    /// Seconds from the death of a driver to the next one.
    pub(crate) gap: u32,
    /// When the log loses its end, if it does.
    pub(crate) restore: Option<Restore>,
    /// Whether a person has starts sent again of which nobody knows whether they took effect.
    pub(crate) sends_again: bool,
    /// Whether results are read again once the campaign is over.
    pub(crate) collects: Option<Collects>,
    /// What is tried again once the campaign is over, one campaign after the other.
    pub(crate) retries: Vec<Again>,
}

/// A second driver. After its last death nobody takes its place.
#[derive(Debug, Clone)]
pub(crate) struct Company {
    /// Seconds after the first one.
    pub(crate) comes: u32,
    pub(crate) deaths: Vec<Death>,
}

/// Something that goes wrong with some calls for a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) of: Of,
    pub(crate) how: How,
    /// From this second after the first driver began, for so many seconds.
    pub(crate) from: u32,
    pub(crate) lasts: u32,
    /// How many of a hundred calls it strikes.
    pub(crate) percent: u8,
}

/// Which calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Of {
    /// Of executions and of commands that are sent.
    Starts,
    Stops,
    /// Looks at executions, at what they began, and for what was begun.
    Looks,
    /// Readings of commands, patch states and nodes.
    Results,
    Documents,
    Appends,
    /// Of the log.
    Reads,
    Rows,
}

/// What goes wrong. Seconds are virtual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// It has no effect, and the caller cannot tell.
    Unsent,
    /// It takes effect, and after so many seconds the caller is told that there was no answer.
    Lost(u32),
    Throttled,
    Denied,
    /// It takes effect so many seconds later.
    Delayed(u32),
    /// It takes effect, and is answered so many seconds later.
    Late(u32),
    /// An append is told of a conflict with its own record. Other calls are lost.
    Twice,
}

/// For how long nothing is done before a turn of a driver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    /// After so many turns of the first driver, or of the second one.
    pub(crate) turns: usize,
    pub(crate) minutes: u32,
    pub(crate) who: Who,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The machine slept: for everybody the clock steps forward at once.
    Everybody,
    /// The process of the first driver stands still.
    First,
    /// The process of the second driver stands still.
    Second,
}

/// The log loses its last records when a driver has died, and the next one finds an older state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restore {
    /// After which death, from 0.
    pub(crate) death: usize,
    pub(crate) records: usize,
}

/// When results are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collects {
    /// Once the campaign is over.
    AtOnce,
    /// Once other people have done all that they do, too.
    Late,
}

/// Which nodes a further campaign is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// All that the last campaign left, and that may be tried again.
    Failed,
    /// Those that a window left.
    NotRun,
    /// Those that were not reached: the second attempt.
    Unreached,
}

impl Course {
    /// Whether what is done, seen and said may differ from what a single driver does whose calls are all answered.
    pub(crate) fn is_rough(&self) -> bool {
        !self.faults.is_empty() || !self.pauses.is_empty() || self.gap > 0 || self.restore.is_some()
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let of = prop_oneof![
        3 => Just(Of::Starts),
        1 => Just(Of::Stops),
        3 => Just(Of::Looks),
        2 => Just(Of::Results),
        1 => Just(Of::Documents),
        3 => Just(Of::Appends),
        1 => Just(Of::Reads),
        1 => Just(Of::Rows),
    ];
    let seconds = || prop_oneof![3 => 1..90_u32, 1 => 90..900_u32];
    let how = prop_oneof![
        2 => Just(How::Unsent),
        3 => seconds().prop_map(How::Lost),
        1 => Just(How::Throttled),
        1 => Just(How::Denied),
        1 => seconds().prop_map(How::Delayed),
        2 => seconds().prop_map(How::Late),
        1 => Just(How::Twice),
    ];
    let from = prop_oneof![2 => Just(0_u32), 2 => 1..600_u32, 1 => 1..6_000_u32];
    let lasts = prop_oneof![3 => 1..120_u32, 2 => 60..1_200_u32, 1 => 600..7_200_u32];
    let percent = prop_oneof![1 => Just(100_u8), 2 => 20..90_u8];
    (of, how, from, lasts, percent).prop_map(|(of, how, from, lasts, percent)| Fault {
        of,
        how,
        from,
        lasts,
        percent,
    })
}

/// Nobody may read results for hours, so that something is left to be read once the campaign is over.
fn unread() -> impl Strategy<Value = Vec<Fault>> {
    (0..600_u32, 7_200..30_000_u32).prop_map(|(from, lasts)| {
        vec![Fault {
            of: Of::Results,
            how: How::Denied,
            from,
            lasts,
            percent: 100,
        }]
    })
}

fn pause() -> impl Strategy<Value = Pause> {
    let turns = prop_oneof![1 => 0..8_usize, 1 => 0..60_usize];
    let minutes = prop_oneof![1 => 1..10_u32, 1 => 10..180_u32, 1 => 180..900_u32];
    let who = prop_oneof![3 => Just(Who::Everybody), 1 => Just(Who::First), 2 => Just(Who::Second)];
    (turns, minutes, who).prop_map(|(turns, minutes, who)| Pause { turns, minutes, who })
}

fn company() -> impl Strategy<Value = Company> {
    let comes = prop_oneof![2 => 0..5_u32, 2 => 1..120_u32, 1 => 60..2_000_u32];
    let death = prop_oneof![
        1 => (0..12_usize).prop_map(Death::Turns),
        1 => (0..200_usize).prop_map(Death::Polls),
    ];
    let deaths = prop_oneof![1 => Just(vec![]), 2 => prop::collection::vec(death, 1..3)];
    (comes, deaths).prop_map(|(comes, deaths)| Company { comes, deaths })
}

fn retries() -> impl Strategy<Value = Vec<Again>> {
    prop_oneof![
        4 => Just(vec![]),
        3 => Just(vec![Again::Failed]),
        1 => Just(vec![Again::NotRun]),
        2 => Just(vec![Again::Unreached]),
        1 => Just(vec![Again::Unreached, Again::Failed]),
        1 => Just(vec![Again::Failed, Again::Failed]),
    ]
}

/// Most campaigns meet with little of it, and a third with nothing.
pub(super) fn courses() -> impl Strategy<Value = Course> {
    let faults = prop_oneof![14 => Just(vec![]), 5 => prop::collection::vec(fault(), 1..4), 1 => unread()];
    let pauses = prop_oneof![8 => Just(vec![]), 2 => prop::collection::vec(pause(), 1..3)];
    let gap = prop_oneof![8 => Just(0_u32), 1 => 1..120_u32, 1 => 120..7_200_u32];
    let restore = (0..3_usize, 1..5_usize).prop_map(|(death, records)| Restore { death, records });
    let drivers = (
        prop::option::weighted(0.15, company()),
        pauses,
        gap,
        prop::option::weighted(0.15, restore),
    );
    let collects =
        prop_oneof![2 => Just(None), 1 => Just(Some(Collects::AtOnce)), 1 => Just(Some(Collects::Late))];
    let later = (any::<bool>(), collects, retries());
    (drivers, faults, later).prop_map(
        |((company, pauses, gap, restore), faults, (sends_again, collects, retries))| {
            // A driver beside it would find that its log was cut short, which ends it.
            let restore = restore.filter(|_| company.is_none());
            Course {
                company,
                faults,
                pauses,
                gap,
                restore,
                sends_again,
                collects,
                retries,
            }
        },
    )
}
