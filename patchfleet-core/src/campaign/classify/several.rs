//! What became of a node that several commands may have been sent to.

use super::{Evidence, Verdict};
use crate::outcome::NodeOutcome;

impl Verdict {
    /// Takes back a success that rests on a command's word alone, where the execution that sent it failed
    /// for these `words` and nobody knows whether it is the command that patches.
    pub(in crate::campaign) fn doubt_the_word(&mut self, evidence: &Evidence<'_>, words: &str) {
        if evidence.by_word && evidence.invocation.is_some() && self.outcome.reaches_goal(evidence.goal) {
            *self = Self::new(
                NodeOutcome::Unknown,
                format!(
                    "reported success to a command that need not be the one that patches, and the execution there \
                     failed: {words}"
                ),
            );
        }
    }
}

/// The worse of the verdicts on a node by two commands that were sent to it, and what it rests on. It may
/// change as long as either may. Of two that are as bad it is the one that says more.
pub(in crate::campaign) fn worse<T>(one: (Verdict, T), other: (Verdict, T)) -> (Verdict, T) {
    let may_change = one.0.may_change.max(other.0.may_change);
    let weight = |verdict: &Verdict| (severity(verdict.outcome), verdict.detail.len());
    let (verdict, of) = if weight(&other.0) > weight(&one.0) {
        other
    } else {
        one
    };
    (
        Verdict {
            may_change,
            ..verdict
        },
        of,
    )
}

/// How bad an outcome is for a node that has several.
fn severity(outcome: NodeOutcome) -> u8 {
    match outcome {
        NodeOutcome::Done => 0,
        NodeOutcome::Gone => 1,
        NodeOutcome::PendingReboot => 2,
        NodeOutcome::Unmanaged => 3,
        NodeOutcome::NotRun => 4,
        NodeOutcome::Unreached => 5,
        NodeOutcome::Missing => 6,
        NodeOutcome::RunningAtExpiry => 7,
        NodeOutcome::Unknown => 8,
        NodeOutcome::Failed => 9,
        NodeOutcome::Lost => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::PATCH_STATE_LAG;
    use NodeOutcome as O;

    #[test]
    fn a_node_has_the_worst_of_its_results_and_waits_as_long_as_any_may_change() {
        let by_badness = [
            O::Done,
            O::Gone,
            O::PendingReboot,
            O::Unmanaged,
            O::NotRun,
            O::Unreached,
            O::Missing,
            O::RunningAtExpiry,
            O::Unknown,
            O::Failed,
            O::Lost,
        ];
        for (n, better) in by_badness.into_iter().enumerate() {
            for bad in by_badness.into_iter().skip(n + 1) {
                let late = || (Verdict::new(better, "a long story").until(PATCH_STATE_LAG), 1);
                let worst = || (Verdict::new(bad, ""), 2);
                let expected = (Verdict::new(bad, "").until(PATCH_STATE_LAG), 2);
                assert_eq!(worse(late(), worst()), expected);
                assert_eq!(worse(worst(), late()), expected);
            }
        }
    }

    #[test]
    fn of_two_results_that_are_as_bad_the_one_that_says_more_is_told() {
        let (verdict, of) = worse(
            (Verdict::new(O::NotRun, "not sent"), 1),
            (Verdict::new(O::NotRun, "not sent: it ended as AccessDenied"), 2),
        );
        assert_eq!(
            (verdict.detail.as_str(), of),
            ("not sent: it ended as AccessDenied", 2)
        );
    }
}
