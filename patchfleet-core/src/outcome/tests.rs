//! README.md tells a newcomer of every outcome there is.

use super::{FinishedOutcome, LocationOutcome, NodeOutcome};
use crate::report::ReportOutcome;

const README: &str = include_str!("../../../README.md");

/// The rows of README's table whose heading begins with these cells, each row as its cells.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect()
    };
    let rows: Vec<_> = README
        .lines()
        .skip_while(|line| !line.starts_with(heading))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    assert!(!rows.is_empty(), "README has no table {heading}");
    rows
}

/// Every value, by a match that has to be extended with the enum: each names the one after it.
fn all<T: Copy>(first: T, next: impl Fn(T) -> Option<T>) -> Vec<T> {
    std::iter::successors(Some(first), |at| next(*at)).collect()
}

#[test]
fn the_readme_lists_every_outcome_of_a_location() {
    use LocationOutcome::*;
    let outcomes = all(Succeeded, |at| match at {
        Succeeded => Some(NodesFailed),
        NodesFailed => Some(Emptied),
        Emptied => Some(Vanished),
        Vanished => Some(CommandFailed),
        CommandFailed => Some(RoleNotAssumable),
        RoleNotAssumable => Some(FailedBeforeCommand),
        FailedBeforeCommand => Some(Cancelled),
        Cancelled => Some(TimedOut),
        TimedOut => Some(NotStarted),
        NotStarted => Some(StartRefused),
        StartRefused => Some(Unresolved),
        Unresolved => Some(ResultsUnreadable),
        ResultsUnreadable => None,
    });
    let listed: Vec<&str> = table("| location |").iter().map(|row| row[1]).collect();
    assert_eq!(
        listed,
        outcomes
            .iter()
            .map(|outcome| outcome.as_str())
            .collect::<Vec<_>>()
    );
}

fn node_outcomes() -> Vec<NodeOutcome> {
    use NodeOutcome::*;
    all(Done, |at| match at {
        Done => Some(PendingReboot),
        PendingReboot => Some(Missing),
        Missing => Some(Failed),
        Failed => Some(Lost),
        Lost => Some(Unreached),
        Unreached => Some(NotRun),
        NotRun => Some(Unmanaged),
        Unmanaged => Some(Gone),
        Gone => Some(RunningAtExpiry),
        RunningAtExpiry => Some(Unknown),
        Unknown => None,
    })
}

#[test]
fn the_readme_gives_the_same_advice_about_a_node_as_explain() {
    let rows = table("| node |");
    for outcome in node_outcomes() {
        let row = rows.iter().find(|cells| cells[1] == outcome.as_str()).unwrap();
        let advice = row[3].strip_prefix("no: ").map(|advice| advice.trim_matches('`'));
        let ours = outcome.advice().map(|advice| advice.trim_matches('`'));
        assert_eq!(advice, ours, "{outcome:?}");
    }
}

#[test]
fn how_many_nodes_fell_short_is_told_in_the_singular_of_one_node() {
    use super::{Goal, Tally};
    use crate::request::{GoneAction, RebootOption};
    let goal = Goal {
        reboot: RebootOption::NoReboot,
        gone: GoneAction::Accept,
    };
    let told = |outcomes: &[NodeOutcome]| {
        let tally: Tally = outcomes.iter().copied().collect();
        tally.shortfall(goal)
    };
    let (failed, done) = (NodeOutcome::Failed, NodeOutcome::Done);
    assert_eq!(told(&[failed]).unwrap(), "1 of 1 node did not reach its goal");
    assert_eq!(
        told(&[failed, done]).unwrap(),
        "1 of 2 nodes did not reach their goal"
    );
    assert_eq!(told(&[done]), None);
    for words in [
        "1 of 1 node did not reach its goal",
        "1 of 1 nodes did not reach their goal",
    ] {
        assert!(Tally::is_shortfall(words), "{words}");
    }
    assert!(!Tally::is_shortfall("ended as Cancelled"));
}

#[test]
fn the_readme_lists_every_outcome_of_a_node() {
    let listed: Vec<&str> = table("| node |").iter().map(|row| row[1]).collect();
    assert_eq!(
        listed,
        node_outcomes()
            .iter()
            .map(|outcome| outcome.as_str())
            .collect::<Vec<_>>()
    );
}

#[test]
fn the_readme_has_the_exit_code_of_every_end_of_a_campaign() {
    use ReportOutcome::*;
    let finished = all(FinishedOutcome::Succeeded, |at| match at {
        FinishedOutcome::Succeeded => Some(FinishedOutcome::Partial),
        FinishedOutcome::Partial => Some(FinishedOutcome::Halted),
        FinishedOutcome::Halted => Some(FinishedOutcome::NothingToDo),
        FinishedOutcome::NothingToDo => None,
    });
    let codes = [
        (Succeeded, "0"),
        (NothingToDo, "0"),
        (Refused, "3"),
        (Partial, "4"),
        (Open, "4"),
        (Halted, "5"),
    ];
    let rows = table("| exit code |");
    for (outcome, code) in codes {
        let row = [code, outcome.as_str()];
        assert!(rows.iter().any(|cells| cells[1..3] == row), "no row {row:?}");
    }
    for outcome in finished {
        assert!(
            codes.iter().any(|(of, _)| of.as_str() == outcome.as_str()),
            "{outcome:?}"
        );
    }
}
