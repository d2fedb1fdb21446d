//! What the freezes of a request leave of the time: whether a start may be made, until when, and when the next one may.

use super::{CUTOFF_MARGIN, Lifetime, Plan};
use crate::budget::Seconds;
use crate::id::FreezeName;
use crate::refusal::{RefusalCode, RefusalReason};
use crate::request::{Freeze, PatchRequest, Running};
use crate::text::names;
use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// After how many freezes with no time between them that is long enough for a start it counts as never. Of those that come
/// again each day these are the freezes of four months. An hour more on the one day on which clocks go back is no use.
const PERIODS: usize = 120;

/// Why no start may be made at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frozen {
    /// The freeze.
    pub(crate) name: FreezeName,
    /// When it begins, if it does not hold yet: what was started might not be through by then.
    pub(crate) begins: Option<Timestamp>,
    /// When a start may be made again as far as freezes go. `None`: never.
    pub(crate) until: Option<Timestamp>,
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&frozen_in_words(self.name.as_str(), self.begins, self.until))
    }
}

/// That a freeze is against a start: with this name, when it begins if it does not hold yet, and when a start may be made
/// again.
pub(crate) fn frozen_in_words(name: &str, begins: Option<Timestamp>, until: Option<Timestamp>) -> String {
    let why = match begins {
        None => format!("the freeze {name} holds"),
        Some(begins) => {
            format!("what is started now may not be through when the freeze {name} begins, at {begins:.0}")
        }
    };
    match until {
        Some(until) => format!("{why}; the next start may be made at {until:.0}"),
        None => format!("{why}, and the freezes leave no time that is long enough for a start"),
    }
}

/// The freezes of a request, and how long before one the last start may be made.
#[derive(Clone, Copy)]
pub(super) struct Freezes<'a> {
    freezes: &'a [Freeze],
    /// Before a freeze at whose beginning every command has expired.
    needed: Seconds,
}

impl<'a> Freezes<'a> {
    /// With the shortest life that a command can be given; `None` under a runbook of one's own, which has no such freeze.
    pub(super) fn new(request: &'a PatchRequest, lifetime: Option<&Lifetime>) -> Self {
        Self {
            freezes: &request.freezes,
            needed: lifetime.map_or(CUTOFF_MARGIN, Lifetime::needed),
        }
    }

    /// The periods that are not over, each with its freeze.
    fn periods(self, at: Timestamp) -> impl Iterator<Item = (&'a Freeze, Timestamp, Timestamp)> {
        self.freezes.iter().flat_map(move |freeze| {
            let periods = freeze.periods_after(at).into_iter();
            periods.map(move |(begins, ends)| (freeze, begins, ends))
        })
    }

    /// The last instant before a period at which a start may be made.
    fn closes(self, freeze: &Freeze, begins: Timestamp) -> Timestamp {
        let needed = match freeze.running {
            Running::Expire => self.needed,
            // A start without an answer is sent again for some minutes, and AWS takes a moment to begin.
            Running::Finish => CUTOFF_MARGIN,
        };
        let needed = SignedDuration::from_secs(i64::try_from(needed.get()).unwrap_or(i64::MAX));
        begins.checked_sub(needed).unwrap_or(Timestamp::MIN)
    }

    /// The period that is against a start, if one is: that which holds and ends last, or else that which begins first.
    fn against(self, at: Timestamp) -> Option<(&'a Freeze, Timestamp, Timestamp)> {
        let holds = self.periods(at).filter(|(_, begins, _)| *begins <= at);
        holds.max_by_key(|(.., ends)| *ends).or_else(|| {
            let near = self
                .periods(at)
                .filter(|(freeze, begins, _)| self.closes(freeze, *begins) < at);
            near.min_by_key(|(_, begins, _)| *begins)
        })
    }

    /// The first instant from this one on at which a start may be made. `None`: never.
    pub(super) fn opens(self, mut at: Timestamp) -> Option<Timestamp> {
        for _ in 0..PERIODS {
            match self.against(at) {
                None => return Some(at),
                Some((.., ends)) => at = ends,
            }
        }
        None
    }

    fn frozen(self, at: Timestamp) -> Option<Frozen> {
        let (freeze, begins, _) = self.against(at)?;
        Some(Frozen {
            name: freeze.name.clone(),
            begins: (begins > at).then_some(begins),
            until: self.opens(at),
        })
    }

