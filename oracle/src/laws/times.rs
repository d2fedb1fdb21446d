//! Nothing begins in a freeze, while a change calendar is closed, or so late that a command outlives the cutoff.
//!
//! When that is follows from the draft. When something began and ended is the simulator's own state.

use crate::run::Run;
use crate::starts::{end, time};
use jiff::{SignedDuration, Timestamp};

/// For how long it counts that the change calendars are open (docs/requests.md), and a few seconds in which a start is on its way.
const ASKED_WITHIN: SignedDuration = SignedDuration::from_secs(60 + 5);

pub(super) fn kept(run: &Run) {
    let (draft, wish) = (&run.draft, &run.draft.wish);
    if !wish.has_times() {
        return;
    }
    // What runs still has run until now, and nobody knows for how long it will.
    let (start, now) = (draft.start(), time(&run.after["now"]));
    for begun in run.starts() {
        for freeze in &wish.freezes {
            let is_frozen = freeze.holds(start, begun.from);
            assert!(!is_frozen, "{} began in {freeze:?}", begun.what);
        }
        if let Some(cutoff) = draft.cutoff() {
            assert!(begun.from < cutoff, "{} began after {cutoff}", begun.what);
        }
        assert!(
            were_open(run, begun.from),
            "{} began, and the calendars had not been open for a while",
            begun.what
        );
    }
    for command in run.commands() {
        let (from, to) = (time(&command["requested"]), end(command).min(now));
        if let Some(cutoff) = draft.cutoff() {
            assert!(to <= cutoff, "{command} was alive after {cutoff}");
        }
        for freeze in wish.freezes.iter().filter(|freeze| freeze.expires) {
            let is_alive = freeze.holds_between(start, from, to);
            assert!(!is_alive, "{command} was alive in {freeze:?}");
        }
    }
    for begun in run.starts() {
        assert_eq!(begun.at.len(), 1, "{} has several locations", begun.what);
    }
}

/// Whether all calendars were open at an instant shortly before something began.
fn were_open(run: &Run, began: Timestamp) -> bool {
    let (calendars, start) = (&run.draft.wish.calendars, run.draft.start());
    let asked_within = ASKED_WITHIN + super::log_answers_within(run);
    let earliest = began.checked_sub(asked_within).unwrap();
    let turns = calendars.iter().flat_map(|calendar| calendar.turns(start));
    let mut instants = turns
        .filter(|at| earliest <= *at && *at <= began)
        .chain([earliest, began]);
    instants.any(|at| calendars.iter().all(|calendar| calendar.is_open_at(start, at)))
}
