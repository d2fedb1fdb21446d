//! Nothing begins while the CloudWatch alarm of the request is in the state ALARM, and nothing more once that was seen.
//!
//! When the alarm goes off follows from the draft.

use crate::draft::Hand;
use crate::run::{Done, Run};
use jiff::{SignedDuration, Timestamp};

/// For how long an answer counts (docs/requests.md), and a few seconds in which a start is on its way.
const ASKED_WITHIN: SignedDuration = SignedDuration::from_secs(60 + 5);
/// How long the alarm is in the state ALARM at least if somebody has surely seen it there, as long as something is left to begin: it
/// is asked once a minute then.
const SEEN_WITHIN: SignedDuration = SignedDuration::from_secs(2 * 60);

pub(super) fn heeded(run: &Run, done: &Done) {
    let breaker = run.draft.wish.breaker.as_ref();
    let Some(alarm) = breaker.and_then(|breaker| breaker.alarm.as_ref()) else {
        return;
    };
    let starts = run.starts();
    let asked_within = ASKED_WITHIN + super::log_answers_within(run);
    // What was seen and is forgotten was not seen.
    let remembers = done.befell.lost_records == 0;
    for (from, to) in alarm.goes_off(run.draft.start()) {
        let later = |at: Timestamp, by: SignedDuration| at.checked_add(by).unwrap_or(Timestamp::MAX);
        // Nobody asks before the campaign begins.
        let asked_from = from.max(run.began);
        let is_seen = remembers && to > super::seen_by(run, asked_from, SEEN_WITHIN);
        let until = if is_seen { Timestamp::MAX } else { to };
        for start in &starts {
            let is_late = later(asked_from, asked_within) < start.from && start.from < until;
            assert!(
                !is_late,
                "{} began, and the alarm had gone off at {from}",
                start.what
            );
        }
    }
    if alarm.is_handed {
        stopped_by_it(run, done);
    }
}

/// Once AWS stopped an execution for the alarm, and there was time to see so, nothing more begins, whatever a person says.
fn stopped_by_it(run: &Run, done: &Done) {
    if done.stopped.is_some() || !run.draft.hands.iter().all(Hand::is_of_nodes) {
        return;
    }
    let starts = run.starts();
    let stopped = starts.iter().filter(|one| one.what["status"] == "Cancelled");
    for stopped in stopped {
        for start in &starts {
            let is_late = start.from > super::seen_by(run, stopped.to, super::SEEN_WITHIN);
            assert!(
                !is_late,
                "{} began after {} was stopped",
                start.what, stopped.what
            );
        }
    }
}
