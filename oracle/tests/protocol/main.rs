//! Law 5, of the protocol itself: every order in which two drivers, a person and AWS can act is tried, for small sizes, to the end.
//!
//! This is a model of the protocol of the log and of starts, not patchfleet's code. What it keeps of it:
//!
//! - A record is appended only by whoever has read all records before it (put-if-absent).
//! - A start is intended in the log before it is sent, and sent within `SENT_WITHIN` of that record or not at all.
//! - A start without an answer is looked for by its tag or comment, until `SEEN_WITHIN` after its last intent. If it is not found, an
//!   execution is intended and sent again, with its token, while its first intent is younger than `RESEND_WITHIN`; then it is
//!   left to a person. A command, which has no token, is left to a person at once. It is sent again if AWS said that it was not taken.
//! - After a stop in the log nothing is intended any more.
//! - The second unit is of a later wave: it is intended once the first is over by the log and a person has approved since.
//!
//! A driver may die anywhere, and another one takes its place and knows the log alone. Any answer may be lost. AWS remembers a client
//! token for as long as the case says, and shows a tag at any time up to what the case says. Each rule is left out once, and what
//! that breaks is found.

#![expect(
    clippy::indexing_slicing,
    reason = "a model is small, and a wrong index is a wrong model"
)]

mod model;

use model::{APPROVAL, Case, Dispatch, Flaw, NEVER, ONCE, RESEND_WITHIN, SEEN_WITHIN, SENT_WITHIN, STOP};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// Executions, with a token that AWS remembers and tags that are seen in time.
const EXECUTIONS: Case = Case {
    dispatch: Dispatch::Automation,
    token: NEVER,
    tag: 2,
    stalls: false,
    ticks: 7,
    deaths: 2,
    lost_answers: 2,
    refusals: 0,
    flaw: None,
};

/// Executions that are not listed at all, where AWS remembers tokens for as long as a start may be sent again.
const REMEMBERS: Case = Case {
    token: RESEND_WITHIN,
    tag: NEVER,
    ..EXECUTIONS
};

const COMMANDS: Case = Case {
    dispatch: Dispatch::RunCommand,
    token: 0,
    refusals: 2,
    ..EXECUTIONS
};

/// Tries everything, and gives what does not hold.
fn broken(case: &Case) -> Vec<&'static str> {
    let checker = case.clone().checker().threads(2);
    let checker = match case.flaw {
        None => checker,
        // Once is enough.
        Some(_) => checker.finish_when(HasDiscoveries::AnyFailures),
    };
    let checker = checker.spawn_bfs().join();
    println!("{} states of {case:?}", checker.unique_state_count());
    let found = checker.discoveries();
    let properties = case.properties().into_iter();
    let broken = properties.filter(|property| {
        // What must happen sometimes is discovered where it does.
        found.contains_key(property.name) != (property.expectation == Expectation::Sometimes)
    });
    broken.map(|property| property.name).collect()
}

#[test]
fn law_5_holds_of_executions_where_aws_remembers_tokens_however_late_it_shows_tags_and_however_processes_stand_still()
 {
    let case = Case {
        tag: NEVER,
        stalls: true,
        ..EXECUTIONS
    };
    assert_eq!(broken(&case), [""; 0]);
}

#[test]
fn law_5_holds_of_executions_where_aws_remembers_no_token_as_long_as_tags_are_seen_in_time_and_no_process_stands_still()
 {
    assert_eq!(
        broken(&Case {
            token: 0,
            ..EXECUTIONS
        }),
        [""; 0]
    );
}

#[test]
fn law_5_holds_of_executions_where_aws_remembers_a_token_for_as_long_as_it_may_be_sent_again() {
    assert_eq!(broken(&REMEMBERS), [""; 0]);
}

#[test]
fn law_5_holds_of_commands_however_late_they_are_listed_and_however_processes_stand_still() {
    let case = Case {
        tag: NEVER,
        stalls: true,
        ..COMMANDS
    };
    assert_eq!(broken(&case), [""; 0]);
    assert_eq!(broken(&COMMANDS), [""; 0]);
}

#[test]
fn an_execution_takes_effect_twice_only_where_tokens_are_forgotten_and_tags_come_too_late_or_a_process_stands_still()
 {
    let late = Case {
        token: 0,
        tag: SEEN_WITHIN + SENT_WITHIN + 1,
        ..EXECUTIONS
    };
    let stands_still = Case {
        token: 0,
        stalls: true,
        ..EXECUTIONS
    };
    for case in [late, stands_still] {
        assert!(broken(&case).contains(&ONCE), "{case:?}");
    }
}

#[test]
fn each_rule_of_the_protocol_is_needed() {
    let forgets = Case {
        token: 0,
        ..EXECUTIONS
    };
    let not_listed = Case {
        refusals: 0,
        tag: NEVER,
        ..COMMANDS
    };
    for (flaw, case, law) in [
        (Flaw::AppendsUnread, &COMMANDS, ONCE),
        (Flaw::SendsLate, &forgets, ONCE),
        (Flaw::SendsAgain, &not_listed, ONCE),
        (Flaw::SendsAgain, &REMEMBERS, ONCE),
        (Flaw::LooksOnce, &forgets, ONCE),
        (Flaw::PassesStop, &COMMANDS, STOP),
        (Flaw::PassesStop, &forgets, STOP),
        (Flaw::ApprovedBefore, &forgets, APPROVAL),
    ] {
        let case = Case {
            flaw: Some(flaw),
            ..case.clone()
        };
        assert!(broken(&case).contains(&law), "{case:?}");
    }
}
