//! What the function's environment says.

use crate::cutoff;
use crate::function::{NoStateMachine, StateMachine};
use crate::sample;
use crate::wish::{CARRY_OVER, SECOND_ATTEMPT, Wish};
use jiff::SignedDuration;
use patchfleet_aws::{Limits, S3Uri};
use patchfleet_core::problem::{Problem, ProblemCode, chain};
use std::collections::BTreeMap;

/// Where campaigns are written down.
pub(crate) const LOG: &str = "PATCHFLEET_LOG";

/// What drives campaigns that an event begins.
const STATE_MACHINE: &str = "PATCHFLEET_STATE_MACHINE";

/// What the function's environment says. It is read once, at cold start. What is wrong with it is told at each event,
/// since whoever sends an event sees its answer.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub(crate) log: Option<S3Uri>,
    pub(crate) state_machine: Option<StateMachine>,
    pub(crate) cutoff: Option<SignedDuration>,
    /// Whether a campaign begins with what the last one could not begin before its cutoff.
    pub(crate) carry_over: bool,
    /// Whether the nodes that a campaign did not reach are tried once more when it is over.
    pub(crate) second_attempt: bool,
    pub(crate) limits: Limits,
    /// The variables of the second post's sample.
    pub(crate) sample: BTreeMap<String, String>,
    pub(crate) problems: Vec<Problem>,
}

impl Settings {
    /// Those of this process.
    #[must_use]
    pub fn from_env() -> Self {
        // A variable that is not UTF-8 is read as far as it is.
        let read = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        let mut settings = Self::of(read);
        match Limits::from_env() {
            Ok(limits) => settings.limits = limits,
            Err(error) => {
                let problem = Problem::new(ProblemCode::Syntax, "", "", chain(&error));
                settings.problems.push(problem);
            }
        }
        settings
    }

    /// Those that `read` gives for the names of variables, and the usual limits.
    ///
    /// ```
    /// use patchfleet_lambda::Settings;
    /// let settings = Settings::of(|name| (name == "PATCHFLEET_LOG").then(|| "s3://ops-logs/patchfleet".to_owned()));
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn of(read: impl Fn(&str) -> Option<String>) -> Self {
        let mut problems = vec![];
        let (place, machine) = (read(LOG), read(STATE_MACHINE));
        if let (None, Some(machine)) = (&place, &machine) {
            let words = format!("it drives campaigns that are written down, so {LOG} has to be set as well");
            let problem = Problem::new(
                ProblemCode::Conflict,
                STATE_MACHINE,
                format!("{machine:?}"),
                words,
            );
            problems.push(problem);
        }
        let mut is_wished = |wish: &Wish| {
            let set = read(wish.variable).and_then(|text| {
                let set = wish.of_variable(&text);
                set.map_err(|problem| problems.push(problem)).ok().flatten()
            });
            if let (None, Some(true)) = (&place, set) {
                problems.push(wish.without_log());
            }
            set.unwrap_or_default()
        };
        let (carry_over, second_attempt) = (is_wished(&CARRY_OVER), is_wished(&SECOND_ATTEMPT));
        Self {
            log: place.and_then(|text| log(&text).map_err(|problem| problems.push(problem)).ok()),
            state_machine: machine.and_then(|text| {
                let machine = state_machine(&text);
                machine.map_err(|problem| problems.push(problem)).ok()
            }),
            cutoff: read(cutoff::VARIABLE).and_then(|text| {
                let set = cutoff::of_variable(&text);
                set.map_err(|problem| problems.push(problem)).ok().flatten()
            }),
            carry_over,
            second_attempt,
            limits: Limits::default(),
            sample: sample::variables(&read),
            problems,
        }
    }
}

/// A log that is set without a value is not taken for none: events would be started that nobody follows.
fn log(text: &str) -> Result<S3Uri, Problem> {
    const PLACE: &str = "the place of the log, s3://BUCKET/PREFIX; remove the variable to start campaigns that \
                         nobody follows";
    if text.trim().is_empty() {
        return Err(Problem::new(ProblemCode::Missing, LOG, "\"\"", PLACE));
    }
    let uri = text.trim().parse::<S3Uri>();
    uri.map_err(|error| {
        let expected = format!("{PLACE} ({error})");
        Problem::new(ProblemCode::InvalidValue, LOG, format!("{text:?}"), expected)
    })
}

/// One that is set without a value is not taken for none either: nobody would drive what events begin.
fn state_machine(text: &str) -> Result<StateMachine, Problem> {
    const ARN: &str = "the ARN of a state machine, arn:aws:states:REGION:ACCOUNT:stateMachine:NAME; remove the variable \
                       if none drives what events begin";
    text.trim().parse().map_err(|NoStateMachine| {
        Problem::new(ProblemCode::InvalidValue, STATE_MACHINE, format!("{text:?}"), ARN)
    })
}