    /// When the next freeze begins at whose beginning every command has expired.
    pub(super) fn bound(self, at: Timestamp) -> Option<(&'a Freeze, Timestamp)> {
        let expire = self
            .periods(at)
            .filter(|(freeze, begins, _)| freeze.running == Running::Expire && *begins > at);
        let first = expire.min_by_key(|(_, begins, _)| *begins);
        first.map(|(freeze, begins, _)| (freeze, begins))
    }

    /// The last instant at which a start may be made, of those from this one on up to the next freeze.
    pub(super) fn begins_until(self, at: Timestamp) -> Option<Timestamp> {
        let periods = self.periods(at);
        periods
            .map(|(freeze, begins, _)| self.closes(freeze, begins))
            .min()
    }
}

impl Plan {
    fn freezes(&self) -> Freezes<'_> {
        Freezes::new(&self.request, self.lifetime.as_ref())
    }

    /// Why no start may be made now as far as freezes go; `None`: it may.
    pub(crate) fn frozen(&self, now: Timestamp) -> Option<Frozen> {
        self.freezes().frozen(now)
    }

    /// The last instant at which a start may be made for the next freeze. It is past while one holds.
    pub(crate) fn freeze_allows_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.freezes().begins_until(now)
    }

    /// The freeze that begins next of those by whose beginning every command has expired, and when that is.
    pub(crate) fn expires_by(&self, now: Timestamp) -> Option<(&FreezeName, Timestamp)> {
        let (freeze, begins) = self.freezes().bound(now)?;
        Some((&freeze.name, begins))
    }

    /// Whether commands have to expire before a freeze.
    pub(crate) fn has_to_expire(&self) -> bool {
        let mut freezes = self.request.freezes.iter();
        freezes.any(|freeze| freeze.running == Running::Expire)
    }

    /// When nothing begins, each in a line of the plan's text.
    pub(super) fn freezes_in_words(&self) -> impl Iterator<Item = String> {
        self.request
            .freezes
            .iter()
            .map(|freeze| {
                let running = match freeze.running {
                    Running::Expire => "every command has expired by then",
                    Running::Finish => "what runs may finish",
                };
                format!("nothing begins in the freeze {freeze}; {running}")
            })
            .chain((!self.request.change_calendars.is_empty()).then(|| {
                let names = names(&self.request.change_calendars);
                format!("nothing begins unless the change calendars are open: {names}")
            }))
    }
}

/// The reason against a plan under which nothing could ever begin, or not before the cutoff, or with nobody there to begin
/// it.
pub(super) fn reason(
    request: &PatchRequest,
    lifetime: Option<&Lifetime>,
    now: Timestamp,
    is_followed: bool,
) -> Option<RefusalReason> {
    let freezes = Freezes::new(request, lifetime);
    let frozen = freezes.frozen(now)?;
    let cutoff = lifetime.and_then(|lifetime| Some((lifetime.begins_until()?, lifetime.cutoff?)));
    let then = match (frozen.until, cutoff) {
        (None, _) => format!(
            ". The last start is made {} before a freeze by whose beginning every command has expired: make the time \
             between freezes longer, or set running = \"finish\"",
            freezes.needed
        ),
        (Some(opens), Some((until, cutoff))) if opens > until => format!(
            ", and the last start before the cutoff {cutoff:.0} would be at {until:.0}: nothing would be begun. Name a \
             later cutoff, or run it at another time"
        ),
        (Some(_), _) if !is_followed => {
            ", with nobody there to make it. Run it again then, or run it where it can be followed, with the command or \
             the cron process"
                .to_owned()
        }
        _ => return None,
    };
    Some(RefusalReason {
        code: RefusalCode::Frozen,
        subject: "freezes".to_owned(),
        detail: format!("{frozen}{then}"),
    })
}

/// The warnings about freezes: that one keeps the campaign waiting, and that one is over for good.
pub(super) fn warnings(request: &PatchRequest, lifetime: Option<&Lifetime>, now: Timestamp) -> Vec<String> {
    let freezes = Freezes::new(request, lifetime);
    let waits = freezes.frozen(now).map(|frozen| frozen.to_string());
    let over = request
        .freezes
        .iter()
        .filter(|freeze| freeze.periods_after(now).is_empty());
    let over = over.map(|freeze| format!("the freeze {freeze} is over, so it has no effect"));
    waits.into_iter().chain(over).collect()
}
